"""What comes while the process ends does not change how it ended."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from colorize_core.errors import EXIT_SOME_FAILED

# The C library raises the signal when Python has put its own handlers away.
PROGRAM = """
import ctypes, sys
from colorize_core.cli.command import leave
from colorize_core.pipeline.stop import end_resumable
end_resumable()
libc = ctypes.CDLL(None)
libc.__cxa_atexit(ctypes.cast(getattr(libc, "raise"), ctypes.c_void_p), int(sys.argv[1]), None)
leave(int(sys.argv[2]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="__cxa_atexit")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_python_ends_leaves_the_exit_code(number: signal.Signals):
    words = [sys.executable, "-c", PROGRAM, str(int(number)), str(EXIT_SOME_FAILED)]
    assert subprocess.run(words, check=False).returncode == EXIT_SOME_FAILED
