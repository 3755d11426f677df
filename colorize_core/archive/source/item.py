"""What a source holds: a photo or a film, and where it is."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, overload

from colorize_core.archive.source.filters import Row, suffix_of
from colorize_core.archive.source.globs import Glob
from colorize_core.archive.source.kinds import Unread
from colorize_core.errors import InputError

ItemKind = Literal["photo", "film"]


@dataclass(frozen=True, slots=True)
class SourceItem:
    """A photo or film of a source.

    Attributes:
        path: POSIX path relative to the source: the item's identity. Names that are not UTF-8 hold
            surrogates (PEP 383).
        location: absolute local path, fsspec URL, or `zip://member::archive` / `tar://...`.
        size: in bytes; 0 if a server does not say.
        stamp: changes with the content: "mtime_ns:..." (files, members of tars), "crc:..."
            (members of zips), "etag:...", "modified:...", "unknown:" (URLs),
            "frames:..." (folders), "pieces:..." (films in pieces).
        kind: by suffix; of what is named by itself, by content too.
        added: the suffix that a photo's output gets in addition: its own format cannot be written,
            or its name does not say what it is.
        pieces: locations of the files that follow in a film that lies in pieces.
        sound: location of the WAV beside a folder of pictures, which is no part of `stamp`.
        sound_stamp: changes with the content of that.
    """

    path: str
    location: str
    size: int
    stamp: str
    kind: ItemKind
    added: str = ""
    pieces: tuple[str, ...] = ()
    sound: str = ""
    sound_stamp: str = ""

    @property
    def files(self) -> tuple[str, ...]:
        """Locations of all its pieces, of most items one."""
        return self.location, *self.pieces

    @property
    def piece_names(self) -> tuple[str, ...]:
        """Names of the files that follow in a film in pieces; they lie beside the first."""
        return tuple(posixpath.basename(location) for location in self.pieces)

    @property
    def output(self) -> str:
        """Relative path of a photo's output. What a film's is, its content and settings decide."""
        return self.path + self.added


class Items(Sequence[SourceItem]):
    """Items sorted by path, made on access: with a million, the rows alone are large enough."""

    def __init__(self, rows: list[Row], prefix: str, film_suffixes: frozenset[str]) -> None:
        self._rows = rows
        self._prefix = prefix
        self._film_suffixes = film_suffixes

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> SourceItem: ...
    @overload
    def __getitem__(self, index: slice) -> Items: ...
    def __getitem__(self, index: int | slice) -> SourceItem | Items:
        if isinstance(index, slice):
            return Items(self._rows[index], self._prefix, self._film_suffixes)
        path, location, size, stamp, added, pieces, is_film = self._rows[index]
        location = self._prefix + path if location is None else location
        folder = location[: location.rfind("/") + 1]
        return SourceItem(
            path=path,
            location=location,
            size=size,
            stamp=stamp if isinstance(stamp, str) else f"mtime_ns:{stamp}",
            kind="film" if is_film or suffix_of(path) in self._film_suffixes else "photo",
            added=added,
            pieces=tuple(folder + name for name in pieces),
        )


@dataclass(frozen=True)
class Scan:
    """What a source holds.

    Attributes:
        source: as the user gave it.
        items: sorted by path.
        ignored: counts by reason of what is left out on purpose.
        problems: items that cannot be used, by path; they are failures of the run.
        unread: what looks like a picture, film, document or archive and is not read, by path.
        unused: globs of `--exclude` and `--include` that fitted nothing.
    """

    source: str
    items: Sequence[SourceItem]
    ignored: Mapping[str, int]
    problems: Sequence[tuple[str, InputError]]
    unread: Sequence[Unread] = ()
    unused: Sequence[Glob] = ()
