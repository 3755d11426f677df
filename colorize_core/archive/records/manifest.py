"""The append-only record of what is finished. One writer: the driver that holds the lock."""

from __future__ import annotations

import json
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, get_args, get_type_hints

import msgspec

from colorize_core.archive.records.details import (
    FilmDetails,
    PhotoDetails,
    ScanDetails,
    SegmentDetails,
)
from colorize_core.archive.records.work import ItemReport, Status
from colorize_core.atomic import append_lines, make_folder, publish_bytes
from colorize_core.errors import ManifestError
from colorize_core.faults import passing

FORMAT = 1
_CRC_FIELD: Final = b',"crc":"'
_STATUSES: Final[tuple[Status, ...]] = get_args(Status)
# A million entries: where the latest line of a key stands, and its status, in one integer.
_STATUS_BITS: Final = 2


class Manifest:
    """Append-only JSONL, a CRC in every line, fsync per append.

    Only keys and offsets are held in memory; lines are read back from the file. A line that is
    torn or damaged is left out and counted in `damaged_lines`, one that is whole and not understood
    (a newer version's) in `foreign_lines`: its item is simply pending again, and the line stays.

    Args:
        path: the file; created with a header line at the first append.
        before_append: raises where this process may not write any more.
        copy: where each line is written once more; see `restore`.

    Raises:
        ManifestError: the file was written by a newer format.
    """

    def __init__(
        self,
        path: Path,
        *,
        before_append: Callable[[], None] = lambda: None,
        copy: Path | None = None,
    ) -> None:
        self.path = path
        self._copy = copy
        self._before_append = before_append
        self.damaged_lines = 0
        self.foreign_lines = 0
        self._entries: dict[str, int] = {}
        self._replaced: set[str] = set()
        self._size = 0
        # Kept open: the planner and the summary read back every line.
        self._reader: BinaryIO | None = None
        if path.exists():
            self._load()

    def __len__(self) -> int:
        return len(self._entries)

    def status(self, key: str) -> Status | None:
        """Latest status of a key, or None."""
        entry = self._entries.get(key)
        return None if entry is None else _STATUSES[entry & (1 << _STATUS_BITS) - 1]

    def is_replaced(self, key: str) -> bool:
        """Whether another key's output lies where its own did, by the lines of earlier runs."""
        return key in self._replaced

    def get(self, key: str) -> ItemReport | None:
        """Latest report of a key, read from the file."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        offset = entry >> _STATUS_BITS
        body = self._body_at(offset)
        if body is None:
            raise ManifestError(f"{self.path}: the line at byte {offset} changed while in use")
        return _understood(body)

    def reports(self) -> Iterator[ItemReport]:
        """The latest report of every key, in the order recorded."""
        for entry in sorted(self._entries.values()):
            body = self._body_at(entry >> _STATUS_BITS)
            report = None if body is None else _understood(body)
            if report is not None:
                yield report

    def append(self, reports: Iterable[ItemReport]) -> None:
        """Record finished items; they are on the disk when this returns."""
        reports = list(reports)
        if not reports:
            return
        lines = [_line(to_json(report)) for report in reports]
        passing("record: before")
        self._before_append()
        self._write(self.path, lines)
        if self._copy is not None:
            self._write(self._copy, lines)
        passing("record: copied")
        self._load()

    def restore(self, is_whole: Callable[[ItemReport], bool]) -> int:
        """Take from the copy what this file has lost; give the copy what it lacks.

        Args:
            is_whole: whether the output of a line is still the one that it tells of.

        Returns:
            How many lines came back.
        """
        if self._copy is None:
            return 0
        if not self._copy.exists():
            if self.path.exists():
                publish_bytes(self._copy, self.path.read_bytes())
            return 0
        if not self.damaged_lines and self._size >= self._copy.stat().st_size:
            return 0
        lost = (
            report for report in Manifest(self._copy).reports() if report.key not in self._entries
        )
        found = [report for report in lost if is_whole(report)]
        self.append(found)
        return len(found)

    @staticmethod
    def _write(path: Path, lines: list[str]) -> None:
        make_folder(path.parent)
        append_lines(path, lines if path.exists() else [_line({"format": FORMAT}), *lines])

    def _body_at(self, offset: int) -> bytes | None:
        if self._reader is None:
            self._reader = self.path.open("rb")
            weakref.finalize(self, self._reader.close)
        self._reader.seek(offset)
        return _checked(self._reader.readline())

    def _load(self) -> None:
        # By hash of an output, who wrote it last; names of a million would stay too large.
        writers: dict[int, str] = {}
        with self.path.open("rb") as file:
            file.seek(self._size)
            while raw := file.readline():
                offset, self._size = self._size, self._size + len(raw)
                if raw == b"\n":  # ends a torn line that was counted when it was last
                    continue
                body = _checked(raw)
                if body is None:
                    self.damaged_lines += 1
                    continue
                key, status, version, output = _head_of(body)
                if version is not msgspec.UNSET:
                    self._check_format(version)
                elif isinstance(key, str) and status in _STATUSES:
                    self._entries[key] = offset << _STATUS_BITS | _STATUSES.index(status)
                    if isinstance(output, str):
                        self._replaced.add(writers.get(hash(output), key))
                        self._replaced.discard(key)
                        writers[hash(output)] = key
                else:
                    self.foreign_lines += 1

    def _check_format(self, found: object) -> None:
        if found != FORMAT:
            raise ManifestError(
                f"{self.path}: manifest format {found}, this version reads {FORMAT}",
                remedy="use the version that wrote it, or another OUT",
            )


def to_json(report: ItemReport) -> dict[str, Any]:
    """A report as JSON values; what is at its default is left out."""
    body: dict[str, Any] = _without_defaults(report)
    return body


def from_json(body: Mapping[str, Any]) -> ItemReport:
    """The report of a line; names that this version does not know are passed over.

    Raises:
        msgspec.ValidationError: a value is missing or of another type.
    """
    details = body.get("details")
    kind = _DETAILS[body["kind"]]
    plain = msgspec.structs.asdict(msgspec.convert(body, _LINE))
    return ItemReport(**plain, details=msgspec.convert(details, kind) if details else None)


def _understood(body: bytes) -> ItemReport | None:
    try:
        plain = msgspec.structs.asdict(_QUICK_LINE.decode(body))
        details = plain.pop("details")
        kind = _QUICK_DETAILS[plain["kind"]]
        return ItemReport(**plain, details=kind.decode(details) if details else None)
    except (msgspec.MsgspecError, RecursionError, KeyError):
        pass
    try:
        return from_json(_slowly(body))
    except (msgspec.ValidationError, KeyError, TypeError):
        return None


def _slowly(body: bytes) -> dict[str, Any]:
    """What msgspec refuses and Python writes: NaN, and names that are not UTF-8."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):  # a stranger's: the CRC is right
        return {}
    return found if isinstance(found, dict) else {}


def _head_of(body: bytes) -> tuple[object, object, object, object]:
    """Key, status, format and output of a line."""
    try:
        head = _QUICK_HEAD.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        found = _slowly(body)
        version = found.get("format", msgspec.UNSET)
        return found.get("key"), found.get("status"), version, found.get("output")
    return head.key, head.status, head.format, head.output


_DETAILS: Final[Mapping[str, Any]] = {
    "photo": PhotoDetails,
    "scan": ScanDetails,
    "segment": SegmentDetails,
    "film": FilmDetails,
}


# A report without its details, whose type the kind tells: msgspec takes no union of dataclasses.
_HINTS: Final = get_type_hints(ItemReport)
_LINE: Final = msgspec.defstruct(
    "_Line",
    [
        (f.name, _HINTS[f.name]) if f.default is MISSING else (f.name, _HINTS[f.name], f.default)
        for f in fields(ItemReport)
    ][:-1],
)


class _Head(msgspec.Struct):
    key: Any = None
    status: Any = None
    format: Any = msgspec.UNSET
    output: Any = None


# Straight from bytes: three times as fast as by way of a dict.
_QUICK_HEAD: Final = msgspec.json.Decoder(_Head)
_QUICK_LINE: Final = msgspec.json.Decoder(
    msgspec.defstruct("_Raw", [("details", msgspec.Raw, msgspec.Raw())], bases=(_LINE,))
)
_QUICK_DETAILS: Final = {
    kind: msgspec.json.Decoder(details | None) for kind, details in _DETAILS.items()
}


def _without_defaults(value: object) -> Any:
    if isinstance(value, tuple | list):
        return [_without_defaults(part) for part in value]
    if isinstance(value, Mapping):
        return dict(value)
    if not is_dataclass(value):
        return value
    found = {f.name: getattr(value, f.name) for f in fields(value)}
    return {
        f.name: _without_defaults(found[f.name])
        for f in fields(value)
        if f.default is MISSING or found[f.name] != f.default
        if f.default_factory is MISSING or found[f.name] != f.default_factory()
    }


def _line(body: dict[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    return f'{text[:-1]}{_CRC_FIELD.decode()}{zlib.crc32(text.encode()):08x}"}}'


def _checked(raw: bytes) -> bytes | None:
    """The JSON object of a line without its CRC; None where that is wrong."""
    text, mark, crc = raw.rpartition(_CRC_FIELD)
    right = b'%08x"}\n' % zlib.crc32(b"}", zlib.crc32(text))
    return text + b"}" if mark and crc == right and raw.isascii() else None
