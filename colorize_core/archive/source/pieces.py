"""Films that lie in pieces: titles of DVDs, chapters of cameras, recordings cut where a card ends.

Names and sizes tell which files may belong together; who can look into films decides.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from colorize_core.archive.source.filters import Row

# Told that files, in order, may be one film: are they?
BelongTogether = Callable[[str, Sequence[str]], bool]

_LIMITS: Final = (2**31, 2**32)  # bytes of a file, of old programs and of FAT32
_FULL: Final = 0.97  # a file of at least this share of a limit was cut by it
_GOPRO: Final = re.compile(r"G(OPR|P\d\d)(\d{4})(\.MP4)", re.IGNORECASE)
# Series of names whose numbers count pieces: what stands before and behind, and the number.
_PIECES: Final = (
    re.compile(r"(VTS_\d\d_)([1-9])(\.VOB)", re.IGNORECASE),
    re.compile(r"(G[HXL])(\d\d)(\d{4}\.MP4)", re.IGNORECASE),
)
# Most cameras only count on, so that the number says nothing: the sizes have to.
_COUNTED: Final = re.compile(r"(.*?)(\d+)(\.[^.\d]\w*)")


class _Place(NamedTuple):
    """Where a name stands among others. `is_counted`: the numbers count recordings, too."""

    series: tuple[str, ...]
    number: int
    is_counted: bool


def joined(
    rows: Iterable[Row],
    prefix: str,
    film_suffixes: frozenset[str],
    belong_together: BelongTogether,
) -> Iterator[Row]:
    """Rows of films in pieces become one, with the path of the first piece; others stay.

    Args:
        rows: of a scan, in any order.
        prefix: of their locations.
        film_suffixes: lower case, with the dot.
        belong_together: asked with the path of the first piece, and the files.
    """
    suffixes = tuple(film_suffixes)
    series: dict[tuple[str, ...], Counter[tuple[int, bool, Row]]] = defaultdict(Counter)
    for row in rows:
        is_film = row.path.lower().endswith(suffixes)
        # What is in an archive or on a server cannot be looked into here.
        is_here = is_film and "://" not in (row.location or prefix)
        place = _place(row.location or prefix + row.path) if is_here else None
        if place is None:
            yield row
        else:
            series[place.series][place.number, place.is_counted, row] += 1
    for found in series.values():
        times = {row: count for (_, _, row), count in found.items()}
        for run in _runs(found):
            again = [row for row in run for _ in range(times[row] - 1)]
            files = [row.location or prefix + row.path for row in run]
            if len(run) > 1 and belong_together(run[0].path, files):
                size, stamp = measure_pieces(files)
                names = tuple(Path(file).name for file in files[1:])
                film = run[0]._replace(size=size, stamp=stamp, pieces=names)
                # A piece that is listed twice counts as the film listed twice.
                yield from [film] * (1 + len(again))
            else:
                yield from (*run, *again)


def _place(location: str) -> _Place | None:
    folder, _, name = location.rpartition("/")
    if "\n" in location or "\r" in location:  # no list can hold it
        return None
    if match := _GOPRO.fullmatch(name):
        chapter = 0 if match[1].upper() == "OPR" else int(match[1][1:])
        return _Place((folder, "gopro", match[2]), chapter, False)
    for pattern in _PIECES:
        if match := pattern.fullmatch(name):
            return _Place((folder, match[1].upper(), match[3].upper()), int(match[2]), False)
    if match := _COUNTED.fullmatch(name):
        digits = str(len(match[2]))
        return _Place((folder, match[1], match[3], digits), int(match[2]), True)
    return None


def _runs(found: Iterable[tuple[int, bool, Row]]) -> Iterator[list[Row]]:
    """Rows whose numbers follow each other, and that may be one film."""
    run: list[tuple[int, bool, Row]] = []
    for entry in sorted(found, key=lambda entry: (entry[0], entry[2].path)):
        if run and not _follows(run[-1], entry):
            yield [row for _, _, row in run]
            run = []
        run.append(entry)
    yield [row for _, _, row in run]


def _follows(before: tuple[int, bool, Row], after: tuple[int, bool, Row]) -> bool:
    number, is_counted, row = before
    return after[0] == number + 1 and (not is_counted or _is_full(row.size))


def _is_full(size: int) -> bool:
    return any(_FULL * limit <= size <= limit for limit in _LIMITS)


def measure_pieces(files: Sequence[str]) -> tuple[int, str]:
    """Bytes of all pieces, and a stamp that changes when one of them does."""
    states = [(Path(file).name, Path(file).stat()) for file in files]
    lines = [f"{name}\0{state.st_size}\0{state.st_mtime_ns}\n" for name, state in states]
    text = "".join(lines).encode(errors="surrogateescape")
    size = sum(state.st_size for _, state in states)
    return size, f"pieces:{hashlib.sha256(text).hexdigest()[:32]}"


def pieces_list(files: Sequence[str]) -> bytes:
    """The pieces as a list that FFmpeg's concat demuxer takes."""
    quoted = (file.replace("'", r"'\''") for file in files)
    lines = ["ffconcat version 1.0", *(f"file 'file:{name}'" for name in quoted), ""]
    return "\n".join(lines).encode(errors="surrogateescape")
