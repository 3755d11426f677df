"""Files appear whole or not at all, and can be told to be the same later."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from colorize_core.faults import is_near, passing

# Both names belong to this program wherever they stand.
STATE_FOLDER = ".colorize"
TEMP_PREFIX = ".colorize-tmp-"

# What shares answer that cannot do it, unlike disks that fail.
_NO_FOLDER_SYNC = frozenset(
    {
        *(errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY),
        *(errno.EBADF, errno.EISDIR, errno.EACCES, errno.EPERM),
    }
)
BeforeRename = Callable[[Path, Path], None]
_before_rename: ContextVar[BeforeRename] = ContextVar(
    "before_rename", default=lambda _temporary, _path: None
)

_NO_DATE = frozenset({errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS})


@contextmanager
def publishing(before_rename: BeforeRename) -> Iterator[None]:
    """Within the block, show what this thread publishes to `before_rename`: temporary, final path.

    It is whole then, and what `before_rename` raises keeps it from getting its name.
    """
    token = _before_rename.set(before_rename)
    try:
        yield
    finally:
        _before_rename.reset(token)


@contextmanager
def publish(path: Path, *, mtime_ns: int | None = None) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success fsync it and rename it to `path`.

    The temporary name keeps the suffix, so encoders that choose a format by suffix work on it. On
    any exception the temporary file is removed and `path` is left as it was. The parent folder is
    created.

    Args:
        path: final path.
        mtime_ns: the date that the file shall have; None for now.

    Yields:
        A path in the same folder that does not exist yet.

    Raises:
        FileNotFoundError: the block ended without writing the temporary file.
    """
    make_folder(path.parent)
    # The final name is not part of the temporary one: it may use all the 255 bytes a name can have.
    temporary = path.with_name(f"{TEMP_PREFIX}{uuid.uuid4().hex}{path.suffix}")
    passing("publish: begun")
    try:
        yield temporary
        passing("publish: written")
        set_date(temporary, mtime_ns)
        sync_file(temporary)
        passing("publish: flushed")
        _before_rename.get()(temporary, path)
        temporary.replace(path)
        passing("publish: renamed")
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def publish_folder(path: Path) -> Iterator[Path]:
    """Like `publish`, for a folder: yield an empty one, and let it take the place of `path`.

    Args:
        path: final path; a folder that is there is replaced.

    Yields:
        An empty folder beside it.
    """
    make_folder(path.parent)
    temporary = path.with_name(f"{TEMP_PREFIX}{uuid.uuid4().hex}")
    replaced = path.with_name(f"{TEMP_PREFIX}{uuid.uuid4().hex}")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.iterdir():
            sync_file(file)
        sync_folder(temporary)
        _before_rename.get()(temporary, path)
        if path.exists():
            path.rename(replaced)
        temporary.rename(path)
        sync_folder(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing; each new one survives a power cut."""
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for folder in reversed(new):
        sync_folder(folder.parent)


def set_date(path: Path, mtime_ns: int | None) -> None:
    """Give a file a date, in ns since 1970; None leaves it as it is."""
    if mtime_ns is None:
        return
    try:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    except OSError as error:
        # A file of today's date on a share that keeps no other is whole all the same.
        if error.errno not in _NO_DATE:
            raise


def publish_bytes(path: Path, data: bytes, *, mtime_ns: int | None = None) -> None:
    """Publish `data` as the whole content of `path`; see `publish`."""
    with publish(path, mtime_ns=mtime_ns) as temporary:
        temporary.write_bytes(data)


def append_lines(path: Path, lines: Iterable[str]) -> None:
    """Append whole lines in one write and fsync them.

    A crash can leave a torn last line, which readers must drop; the next call starts on a fresh
    line, so a torn one never swallows its successor.
    """
    is_new = not path.exists()
    with path.open("ab+") as file:
        if file.seek(0, os.SEEK_END) > 0:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        data = "".join(f"{line}\n" for line in lines).encode()
        if is_near("record: torn"):
            file.write(data[: len(data) * 2 // 3])
            file.flush()
        passing("record: torn")
        file.write(data)
        file.flush()
        passing("record: written")
        os.fsync(file.fileno())
        passing("record: flushed")
    if is_new:
        sync_folder(path.parent)


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """Hex sha256 of the names and contents of a folder's files; folders in it are left out."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(os.fsencode(path.name) + b"\0" + file_sha256(path).encode())
    return digest.hexdigest()


def content_sha256(path: Path) -> str:
    """Hex sha256 of an output or a source: a file, or a folder of frames."""
    return folder_sha256(path) if path.is_dir() else file_sha256(path)


def sync_file(path: Path) -> None:
    """Flush a file's data to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Flush a folder's entries to the disk, so that a rename in it survives a power cut.

    Shares that know no such thing (sshfs, vboxsf, some SMB servers) refuse it for every folder;
    there, the file's own fsync is all that can be had.
    """
    try:
        sync_file(path)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise


def remove_stale_temporaries(folder: Path) -> int:
    """Delete what a killed process left under `folder`; return how many files and folders.

    Only the holder of OUT's lock may call it: another process' temporaries look the same.
    """
    removed = 0
    for stale in list(folder.rglob(f"{TEMP_PREFIX}*")):
        if stale.is_dir():
            shutil.rmtree(stale, ignore_errors=True)
        else:
            stale.unlink(missing_ok=True)
        removed += 1
    return removed
