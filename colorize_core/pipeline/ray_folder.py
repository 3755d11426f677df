"""Where a local Ray keeps its sockets: their paths must be short, and TMPDIR may be long."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from colorize_core.errors import UsageError

# "ray/session_2026-11-30_11-04-23_123456_1234567/sockets/plasma_store" and its like.
_RAYS_SHARE: Final = 72
_MOST_BYTES: Final = 103  # of a socket's path: 107 on Linux, 103 on a Mac
_ELSEWHERE: Final = ("/tmp", "/var/tmp", "/dev/shm")


def short_folder(elsewhere: Sequence[str] = _ELSEWHERE) -> str | None:
    """A folder for Ray that is removed when this process ends; None where its own choice is good.

    Args:
        elsewhere: tried when that of TMPDIR or RAY_TMPDIR is too long or cannot be written.

    Raises:
        UsageError: none of them can be used.
    """
    # As Ray reads them; tempfile would pass over what is not there.
    chosen = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    if _is_short(chosen) and os.access(chosen, os.W_OK | os.X_OK):
        return None
    for parent in filter(_is_short, elsewhere):
        try:
            folder = tempfile.mkdtemp(prefix="ray-", dir=parent)
        except OSError:
            continue
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    raise UsageError(
        f"TMPDIR {chosen} is too long for Ray's sockets or cannot be written, and neither is "
        f"{', '.join(elsewhere)} of use",
        remedy=f"set TMPDIR to a folder with a name of at most {_MOST_BYTES - _RAYS_SHARE} bytes, "
        "or use --runner serial",
    )


def _is_short(folder: str) -> bool:
    return len(os.fsencode(Path(folder).absolute())) + _RAYS_SHARE <= _MOST_BYTES
