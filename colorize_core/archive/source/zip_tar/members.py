"""Members of zip and tar archives: listing and reading at random."""

from __future__ import annotations

import stat
import tarfile
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from tarfile import (  # type: ignore[attr-defined]
    InvalidHeaderError,
    ReadError,
    TruncatedHeaderError,
)
from typing import BinaryIO, NamedTuple, Protocol, Self, cast

from colorize_core.archive.source.filters import (
    LINK,
    SPECIAL,
    Head,
    ScanFilter,
    safe_member_path,
)
from colorize_core.archive.source.kinds import HEAD_BYTES
from colorize_core.archive.source.remote import CHUNK_BYTES
from colorize_core.archive.source.zip_tar.damage import DamageError, damage, damaged, damaged_after
from colorize_core.errors import (
    InputError,
    MissingError,
    TooLargeError,
    UndecodableError,
    UnsafePathError,
    UnsupportedError,
)

OLDER = "older member of the same name"
# A white page of 1 bit packs 1,000:1, but is small; scans and films pack below 10:1.
_LARGE_BYTES = 256 * 2**20
_MOST_GROWTH = 100


class Member(NamedTuple):
    """What is needed to find a member again; `stamp` as in SourceItem."""

    name: str
    size: int
    stamp: str


class Container(Protocol):
    """An opened archive. Safe to read from several threads."""

    def members(self, notes: ScanFilter, *, may_look: bool) -> Iterator[tuple[str, Member, str]]:
        """Yield safe paths, the members that are photos and films, and what their outputs add.

        Later members replace earlier ones of the same name.
        """

    def find(self, name: str) -> Member:
        """Look up a member as it is now; MissingError."""

    def modified_ns(self, name: str) -> int | None:
        """Its date in ns since 1970, if it has one."""

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield a member's content in pieces of at most CHUNK_BYTES; UndecodableError."""


class ZipContainer:
    """A zip, read through its central directory."""

    def __init__(self, file: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(file)

    def members(self, notes: ScanFilter, *, may_look: bool) -> Iterator[tuple[str, Member, str]]:
        """See Container."""
        infos = self._zip.infolist()
        for info in infos:
            if info.is_dir():
                continue
            if self._zip.getinfo(info.filename) is not info:
                notes.ignored[OLDER] += 1
                continue
            mode = info.external_attr >> 16
            kind = stat.S_IFMT(mode)
            if kind == stat.S_IFLNK:
                notes.ignored[LINK] += 1
            elif kind not in (0, stat.S_IFREG):
                notes.ignored[SPECIAL] += 1
            elif info.flag_bits & 0x1:
                error = UnsupportedError(
                    f"{info.filename}: encrypted", remedy="unpack the zip with its password"
                )
                _refuse(info.filename, error, notes)
            elif (found := _accepted(self, info.filename, notes, may_look)) is not None:
                path, added = found
                if _is_bomb(info):
                    notes.problem(path, _bomb(path, info))
                else:
                    yield path, self.find(info.filename), added

    def find(self, name: str) -> Member:
        """See Container."""
        try:
            info = self._zip.getinfo(name)
        except KeyError as error:
            raise MissingError(f"{name}: no longer in the zip") from error
        return Member(name, info.file_size, f"crc:{info.CRC:08x}")

    def modified_ns(self, name: str) -> int | None:
        """See Container. A zip gives the local time, of an unknown place."""
        try:
            moment = datetime(*self._zip.getinfo(name).date_time)
            return round(moment.timestamp()) * 10**9
        except (KeyError, ValueError, OverflowError, OSError):
            return None

    def chunks(self, name: str) -> Iterator[bytes]:
        """See Container."""
        try:
            with damage(), self._zip.open(name) as member:
                while chunk := member.read(CHUNK_BYTES):
                    yield chunk
        except DamageError as error:
            raise damaged(name, error) from error
        except NotImplementedError as error:
            raise UnsupportedError(
                f"{name}: {error}", remedy="unpack the zip with the program that made it"
            ) from error


def _is_bomb(info: zipfile.ZipInfo) -> bool:
    """Whether a small member promises to become a huge one, as no photo or film does."""
    return info.file_size > max(_LARGE_BYTES, _MOST_GROWTH * info.compress_size)


def _bomb(path: str, info: zipfile.ZipInfo) -> TooLargeError:
    return TooLargeError(
        f"{path}: {info.compress_size} bytes in the zip would become {info.file_size}",
        remedy="if that is meant, unpack it and give the folder as SRC",
    )


class StrictTarInfo(tarfile.TarInfo):
    """Complains about a header that is not one, where tarfile takes it for the end."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> Self:
        """See tarfile.TarInfo; ReadError."""
        try:
            return super().fromtarfile(tarfile)
        except (InvalidHeaderError, TruncatedHeaderError) as error:
            raise ReadError(str(error)) from error


class TarContainer:
    """A tar, compressed or not, with an index of where each member's data begins."""

    def __init__(self, file: BinaryIO, *, name: str) -> None:
        self._name = name
        self._tar = tarfile.open(fileobj=file, mode="r:*", tarinfo=StrictTarInfo)  # noqa: SIM115
        self._lock = threading.Lock()
        self._index: dict[str, tuple[int, Member]] = {}
        self._problems: list[tuple[str, InputError]] = []
        self._ignored: Counter[str] = Counter()
        self._build_index()

    def _build_index(self) -> None:
        try:
            while True:
                with damage():
                    info = self._tar.next()
                if info is None:
                    break
                # tarfile keeps every header for ever; the index needs a fifth of that.
                self._tar.members.clear()  # type: ignore[attr-defined]
                self._add(info)
        except DamageError as error:
            last = next(reversed(self._index), "its beginning")
            self._problems.append((self._name, damaged_after(last, error)))

    def _add(self, info: tarfile.TarInfo) -> None:
        if info.isdir():
            return
        if info.islnk() and info.linkname in self._index:
            # A second name of an earlier member: its data is there, in the same archive.
            entry = self._index[info.linkname]
        elif info.issym() or info.islnk():
            self._ignored[LINK] += 1
            return
        elif info.issparse():
            error = UnsupportedError(f"{info.name}: stored sparse", remedy="unpack the tar")
            self._problems.append((info.name, error))
            return
        elif not info.isreg():
            self._ignored[SPECIAL] += 1
            return
        else:
            entry = (
                info.offset_data,
                Member(info.name, info.size, f"mtime_ns:{member_time_ns(info)}"),
            )
        if self._index.pop(info.name, None) is not None:
            self._ignored[OLDER] += 1
        self._index[info.name] = entry

    def members(self, notes: ScanFilter, *, may_look: bool) -> Iterator[tuple[str, Member, str]]:
        """See Container."""
        notes.ignored.update(self._ignored)
        for name, error in self._problems:
            _refuse(name, error, notes)
        for name, (_, member) in self._index.items():
            if (found := _accepted(self, name, notes, may_look)) is not None:
                path, added = found
                yield path, member._replace(name=name), added

    def find(self, name: str) -> Member:
        """See Container."""
        if name not in self._index:
            raise MissingError(f"{name}: no longer in the tar")
        return self._index[name][1]

    def modified_ns(self, name: str) -> int | None:
        """See Container."""
        return int(self.find(name).stamp.removeprefix("mtime_ns:"))

    def chunks(self, name: str) -> Iterator[bytes]:
        """See Container."""
        offset, member = self._index[name]
        file = cast(BinaryIO, self._tar.fileobj)
        end = offset + member.size
        while offset < end:
            try:
                with damage(), self._lock:
                    file.seek(offset)
                    chunk = file.read(min(CHUNK_BYTES, end - offset))
            except DamageError as error:
                raise damaged(name, error) from error
            if not chunk:
                raise UndecodableError(f"{name}: the tar ends inside it", remedy="copy it again")
            offset += len(chunk)
            yield chunk


def member_time_ns(info: tarfile.TarInfo) -> int:
    """The header's time in ns, kept to what file systems can hold."""
    return min(max(round(info.mtime * 10**9), 0), 2**62)


def accepted_path(
    name: str, notes: ScanFilter, head: Head, *, may_look: bool = True
) -> tuple[str, str] | None:
    """The safe path of a wanted member and what its output adds; notes why there is none."""
    path, unsafe = name.replace("\\", "/"), None
    try:
        path = safe_member_path(name)
    except UnsafePathError as error:
        unsafe = error
    try:
        added = notes.accept_inside(path, head, may_look=may_look)
        if unsafe is not None and added is not None:
            raise unsafe
    except InputError as error:
        notes.problem(name, error)
        return None
    return None if added is None else (path, added)


def _accepted(
    container: Container, name: str, notes: ScanFilter, may_look: bool
) -> tuple[str, str] | None:
    def head() -> bytes:
        return next(container.chunks(name), b"")[:HEAD_BYTES]

    return accepted_path(name, notes, head, may_look=may_look)


def _refuse(name: str, error: InputError, notes: ScanFilter) -> None:
    if notes.is_wanted(name) or isinstance(error, UndecodableError):
        notes.problem(name, error)
