"""How this process keeps its memory."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_MOST = 2**31 - 1


def keep_freed_memory() -> None:
    """Let glibc reuse freed tensors instead of giving their pages back to the kernel.

    A network's intermediate results come and go with every batch. By default each is a mapping of
    its own, whose pages the kernel clears and hands out again: a fifth of the time on a CPU. Peak
    memory stays what it was. Does nothing where the C library is not glibc.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MOST)
        mallopt(_M_TRIM_THRESHOLD, _MOST)
