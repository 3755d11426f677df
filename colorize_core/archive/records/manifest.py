"""The append-only record of what is finished. One writer: the driver that holds the lock."""

from __future__ import annotations

import json
import weakref
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from colorize_core.archive.records.work import ItemReport, Status
from colorize_core.atomic import append_lines
from colorize_core.errors import ManifestError

FORMAT = 1
STATE_FOLDER = ".colorize"
_CRC_FIELD = ',"crc":"'


def state_folder(out: Path) -> Path:
    """Where a run keeps its records inside OUT."""
    return out / STATE_FOLDER


@dataclass(frozen=True, slots=True)
class Entry:
    """Where the latest line of one key stands, and what the planner needs to know of it."""

    offset: int
    status: Status


class Manifest:
    """Append-only JSONL, a CRC in every line, fsync per append.

    Only keys and offsets are held in memory; lines are read back from the file. A line that is
    torn or damaged is left out and counted in `damaged_lines`: its item is simply pending again.

    Args:
        path: the file; created with a header line at the first append.

    Raises:
        ManifestError: the file was written by a newer format.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.damaged_lines = 0
        self._entries: dict[str, Entry] = {}
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
        return entry.status if entry else None

    def get(self, key: str) -> ItemReport | None:
        """Latest report of a key, read from the file."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        body = self._body_at(entry.offset)
        if body is None:
            raise ManifestError(
                f"{self.path}: the line at byte {entry.offset} changed while in use"
            )
        return ItemReport(**body)

    def reports(self) -> Iterator[ItemReport]:
        """The latest report of every key, in the order recorded."""
        for entry in sorted(self._entries.values(), key=lambda e: e.offset):
            body = self._body_at(entry.offset)
            if body is not None:
                yield ItemReport(**body)

    def append(self, reports: Iterable[ItemReport]) -> None:
        """Record finished items; they are on the disk when this returns."""
        reports = list(reports)
        if not reports:
            return
        lines = [_line(report.to_json()) for report in reports]
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            lines.insert(0, _line({"format": FORMAT}))
        append_lines(self.path, lines)
        self._load()

    def _body_at(self, offset: int) -> dict[str, Any] | None:
        if self._reader is None:
            self._reader = self.path.open("rb")
            weakref.finalize(self, self._reader.close)
        self._reader.seek(offset)
        return _parse(self._reader.readline())

    def _load(self) -> None:
        with self.path.open("rb") as file:
            file.seek(self._size)
            while raw := file.readline():
                offset, self._size = self._size, self._size + len(raw)
                if raw == b"\n":  # ends a torn line that was counted when it was last
                    continue
                body = _parse(raw)
                if body is None:
                    self.damaged_lines += 1
                elif "format" in body:
                    self._check_format(body["format"])
                else:
                    self._entries[body["key"]] = Entry(offset, body["status"])

    def _check_format(self, found: object) -> None:
        if found != FORMAT:
            raise ManifestError(
                f"{self.path}: manifest format {found}, this version reads {FORMAT}",
                remedy="use the version that wrote it, or another OUT",
            )


def _line(body: dict[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=True, separators=(",", ":"))
    return f'{text[:-1]}{_CRC_FIELD}{zlib.crc32(text.encode()):08x}"}}'


def _parse(raw: bytes) -> dict[str, Any] | None:
    text, field, crc = raw.decode("ascii", errors="replace").rpartition(_CRC_FIELD)
    text += "}"
    if not field or crc != f'{zlib.crc32(text.encode()):08x}"}}\n':
        return None
    body: dict[str, Any] = json.loads(text)
    return body
