"""The bytes of one item: read at once (photos) or as a local file (films)."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from colorize_core.archive.source import remote
from colorize_core.archive.source.filters import suffix_of
from colorize_core.archive.source.image_sequences import measure_folder
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.source.pieces import measure_pieces, pieces_list
from colorize_core.archive.source.remote import CHUNK_BYTES
from colorize_core.archive.source.zip_tar.opened import cached_container, split_location
from colorize_core.archive.source.zip_tar.unpack import FREE_SPACE
from colorize_core.atomic import TEMP_PREFIX, content_sha256, file_sha256, folder_sha256, set_date
from colorize_core.errors import (
    ChangedError,
    InputError,
    MissingError,
    OutOfSpaceError,
    TooLargeError,
    UsageError,
    is_disk_full,
)

# Of a photo: nothing larger is read into memory.
MAX_FILE_BYTES = 4 * 2**30
_BYTES_PER_PIXEL = 8  # of 16-bit RGB with transparency, uncompressed
_LEAST_LIMIT = 64 * 2**20


def most_bytes(max_pixels: int) -> int:
    """The largest file that can hold a picture within the pixel limit: no more is read."""
    return min(MAX_FILE_BYTES, max(_LEAST_LIMIT, max_pixels * _BYTES_PER_PIXEL))


def read_item(item: SourceItem, *, max_bytes: int | None) -> bytes:
    """Read a whole item, at most `max_bytes`.

    Raises:
        TooLargeError: larger than `max_bytes`.
        ChangedError, MissingError: not as it was at the scan.
        UndecodableError, UnsupportedError: its archive is damaged there, or packed in another way.
        InputError: not readable with these permissions.
        OSError: the disk or the network failed; trying again may help.
    """
    limit = max_bytes if max_bytes is not None else max(item.size, 1) + (1 << 62)
    if item.size > limit:
        raise _too_large(item, limit)
    pieces: list[bytes] = []
    left = limit
    for chunk in _chunks(item):
        left -= len(chunk)
        if left < 0:
            raise _too_large(item, limit)
        pieces.append(chunk)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def item_sha256(item: SourceItem) -> str:
    """Hex sha256 of an item's content; of a folder of frames, see `folder_sha256`.

    Raises:
        ChangedError, MissingError, UndecodableError, UnsupportedError, InputError, OSError: as
            `read_item`.
    """
    if item.stamp.startswith("frames:"):
        return folder_sha256(Path(item.location))
    digest = hashlib.sha256()
    for chunk in _chunks(item):
        digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def stage_item(item: SourceItem, staging: Path) -> Iterator[Path]:
    """Yield a local path to an item: the file itself, or a copy in `staging`, removed afterwards.

    Of a film in pieces it is a list of them, `NAME.ffconcat`.

    A local file is compared with the scan again at the end, because film is read for a long time.

    Raises:
        OutOfSpaceError: no space in `staging`.
        ChangedError, MissingError, UndecodableError, UnsupportedError, InputError, OSError: as
            `read_item`.
    """
    if _is_local(item.location):
        _check_local(item)
        with _listed(item, staging) if item.pieces else nullcontext(Path(item.location)) as path:
            yield path
        _check_local(item)
        return
    staging.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(staging).free < item.size:
        raise _no_space(item, staging)
    # Players choose a format by suffix.
    copy = staging / f"{TEMP_PREFIX}{uuid.uuid4().hex}{suffix_of(item.path)}"
    try:
        _copy(item, copy, staging)
        set_date(copy, modified_ns(item))
        yield copy
    finally:
        copy.unlink(missing_ok=True)


@contextmanager
def _listed(item: SourceItem, staging: Path) -> Iterator[Path]:
    folder = staging / f"{TEMP_PREFIX}{uuid.uuid4().hex}"
    folder.mkdir(parents=True)
    try:
        path = folder / f"{Path(item.location).name}.ffconcat"
        path.write_bytes(pieces_list(item.files))
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def source_sha256(item: SourceItem, staged: Path) -> str:
    """Hex sha256 of an item's content, read from where `stage_item` has put it.

    Of a film in pieces, it is that of all their bytes, one piece after the other.
    """
    return item_sha256(item) if item.pieces else content_sha256(staged)


def sound_sha256(item: SourceItem) -> str:
    """Hex sha256 of the WAV beside a folder of pictures; "" without one.

    Raises:
        MissingError, InputError: not as it was at the scan, or not readable.
    """
    if not item.sound:
        return ""
    with _access(item):
        return file_sha256(Path(item.sound))


def modified_ns(item: SourceItem) -> int | None:
    """When the item was changed last, in ns since 1970; None where nobody says.

    Raises:
        InputError, OSError: its archive cannot be read now.
    """
    kind, _, value = item.stamp.partition(":")
    if kind == "mtime_ns":
        return int(value)
    if item.pieces:
        with _access(item):
            return Path(item.location).stat().st_mtime_ns
    member = split_location(item.location)
    if member is None:
        return None
    with _access(item):
        return cached_container(member[0]).modified_ns(member[1])


def _check_local(item: SourceItem) -> None:
    path = Path(item.location)
    with _access(item):
        if item.stamp.startswith("frames:"):
            _same(item, *measure_folder(path))
        elif item.pieces:
            _same(item, *measure_pieces(item.files))
        else:
            path.open("rb").close()
            _compare(item, path.stat())


def _copy(item: SourceItem, target: Path, staging: Path) -> None:
    with target.open("xb") as file:
        for chunk in _chunks(item):
            try:
                file.write(chunk)
                file.flush()
            except OSError as error:
                if is_disk_full(error):
                    raise _no_space(item, staging) from error
                raise


def _is_local(location: str) -> bool:
    return not remote.is_url(location)


def _chunks(item: SourceItem) -> Iterator[bytes]:
    """The item's bytes in pieces, checked against the scan."""
    member = split_location(item.location)
    if member is not None:
        return _member_chunks(item, *member)
    if item.pieces:
        return _pieces_chunks(item)
    if _is_local(item.location):
        return _local_chunks(item)
    return _remote_chunks(item)


def _local_chunks(item: SourceItem) -> Iterator[bytes]:
    with _access(item), Path(item.location).open("rb", buffering=0) as file:
        _compare(item, os.fstat(file.fileno()))
        # One read for nearly every photo.
        while chunk := file.read(min(max(item.size, 1), 64 * CHUNK_BYTES)):
            yield chunk
        _compare(item, os.fstat(file.fileno()))


def _pieces_chunks(item: SourceItem) -> Iterator[bytes]:
    _check_local(item)
    for path in item.files:
        with _access(item), Path(path).open("rb", buffering=0) as file:
            while chunk := file.read(64 * CHUNK_BYTES):
                yield chunk
    _check_local(item)


def _member_chunks(item: SourceItem, archive: str, name: str) -> Iterator[bytes]:
    with _access(item):
        container = cached_container(archive)
        found = container.find(name)
        _same(item, found.size, found.stamp)
        if remote.is_url(archive):
            with remote.remote_errors(archive):
                yield from container.chunks(name)
        else:
            yield from container.chunks(name)


def _remote_chunks(item: SourceItem) -> Iterator[bytes]:
    url = item.location
    read = 0
    with _access(item):
        _same(item, *remote.remote_state(url))
    with remote.remote_errors(url), remote.open_stream(url) as file:
        while chunk := file.read(CHUNK_BYTES):
            read += len(chunk)
            yield chunk
    if item.size and read != item.size:
        raise _changed(item)


@contextmanager
def _access(item: SourceItem) -> Iterator[None]:
    try:
        yield
    except UsageError as error:
        # At the scan it could be used: the archive is another one now, or this machine is.
        raise ChangedError(f"{item.path}: {error.message}", remedy=error.remedy) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingError(
            f"{item.path}: not there any more", remedy="put it back, or run again without it"
        ) from error
    except (PermissionError, IsADirectoryError) as error:
        raise InputError(
            f"{item.path}: cannot be read: {error.strerror}",
            remedy="give yourself read permission and run again with --retry-failed",
        ) from error


def _compare(item: SourceItem, status: os.stat_result) -> None:
    _same(item, status.st_size, f"mtime_ns:{status.st_mtime_ns}")


def _same(item: SourceItem, size: int, stamp: str) -> None:
    if (size, stamp) != (item.size, item.stamp):
        raise _changed(item)


def _changed(item: SourceItem) -> ChangedError:
    return ChangedError(
        f"{item.path}: changed since the source was scanned", remedy="run again for the new version"
    )


def _too_large(item: SourceItem, limit: int) -> TooLargeError:
    return TooLargeError(
        f"{item.path}: larger than {limit} bytes, more than its pixel limit can need",
        remedy="save it compressed or in parts, or raise photo.max_pixels",
    )


def _no_space(item: SourceItem, staging: Path) -> OutOfSpaceError:
    return OutOfSpaceError(
        f"{staging}: no space left for a copy of {item.path} ({item.size} bytes)",
        remedy=FREE_SPACE,
    )
