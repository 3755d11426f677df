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
