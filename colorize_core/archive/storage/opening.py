"""Places as users type them, and an OUT opened by its place."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from colorize_core.archive.storage.address import Address, is_address
from colorize_core.archive.storage.bucket import Bucket
from colorize_core.archive.storage.storage import LocalFolder, Storage
from colorize_core.errors import UsageError

# `scheme://` anywhere, and what is left of one when two slashes became one.
_URL = re.compile(r"://|^[A-Za-z][A-Za-z0-9+.-]*:/")


def user_path(text: str) -> Path:
    """A local path as typed; zsh and make pass a `~` after a `=` on as it is.

    Raises:
        UsageError: it is a URL, of which a path would make a local folder named `s3:`.
    """
    if _URL.search(text):
        # Not the whole of it: URLs can hold keys.
        raise UsageError(
            f"{text.partition(':')[0]}://...: a local path is needed here, not a URL",
            remedy="mount it, or copy by aws s3 sync or rclone; a folder that is called so: ./NAME",
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:  # no such user: a name that only looks like a home folder
        return Path(text)


def user_out(text: str) -> Path | Address:
    """OUT as typed: a local path, or an address in object storage."""
    return Address.parse(text) if is_address(text) else user_path(text)


def default_work() -> Path:
    """Where runs into object storage work on this machine."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return user_path(cache) / "colorize-archive"


def work_folder(work: Path, out: Address) -> Path:
    """Where runs into this OUT work: the next finds what a killed one left."""
    return work / hashlib.sha256(str(out).encode()).hexdigest()[:16]


@contextmanager
def opened(out: Path | Address, *, work: Path | None = None) -> Iterator[Storage]:
    """An OUT, closed at the end.

    Args:
        out: see `user_out`.
        work: where a run into object storage has its folder on this machine; None for one that is
            made only for the block, which is right for all that is no run.
    """
    if isinstance(out, Path):
        yield LocalFolder(out)
        return
    with ExitStack() as stack:
        if work is None:
            scratch = tempfile.TemporaryDirectory(prefix="colorize-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(scratch))
        else:
            folder = work_folder(work, out)
        bucket = Bucket(out, folder)
        stack.callback(bucket.close)
        yield bucket
