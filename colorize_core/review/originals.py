"""From an entry to its original and its result."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.started import Started
from colorize_core.archive.source.contents import most_bytes, read_item, stage_item
from colorize_core.archive.source.image_sequences import measure_folder
from colorize_core.archive.source.item import ItemKind, SourceItem
from colorize_core.archive.source.pieces import measure_pieces
from colorize_core.archive.source.scan import scan
from colorize_core.errors import MissingError
from colorize_core.media.film.names import FILM_SUFFIXES
from colorize_core.media.picture.names import PHOTO_SUFFIXES
from colorize_core.review.catalog import Entry

_WHERE = "is the source still where it was?"


@dataclass
class Originals:
    """Finds what was colored.

    Args:
        out: output folder.
        started: how the run was started.
    """

    out: Path
    started: Started
    _items: Mapping[str, SourceItem] | None = None
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def read(self, entry: Entry, max_pixels: int) -> bytes:
        """The bytes of a photo's original.

        Raises:
            InputError: it is not there any more, or cannot be read.
        """
        return read_item(self.item(entry), max_bytes=most_bytes(max_pixels))

    @contextmanager
    def film(self, entry: Entry) -> Iterator[Path]:
        """A film's original as a local file; see stage_item."""
        with stage_item(self.item(entry), RunFolder(self.out).review / "films") as path:
            yield path

    def result(self, entry: Entry) -> Path:
        """Where an entry's result is.

        Raises:
            MissingError: there is none.
            UnsafePathError: the record leads out of OUT.
        """
        if entry.report.output is None:
            raise MissingError(f"{entry.name}: has no result", remedy=entry.report.remedy)
        path = output_in(self.out, entry.report.output)
        if not path.exists():
            raise MissingError(f"{entry.name}: its result is gone", remedy="run the job again")
        return path

    def item(self, entry: Entry) -> SourceItem:
        """The item that a run took.

        Raises:
            MissingError: it is not there any more, or other files than those of the run are.
        """
        base = self.started.source_folder
        if base is not None:  # nothing needs to be listed
            item = _local_item(base, entry)
        else:
            with self._guard:
                if self._items is None:
                    self._items = self._scanned()
            found = self._items.get(entry.source)
            if found is None:
                raise MissingError(f"{entry.name}: not in the source any more", remedy=_WHERE)
            item = replace(found, kind=_kind(entry))
        if not entry.report.stamp.startswith("pieces:"):
            return item
        return _film_in_pieces(Path(item.location), entry)

    def _scanned(self) -> dict[str, SourceItem]:
        """All that is there: what the run took of it, its records say."""
        found = scan(
            self.started.absolute_source,
            photo_suffixes=PHOTO_SUFFIXES,
            film_suffixes=FILM_SUFFIXES,
            exclude=self.out,
            staging=RunFolder(self.out).staging,
            is_photo=lambda _head: True,
            is_film=lambda _location: True,
        )
        return {item.path: item for item in found.items}


def _kind(entry: Entry) -> ItemKind:
    return "film" if entry.is_film else "photo"


def _local_item(base: Path, entry: Entry) -> SourceItem:
    path = base / entry.source
    # The record is no proof: a path in it could name any file of this machine.
    _require_inside(base, path, entry)
    if path.is_dir():  # numbered pictures
        return SourceItem(entry.source, str(path), *measure_folder(path), "film")
    status = path.stat()
    stamp = f"mtime_ns:{status.st_mtime_ns}"
    return SourceItem(entry.source, str(path), status.st_size, stamp, _kind(entry))


def _film_in_pieces(first: Path, entry: Entry) -> SourceItem:
    """The files that the run joined."""
    files = [first, *(first.parent / name for name in entry.report.pieces)]
    for file in files[1:]:
        _require_inside(first.parent, file, entry)
    location, *pieces = map(str, files)
    size, stamp = measure_pieces([location, *pieces])
    if stamp != entry.report.stamp:
        raise MissingError(
            f"{entry.name}: its pieces are not those of the run any more",
            remedy="run the job again",
        )
    return SourceItem(entry.source, location, size, stamp, "film", pieces=tuple(pieces))


def _require_inside(base: Path, path: Path, entry: Entry) -> None:
    real, real_base = os.path.realpath(path), os.path.realpath(base)
    if not real.startswith(real_base.rstrip("/") + "/") or not Path(real).exists():
        raise MissingError(f"{entry.name}: not in the source any more", remedy=_WHERE)
