"""One photo: from its bytes to its colorized bytes, in three steps around the generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from colorize_core.archive.records.details import Signals
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.color.grayness import judge
from colorize_core.color.merge import Placement, crop_working, to_working
from colorize_core.color.pixels import (
    L_to_pixels,
    Pixels,
    merge_to_pixels,
    pixels_to_L,
)
from colorize_core.config import ColorizeConfig
from colorize_core.inference.signals import photo_signals
from colorize_core.media.photo.codec import encode_photo
from colorize_core.media.photo.photo import Page, Photo
from colorize_core.media.photo.raster import to_uint8
from colorize_core.media.picture import thumbnails
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.media.picture.pair import ThumbnailPair

# Mean chroma below which a picture with contrast counts as left gray.
GRAY_COLORFULNESS = 1.0
BLANK_CONTRAST = 2.0


@dataclass(frozen=True)
class PreparedPage:
    """A page on its way to the generator.

    L is (1, 1, H, W) 0..100; working is (1, 1, S, S), the same picture at working size.
    """

    L: Tensor
    working: Tensor
    placement: Placement
    dtype: np.dtype[Any]


def prepare_page(page: Page, size: int) -> PreparedPage:
    """L of a page, full and at working size `size`."""
    L = pixels_to_L(page.pixels)
    working, placement = to_working(L, size)
    return PreparedPage(L, working, placement, page.pixels.dtype)


def finish_page(page: PreparedPage, ab: Tensor, config: ColorizeConfig) -> Pixels:
    """The colorized page, (H, W, 3) in the source's dtype; `ab` is (1, 2, S, S)."""
    return merge_to_pixels(
        page.L,
        ab,
        page.working,
        page.placement,
        dtype=page.dtype,
        strength=config.render.strength,
        upsample=config.render.upsample,
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
    return photo_signals(
        crop_working(page.working, page.placement), crop_working(ab, page.placement)
    )


def is_gray_result(signals: Signals, page: PreparedPage) -> bool:
    """True when a picture with contrast came out without color: that must not pass silently."""
    is_blank = float(page.working.std()) < BLANK_CONTRAST
    return not is_blank and signals["colorfulness"] < GRAY_COLORFULNESS


def write_thumbnails(page: PreparedPage, pixels: Pixels, out: Path, key: str) -> ThumbnailPair:
    """The before and after pictures of the report."""
    after = to_uint8(pixels)
    return thumbnails.write_pair(L_to_pixels(page.L), after, RunFolder(out).thumbs, key)


def is_colored(photo: Photo) -> bool:
    """True when any page has color of its own; toned prints have none."""
    return any(judge(page.pixels).kind == "colored" for page in photo.pages)
