"""Archives by name: their members' locations, and a few kept open per process."""

from __future__ import annotations

import os
import threading
import weakref
from collections import OrderedDict
from pathlib import Path

from colorize_core.archive.source.remote import is_url, name_of, open_seekable
from colorize_core.archive.source.zip_tar.damage import DamageError, damage
from colorize_core.archive.source.zip_tar.members import (
    Container,
    TarContainer,
    ZipContainer,
)
from colorize_core.errors import UsageError

_KEPT_OPEN = 4


class NoPartsError(UsageError):
    """The server cannot send parts of a file, so an archive on it cannot be read at random."""


def is_compressed_tar(archive: str) -> bool:
    """Whether the archive cannot be read at random."""
    return not archive_name(archive).lower().endswith((".zip", ".tar"))


def archive_name(archive: str) -> str:
    """File name of a local or remote archive."""
    return name_of(archive) if is_url(archive) else Path(archive).name


def member_location(archive: str, name: str) -> str:
    """The location `zip://member::archive` or `tar://member::archive`."""
    scheme = "zip" if archive_name(archive).lower().endswith(".zip") else "tar"
    # "::" separates; a member that holds it (or looks escaped) must not be cut in two.
    return f"{scheme}://{name.replace('%', '%25').replace(':', '%3A')}::{archive}"


def split_location(location: str) -> tuple[str, str] | None:
    """Archive and member name of a `member_location`, or None for any other location."""
    scheme, found, rest = location.partition("://")
    if not found or scheme not in ("zip", "tar"):
        return None
    member, _, archive = rest.partition("::")
    return archive, member.replace("%3A", ":").replace("%25", "%")


_opened: OrderedDict[tuple[str, int, int], Container] = OrderedDict()
_opened_lock = threading.Lock()


def open_container(archive: str) -> Container:
    """Open a local or remote archive and read its index.

    Raises:
        UsageError: damaged as a whole, or on a server that cannot send parts of files.
        OSError: it cannot be read.
    """
    file = open_seekable(archive) if is_url(archive) else Path(archive).open("rb")  # noqa: SIM115
    if file is None:
        raise NoPartsError(
            f"{archive}: the server cannot send parts of a file", remedy="download the archive"
        )
    name = archive_name(archive)
    is_zip = name.lower().endswith(".zip")
    try:
        with damage():
            container: Container = ZipContainer(file) if is_zip else TarContainer(file, name=name)
    except DamageError as error:
        file.close()
        raise UsageError(
            f"{archive}: not a readable archive: {error}", remedy="copy or repair it"
        ) from error
    weakref.finalize(container, file.close)
    return container


def cached_container(archive: str) -> Container:
    """Like `open_container`, kept open for this process until the local archive changes."""
    state = (0, 0)
    if not is_url(archive):
        status = Path(archive).stat()
        state = (status.st_size, status.st_mtime_ns)
    key = (archive, *state)
    with _opened_lock:
        container = _opened.get(key)
        if container is None:
            # A dropped one lives on while another thread reads from it.
            container = _opened[key] = open_container(archive)
            while len(_opened) > _KEPT_OPEN:
                _opened.popitem(last=False)
        _opened.move_to_end(key)
    return container


def _forget_opened() -> None:
    # A forked child shares its parent's file positions, and its lock may be held for ever.
    global _opened_lock
    _opened_lock = threading.Lock()
    _opened.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_opened)
