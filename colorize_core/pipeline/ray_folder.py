"""Where a local Ray keeps its sockets, logs and token: a private folder with a short name."""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from colorize_core.errors import UsageError

# "ray-12345678/s/session_2026-11-30_11-04-23_123456_1234567/sockets/plasma_store" and its like.
_RAYS_SHARE: Final = 79
_MOST_BYTES: Final = 107  # of a socket's path
_ELSEWHERE: Final = ("/tmp", "/var/tmp", "/dev/shm")
_OWNER: Final = ".colorize-owner"  # locked as long as the run that made the folder lives
_TOKEN: Final = "auth_token"
_OLD_SECONDS: Final = 3600.0


class RayFolder:
    """A folder that only this user can enter, and that is removed with the run.

    It also holds the token without which this Ray answers nobody. What runs that were killed have
    left is removed when the next one makes its folder.

    Args:
        elsewhere: tried when that of TMPDIR or RAY_TMPDIR is too long or cannot be written.

    Raises:
        UsageError: none of them can be used.
    """

    def __init__(self, elsewhere: Sequence[str] = _ELSEWHERE) -> None:
        self.path = _made(elsewhere)
        self._owner = os.open(self.path / _OWNER, os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._owner, fcntl.LOCK_EX)
        # Ray lets everybody into the folder that it is given: so it gets one inside.
        self.session = self.path / "s"
        self.token_file = self.path / _TOKEN
        descriptor = os.open(self.token_file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with open(descriptor, "w") as file:  # noqa: PTH123 - a descriptor
            file.write(secrets.token_hex(32))
        _remove_orphans(self.path.parent)
        atexit.register(self.remove)

    def remove(self) -> None:
        """Remove it with all that Ray wrote; once is enough."""
        shutil.rmtree(self.path, ignore_errors=True)
        atexit.unregister(self.remove)


def _made(elsewhere: Sequence[str]) -> Path:
    # As Ray reads them; tempfile would pass over what is not there.
    chosen = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    for parent in filter(_is_short, (chosen, *elsewhere)):
        with suppress(OSError):
            return Path(tempfile.mkdtemp(prefix="ray-", dir=parent))
    raise UsageError(
        f"TMPDIR {chosen} is too long for Ray's sockets or cannot be written, and neither is "
        f"{', '.join(elsewhere)} of use",
        remedy=f"set TMPDIR to a folder with a name of at most {_MOST_BYTES - _RAYS_SHARE} bytes, "
        "or use --runner serial",
    )


def _is_short(folder: str) -> bool:
    return len(os.fsencode(Path(folder).absolute())) + _RAYS_SHARE <= _MOST_BYTES


def _remove_orphans(parent: Path) -> None:
    for owner in parent.glob(f"ray-*/{_OWNER}"):
        with suppress(OSError):
            if _is_orphan(owner):
                shutil.rmtree(owner.parent, ignore_errors=True)


def _is_orphan(owner: Path) -> bool:
    """Whether no run holds it; Ray's last processes may take a while to end after a kill."""
    if owner.lstat().st_uid != os.getuid() or owner.is_symlink():
        return False
    descriptor = os.open(owner, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return time.time() - owner.stat().st_mtime > _OLD_SECONDS or _is_quiet(owner.parent)
    finally:
        os.close(descriptor)


def _is_quiet(folder: Path) -> bool:
    """Whether no process has one of its sockets open."""
    used = Path("/proc/net/unix")
    return used.exists() and f" {folder}/" not in used.read_text(errors="replace")
