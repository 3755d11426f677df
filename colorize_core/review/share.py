"""One file with before and after of an item, to send to somebody who has nothing of this."""

from __future__ import annotations

import base64
from html import escape
from pathlib import Path, PurePosixPath
from string import Template
from typing import Final

from colorize_core.archive.records.keys import read_makers
from colorize_core.atomic import publish_bytes
from colorize_core.media.film.comparison import compare_films
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.review.catalog import Entry
from colorize_core.review.pictures import Side, jpeg
from colorize_core.review.state import Review

_LONG_SIDE: Final = 2000
_PAGE: Final = Path(__file__).parent / "static" / "share.html"


def share_name(entry: Entry) -> str:
    """Name of the file that shows an item: HTML of a photo, MP4 of a film."""
    stem = PurePosixPath(entry.name).stem or "picture"
    return f"{stem}-before-after{'.mp4' if entry.is_film else '.html'}"


def share(review: Review, entry: Entry, target: Path) -> None:
    """Publish before and after of an item as one file.

    A photo becomes a page with a slider that needs nothing but itself, a film an MP4 with the
    source on the left and the result on the right.

    Args:
        review: over the OUT that holds the item.
        entry: the item; it must have a result.
        target: final path, with the suffix of `share_name`.

    Raises:
        InputError: source or result is not there, or cannot be read.
    """
    if entry.is_film:
        _share_film(review, entry, target)
    else:
        publish_bytes(target, _photo_page(review, entry))


def _photo_page(review: Review, entry: Entry) -> bytes:
    def picture(side: Side) -> str:
        pixels = review.pictures.shown(entry, side, page=1, time=0.0, long_side=_LONG_SIDE)
        return "data:image/jpeg;base64," + base64.b64encode(jpeg(pixels)).decode()

    details = review.item(entry)
    page = Template(_PAGE.read_text(encoding="utf-8")).substitute(
        name=escape(PurePosixPath(entry.name).name),
        before=picture("before"),
        after=picture("after"),
        width=details["width"] or 4,
        height=details["height"] or 3,
        note=escape(_note(review)),
    )
    return page.encode("utf-8", "replace")


def _share_film(review: Review, entry: Entry, target: Path) -> None:
    fps = review.config_for(entry.source).video.fps
    with review.originals.film(entry) as source:
        result = review.originals.result(entry)
        compare_films(source, result, target, f"left: source; right: {_note(review)}", fps=fps)


def _note(review: Review) -> str:
    """That the color is computed, and by what: the maker of the last run."""
    makers = read_makers(review.folder.makers, review.folder.summary)
    return ComputedColorNote.of_weights(makers[-1].weights_sha256 if makers else "unknown").text
