"""What reviewers did, a line each: appended and never changed, so several at once lose nothing."""

from __future__ import annotations

import itertools
import json
import os
import re
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.atomic import append_lines

_TICK: Final = 1e-6  # seconds between two events of one writer, at least


@dataclass(frozen=True)
class Event:
    """One thing that somebody did.

    Attributes:
        id: of the event; what it adds to an item is known by it.
        time: seconds since 1970; later than all that its writer had read.
        do: "hint", "gray", "color" and "reference" add a part to an item, "remove" takes the part
            with the id `value` away; "set" changes a setting; "accept", "reject", "undecided" and
            "note" are about the result; "name" gives a color of the archive a name; "undo" makes
            the event with the id `value` as if it had not been.
        item: path in the source; empty for the whole archive.
        who: name of the reviewer.
        session: of the browser.
        value: JSON, as `do` needs it.
    """

    id: str
    time: float
    do: str
    item: str = ""
    who: str = ""
    session: str = ""
    value: Any = None


@dataclass
class _File:
    """How far a file was read."""

    read: int = 0
    damaged: int = 0


@dataclass
class ReviewLog:
    """All files of a review, and one of its own to write to.

    Each process writes a file of its own in OUT/.colorize/review, so no two write to one. Reading
    goes on where it stopped; a torn last line is read when it is whole.

    Args:
        out: output folder of the run.
    """

    out: Path
    _files: dict[str, _File] = field(default_factory=dict)
    _events: dict[str, Event] = field(default_factory=dict)
    _latest: float = 0.0
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _name: str = field(default_factory=lambda: _file_name())

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return RunFolder(self.out).review

    @property
    def damaged_lines(self) -> int:
        """Whole lines that are no events."""
        return sum(file.damaged for file in self._files.values())

    def append(self, do: str, **about: Any) -> Event:
        """Record an event; it is on the disk when this returns. See Event for `about`."""
        with self._guard:
            self.read()
            now = max(time.time(), self._latest + _TICK)
            event = Event(uuid.uuid4().hex, round(now, 6), do, **about)
            self.folder.mkdir(parents=True, exist_ok=True)
            append_lines(self.folder / self._name, [json.dumps(asdict(event))])
            self.read()
            return event

    def read(self) -> None:
        """Take in what was appended since the last call, by whomever."""
        with self._guard:
            for path in self._paths():
                for event in self._new_of(path):
                    self._events[event.id] = event
                    self._latest = max(self._latest, event.time)

    def arrived(self, since: int) -> list[Event]:
        """Events in the order in which they were read, without the first `since`."""
        with self._guard:
            return list(itertools.islice(self._events.values(), since, None))

    def events(self) -> list[Event]:
        """All events read so far, in their order in time."""
        with self._guard:
            return sorted(self._events.values(), key=lambda event: (event.time, event.id))

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl")) if self.folder.is_dir() else []

    def _new_of(self, path: Path) -> Iterator[Event]:
        known = self._files.setdefault(path.name, _File())
        if path.stat().st_size <= known.read:
            return
        with path.open("rb") as file:
            file.seek(known.read)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                known.read += len(line)
                event = _event(line)
                if event is not None:
                    yield event
                elif line.strip():
                    known.damaged += 1


def _event(line: bytes) -> Event | None:
    try:
        return msgspec.convert(json.loads(line), Event)
    except (ValueError, RecursionError, msgspec.ValidationError):
        return None


def _file_name() -> str:
    host = re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())[:40]
    return f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}.jsonl"
