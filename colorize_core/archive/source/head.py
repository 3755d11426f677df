"""The first bytes of a local file."""

from __future__ import annotations

import os
import stat

from colorize_core.archive.source.kinds import HEAD_BYTES


def read_head(path: str) -> bytes:
    """The first HEAD_BYTES of a regular file; nothing of what is none, or cannot be read.

    Whoever reads the whole file later says why it cannot be read.
    """
    try:
        # Without O_NONBLOCK, opening a pipe would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return b""
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, HEAD_BYTES) if is_file else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)
