"""Compressed tars cannot be read at random: they are unpacked once, safely, into a cache folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tarfile
from pathlib import Path

from colorize_core.archive.source.filters import (
    LINK,
    SPECIAL,
    ScanFilter,
    safe_member_path,
    suffix_of,
)
from colorize_core.archive.source.kinds import Unread
from colorize_core.archive.source.remote import (
    CHUNK_BYTES,
    is_url,
    name_of,
    open_stream,
    remote_errors,
    remote_state,
)
from colorize_core.archive.source.zip_tar.damage import DamageError, damage, damaged_after
from colorize_core.archive.source.zip_tar.members import (
    OLDER,
    StrictTarInfo,
    accepted_path,
    member_time_ns,
)
from colorize_core.archive.source.zip_tar.opened import archive_name
from colorize_core.archive.source.zip_tar.streams import Packed, decompressed
from colorize_core.atomic import publish, publish_bytes
from colorize_core.errors import (
    InputError,
    OutOfSpaceError,
    TooLargeError,
    UndecodableError,
    UnsafePathError,
    UnsupportedError,
    UsageError,
    is_disk_full,
)

FREE_SPACE = "free some space and run the same command again"
_RESERVE_BYTES = 64 << 20  # left free on the disk
_TAIL_BYTES = 64 << 20  # read behind the last member for the checksum, no more
_ERRORS = {
    e.kind: e
    for e in (InputError, TooLargeError, UndecodableError, UnsafePathError, UnsupportedError)
}


def unpacked(archive: str, staging: Path, notes: ScanFilter) -> Path:
    """Unpack a tar's photos and films under `staging`, unless that is done; return their folder.

    No member leaves the folder; links and devices are not made. A killed unpacking starts afresh.
    Unpacked states of an older version of this archive are removed.

    Raises:
        OutOfSpaceError: the disk of `staging` is too small.
        OSError: the archive cannot be read.
    """
    state = remote_state(archive) if is_url(archive) else _local_state(archive)
    name = f"unpacked-{_digest(archive)}-"
    folder = staging / (name + _digest([state, notes.wanted]))
    marker = folder.with_name(folder.name + ".json")
    if not marker.exists():
        for old in staging.glob(f"{name}*"):
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        folder.mkdir(parents=True)
        fresh = notes.fresh()
        _unpack(archive, folder, fresh)
        # The marker vouches for all files, also after a power cut.
        os.sync()
        problems = [(path, e.kind, e.message, e.remedy) for path, e in fresh.problems]
        record = {
            "ignored": fresh.ignored,
            "problems": problems,
            "unread": fresh.unread,
            "used": [glob.text for glob in fresh.used],
        }
        publish_bytes(marker, json.dumps(record).encode())
    record = json.loads(marker.read_bytes())
    notes.ignored.update(record["ignored"])
    for path, kind, message, remedy in record["problems"]:
        notes.problem(path, _ERRORS[kind](message, remedy=remedy))
    notes.unread += [Unread(*fields) for fields in record["unread"]]
    notes.used.update(g for g in (*notes.exclude, *notes.include) if g.text in record["used"])
    return folder


def fetched(url: str, staging: Path) -> Path:
    """Download a whole archive under `staging`, unless that is done; return its path.

    Raises:
        OutOfSpaceError: the disk of `staging` is too small.
        InputError, OSError: it cannot be read.
    """
    size, stamp = remote_state(url)
    name = f"archive-{_digest(url)}-"
    target = staging / f"{name}{_digest([size, stamp])}{suffix_of(name_of(url))}"
    if not target.exists():
        staging.mkdir(parents=True, exist_ok=True)
        for old in staging.glob(f"{name}*"):
            old.unlink()
        if shutil.disk_usage(staging).free < size + _RESERVE_BYTES:
            raise _no_space(staging, size)
        with (
            remote_errors(url),
            open_stream(url) as source,
            publish(target) as temporary,
            temporary.open("xb") as file,
        ):
            shutil.copyfileobj(source, file, CHUNK_BYTES)
    return target


def _local_state(archive: str) -> tuple[int, str]:
    status = Path(archive).stat()
    return status.st_size, str(status.st_mtime_ns)


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def _unpack(archive: str, folder: Path, notes: ScanFilter) -> None:
    last = None
    room = shutil.disk_usage(folder).free
    remote = is_url(archive)
    with (
        remote_errors(archive) if remote else contextlib.nullcontext(),
        open_stream(archive) if remote else Path(archive).open("rb") as packed,
    ):
        try:
            with (
                damage(),
                decompressed(packed) as plain,
                tarfile.open(fileobj=plain, mode="r|", tarinfo=StrictTarInfo) as tar,
            ):
                for info in tar:
                    _unpack_member(tar, info, folder, notes, room)
                    last = info.name
                # Reading to the end compares the checksum of the whole.
                left = _TAIL_BYTES
                while left > 0 and (chunk := plain.read(CHUNK_BYTES)):
                    left -= len(chunk)
        except DamageError as error:
            if last is None:
                raise UsageError(
                    f"{archive}: not a readable archive: {error}", remedy="copy or repair it"
                ) from error
            notes.problem(archive_name(archive), damaged_after(last, error))


def _unpack_member(
    tar: tarfile.TarFile, info: tarfile.TarInfo, folder: Path, notes: ScanFilter, room: int
) -> None:
    if info.isdir():
        return
    if info.issym():
        notes.ignored[LINK] += 1
        return
    if not (info.isreg() or info.islnk()) or info.issparse():
        notes.ignored[SPECIAL] += 1
        return
    packed = None if info.islnk() else Packed(tar, info)
    found = accepted_path(info.name, notes, packed.head if packed else bytes)
    if found is None:
        return
    path, _ = found
    if info.size > room:
        notes.problem(path, _no_room(path, info.size, room))
        return
    try:
        _place(packed, info, folder / path, folder, notes)
    except OSError as error:
        if is_disk_full(error):
            raise _no_space(folder, info.size) from error
        if error.errno not in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG):
            raise
        clash = UnsafePathError(
            f"{path}: cannot be unpacked: {error.strerror}", remedy="rename it inside the archive"
        )
        notes.problem(path, clash)


def _place(
    packed: Packed | None, info: tarfile.TarInfo, target: Path, folder: Path, notes: ScanFilter
) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        target.unlink()
        notes.ignored[OLDER] += 1
    if packed is None:
        _link(info, target, folder, notes)
    else:
        _write(info, packed, target)


def _write(info: tarfile.TarInfo, packed: Packed, target: Path) -> None:
    if shutil.disk_usage(target.parent).free < info.size + _RESERVE_BYTES:
        raise _no_space(target.parent, info.size)
    try:
        with target.open("xb") as file:
            file.writelines(packed.chunks())
        if target.stat().st_size != info.size:
            raise tarfile.ReadError(f"cut off inside {info.name}")
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    time_ns = member_time_ns(info)
    os.utime(target, ns=(time_ns, time_ns))


def _link(info: tarfile.TarInfo, target: Path, folder: Path, notes: ScanFilter) -> None:
    """A second name of an earlier member: a hard link to its unpacked file, if there is one."""
    try:
        first = folder / safe_member_path(info.linkname)
    except UnsafePathError:
        first = folder
    if first.is_file():
        os.link(first, target)
    else:
        notes.ignored[LINK] += 1


def _no_room(path: str, size: int, room: int) -> TooLargeError:
    return TooLargeError(
        f"{path}: the archive promises {size} bytes for it, more than the {room} that are free",
        remedy="if that is true, unpack it where there is room and give that folder as SRC",
    )


def _no_space(folder: Path, needed: int) -> OutOfSpaceError:
    return OutOfSpaceError(
        f"{folder}: no space left to unpack {needed} more bytes of the source",
        remedy=FREE_SPACE,
    )
