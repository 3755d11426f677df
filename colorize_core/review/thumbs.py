"""Small pictures for the grid: those that the run has written, or made now."""

from __future__ import annotations

from typing import Final

from colorize_core.archive.records.details import FilmDetails, PhotoDetails
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import PAGE_FOLDER
from colorize_core.errors import MissingError, UsageError
from colorize_core.media.picture.pair import FilmThumbnails, ThumbnailPair
from colorize_core.review.catalog import Entry
from colorize_core.review.pictures import Side, jpeg
from colorize_core.review.state import Review

_LONG_SIDE: Final = 400
_LARGEST: Final = 4 * 2**20  # bytes: more is no thumbnail


def thumbnail(review: Review, entry: Entry, side: Side, shot: int | None) -> bytes:
    """A JPEG of an item, or of one shot of a film.

    Raises:
        InputError: nothing can be shown.
        UsageError: the film has no such shot.
    """
    pair = _pair(entry, shot)
    if pair is not None:
        # Its name comes from the record, which anybody can have written.
        path = output_in(review.out, f"{PAGE_FOLDER}/thumbs/{getattr(pair, side)}")
        if path.is_file() and path.stat().st_size <= _LARGEST:
            data = path.read_bytes()
            if data.startswith(b"\xff\xd8\xff"):
                return data
    if entry.report.output is None and side == "after":
        raise MissingError(f"{entry.name}: has no result", remedy=entry.report.remedy)
    pixels = review.pictures.shown(entry, side, page=1, time=0.0, long_side=_LONG_SIDE)
    return jpeg(pixels)


def _pair(entry: Entry, shot: int | None) -> ThumbnailPair | None:
    details = entry.report.details
    found = details.thumbnails if isinstance(details, PhotoDetails | FilmDetails) else None
    if shot is None:
        return found
    strip = found.strip if isinstance(found, FilmThumbnails) else ()
    if shot >= len(strip):
        raise UsageError("no such shot")
    return strip[shot]
