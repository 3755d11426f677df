"""What workers have in hand between two reports: a small file each, for the bar and for `status`.

A courtesy: nothing depends on these files, and one that cannot be written is not missed.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

WRITE_SECONDS: Final = 0.5


@dataclass(frozen=True)
class InHand:
    """What one worker has done of its unit so far.

    Attributes:
        source: the item that it looked at last.
        photos: finished photos.
        frames: finished frames.
        share: of the film, 0..1.
    """

    source: str = ""
    photos: int = 0
    frames: int = 0
    share: float = 0.0


class InHandFile:
    """The file of one worker; safe to use from the threads of its stages.

    Args:
        folder: of all workers' files; None writes nothing.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / f"{os.getpid()}-{uuid.uuid4().hex[:8]}.json" if folder else None
        self._guard = threading.Lock()
        self._now = InHand()
        self._written = 0.0

    @contextmanager
    def unit(self) -> Iterator[None]:
        """Around a unit: its file goes before its report leaves the worker."""
        self._now = InHand()
        try:
            yield
        finally:
            with self._guard:
                self._written = 0.0
                if self._path:
                    with suppress(OSError):
                        self._path.unlink(missing_ok=True)

    def look_at(self, source: str) -> None:
        """The worker turns to an item."""
        self._add(source, 0, 0, 0.0)

    def finish_photo(self, source: str) -> None:
        """A photo is finished."""
        self._add(source, 1, 0, 0.0)

    def finish_frame(self, source: str, frames: int) -> None:
        """A frame of a film of so many is finished."""
        self._add(source, 0, 1, 1 / max(1, frames))

    def _add(self, source: str, photos: int, frames: int, share: float) -> None:
        if self._path is None:
            return
        with self._guard:
            now = self._now
            self._now = InHand(source, now.photos + photos, now.frames + frames, now.share + share)
            if time.monotonic() - self._written >= WRITE_SECONDS:
                self._written = time.monotonic()
                with suppress(OSError):
                    self._write(self._path)

    def _write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(asdict(self._now)))
        temporary.replace(path)


def read_in_hand(folder: Path) -> dict[str, InHand]:
    """What each worker said last, by the name of its file; what makes no sense is left out."""
    found = {}
    for path in folder.glob("*.json"):
        with suppress(OSError, ValueError, TypeError):
            found[path.name] = InHand(**json.loads(path.read_bytes()))
    return found
