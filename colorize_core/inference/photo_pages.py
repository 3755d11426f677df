"""One photo: from its bytes to its colorized bytes, in three steps around the generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from torch import Tensor

from colorize_core.archive.records.details import Signals
from colorize_core.archive.records.item_hints import NO_HINTS, ItemHints
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.color.grayness import Grayness, judge
from colorize_core.color.letterbox import Letterbox
from colorize_core.color.merge import OwnColor
from colorize_core.color.own_color import PictureColor
from colorize_core.color.pixels import (
    Pixels,
    merge_to_pixels,
    pixels_to_L,
)
from colorize_core.config import ColorizeConfig
from colorize_core.config.hints import Polygon
from colorize_core.inference.areas import KeptColor, area_share
from colorize_core.inference.hints import hint_planes, hints_of
from colorize_core.inference.signals import photo_signals
from colorize_core.media.photo.codec import encode_photo
from colorize_core.media.photo.photo import Page, Photo
from colorize_core.media.photo.raster import to_uint8
from colorize_core.media.picture import thumbnails
from colorize_core.media.picture.names import SHOWN_BY_BROWSERS
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.media.picture.pair import PhotoThumbnails

# Mean chroma below which a picture with contrast counts as left gray.
GRAY_COLORFULNESS = 1.0
BLANK_CONTRAST = 2.0
GRAY = Grayness("gray")


@dataclass(frozen=True)
class PreparedPage:
    """A page on its way to the generator.

    L is (1, 1, H, W) 0..100; low is (1, 1, h, w), the same at working size, and shown
    (n, 1, S, T) how the generator sees it. `own` is what keeps its color, `hints` (n, 3, S, T)
    and `carried` what is known of it, see hint_planes and references.carry.
    """

    L: Tensor
    low: Tensor
    shown: Tensor
    box: Letterbox
    dtype: np.dtype[Any]
    own: OwnColor | None = None
    hints: Tensor | None = None
    carried: Tensor | None = None
    keep_gray: tuple[Polygon, ...] = ()


def prepare_page(
    page: Page, size: int, verdict: Grayness = GRAY, known: ItemHints = NO_HINTS
) -> PreparedPage:
    """L of a page, full and at working size `size`; what the verdict calls colored stays so."""
    L = pixels_to_L(page.pixels)
    box = Letterbox.of_picture(L, size)
    low = box.shrink(L)
    own: OwnColor | None = None
    if verdict.own is not None:
        own = PictureColor(page.pixels, verdict)
    if known.keep_color and page.pixels.ndim == 3:
        own = KeptColor(page.pixels, known.keep_color, own)
    hints = None
    if known.points:
        hints = hint_planes(hints_of(known.points, L.shape[-2:]), box, L.shape[-2:])
    shown = box.to_working(low)
    return PreparedPage(
        L, low, shown, box, page.pixels.dtype, own, hints, keep_gray=known.keep_gray
    )


def finish_page(page: PreparedPage, ab: Tensor, config: ColorizeConfig) -> Pixels:
    """The colorized page, (H, W, 3) in the source's dtype; `ab` is (1, 2, h, w), as page.low."""
    if page.keep_gray:
        ab = ab * (1 - area_share(page.keep_gray, *ab.shape[-2:]))
    return merge_to_pixels(
        page.L,
        ab,
        page.low,
        dtype=page.dtype,
        strength=config.render.strength,
        upsample=config.render.upsample,
        own=page.own,
    )


def encode(
    photo: Photo,
    pages: Sequence[Pixels],
    config: ColorizeConfig,
    note: ComputedColorNote,
) -> bytes:
    """The colorized pages in the photo's own format, with its metadata and the note."""
    return encode_photo(pages, like=photo, jpeg_quality=config.photo.jpeg_quality, note=note)


def signals_of(page: PreparedPage, ab: Tensor) -> dict[str, float]:
    """Signals of the quality gate, computed at working size."""
    return photo_signals(page.low, ab)


def is_gray_result(signals: Signals, page: PreparedPage) -> bool:
    """True when a picture with contrast came out without color: that must not pass silently."""
    is_blank = float(page.low.std()) < BLANK_CONTRAST or bool(page.keep_gray)
    return not is_blank and signals["colorfulness"] < GRAY_COLORFULNESS


def write_thumbnails(
    before: Pixels, after: Pixels, out: Path, key: str, *, output: str
) -> PhotoThumbnails:
    """The before and after pictures of the report, and the source in large.

    Where browsers cannot show `output`, the result is there in large, too.
    """
    folder = RunFolder(out).thumbs
    gray, colored = to_uint8(before), to_uint8(after)
    pair = thumbnails.write_pair(gray, colored, folder, key)
    is_shown = PurePosixPath(output).suffix.lower() in SHOWN_BY_BROWSERS
    result = "" if is_shown else thumbnails.write_large(colored, folder, key, "result")
    source = thumbnails.write_large(gray, folder, key, "source")
    return PhotoThumbnails(**vars(pair), source=source, result=result)


def verdicts(photo: Photo, colored: str) -> tuple[Grayness, ...]:
    """What is to become of each page.

    Args:
        photo: decoded.
        colored: the setting. "recolor" takes all pages for gray; "whole" the photo as one: all its
            pages are gray, or all are in color.
    """
    if colored == "recolor":
        return (GRAY,) * len(photo.pages)
    found = tuple(judge(page.pixels) for page in photo.pages)
    if colored != "whole":
        return found
    in_color = [verdict for verdict in found if verdict.kind == "colored"]
    return ((in_color or [GRAY])[0],) * len(found)


def own_color_note(found: Sequence[Grayness]) -> str:
    """Which pages of a photo stay as they are, and what keeps its color; "" where nothing does."""
    notes = []
    kept = [str(n) for n, verdict in enumerate(found, 1) if verdict.kind == "colored"]
    if kept:
        pages = f"page {kept[0]} is" if len(kept) == 1 else f"pages {', '.join(kept)} are"
        notes.append(f"{pages} in color and kept, the other {len(found) - len(kept)} colored")
    for number, verdict in enumerate(found, 1):
        if verdict.kind == "partly colored":
            where = f"page {number} is " if len(found) > 1 else ""
            share = max(1, round(100 * verdict.own_share))
            notes.append(f"{where}partly in color: {share} % of it keep their own color")
    return "; ".join(notes)
