"""One photo: from its bytes to its colorized bytes, in three steps around the generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from colorize_core.archive.records.details import Signals
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.color.merge import Placement, crop_working, to_working
from colorize_core.color.pixels import (
    L_to_pixels,
    Pixels,
    merge_to_pixels,
    pixels_to_L,
    pixels_to_lab,
)
from colorize_core.config import ColorizeConfig
from colorize_core.inference.signals import photo_signals
from colorize_core.media.photo.codec import encode_photo
from colorize_core.media.photo.photo import Page, Photo
from colorize_core.media.photo.raster import to_uint8
from colorize_core.media.picture import thumbnails
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.media.picture.pair import ThumbnailPair

# A toned print (sepia, cyanotype, aged paper) has one hue, and hardly more color than its lightness
# explains; what is left is stains and grain. Measured on 24 real sepia scans (all toned) and 120
# color photos (7 taken for toned, all nearly of one hue): decision 0003.
TONE_BINS = 16
NEUTRAL_RESIDUAL = 1.5
TONED_RESIDUAL = 5.2
TONED_CONCENTRATION = 0.75
SAMPLE_SIDE = 256

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
    return any(page.pixels.ndim == 3 and has_color(page.pixels) for page in photo.pages)


def has_color(rgb: Pixels) -> bool:
    """True when a picture has color of its own, False for neutral and toned ones.

    Args:
        rgb: (H, W, 3) uint8 or uint16.
    """
    step = max(1, min(rgb.shape[:2]) // SAMPLE_SIDE)
    lab = pixels_to_lab(rgb[::step, ::step])[0].flatten(1)
    L, ab = lab[0], lab[1:]
    bins = (L / 100 * TONE_BINS).long().clamp(0, TONE_BINS - 1)
    counts = torch.bincount(bins, minlength=TONE_BINS).clamp(min=1)
    tone = torch.stack([torch.bincount(bins, c, TONE_BINS) / counts for c in ab])
    residual = float((ab - tone[:, bins]).square().sum(0).mean().sqrt())
    # Length of the mean ab vector over the mean length: 1 when all pixels share one hue.
    concentration = float(ab.sum(1).norm() / ab.norm(dim=0).sum().clamp(min=1e-6))
    is_toned = residual <= TONED_RESIDUAL and concentration >= TONED_CONCENTRATION
    return residual > NEUTRAL_RESIDUAL and not is_toned
