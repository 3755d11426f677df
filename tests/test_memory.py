"""Freed memory stays with the process, and is used again."""

from __future__ import annotations

import subprocess
import sys

import pytest

# 64 MiB, more than glibc ever keeps by itself.
PROGRAM = """
import resource, sys
import numpy as np
from colorize_core.memory import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
for _ in range(2):
    np.ones(2**23)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(8):
    np.ones(2**23)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_freed_memory_is_used_again_without_page_faults():
    faults = {
        mode: int(subprocess.check_output([sys.executable, "-c", PROGRAM, mode]))
        for mode in ("default", "kept")
    }
    assert faults["kept"] < 0.1 * faults["default"]


HOLES = """
from pathlib import Path
import numpy as np
from colorize_core.memory import give_back_memory, keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

keep_freed_memory()
kept = [np.ones(size) for _ in range(100) for size in (2**17, 2**9)][1::2]
before = resident()
give_back_memory()
print(before, resident(), len(kept))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc only")
def test_holes_between_what_is_in_use_are_given_back():
    before, after, _ = map(int, subprocess.check_output([sys.executable, "-c", HOLES]).split())
    pages = 100 * 2**20 // 4096
    assert before - after > 0.9 * pages
