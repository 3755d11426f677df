"""Samples as a photo's file holds them: bit depths, orientation, alpha."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]  # uint8 or uint16, full range


@dataclass(frozen=True)
class Raster:
    """Samples as the file holds them, before color management.

    `samples` is HxW gray, HxWx3 RGB or HxWx4 CMYK (0 = no ink), uint8 or uint16 over the full
    range; `alpha` HxW of the same dtype.
    """

    samples: Samples
    alpha: Samples | None = None
    icc: bytes | None = None
    orientation: int = 1


def to_uint8(samples: Samples) -> NDArray[np.uint8]:
    """Any uint8 or uint16 samples as uint8."""
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False)
    small = np.empty(samples.shape, np.uint8)
    for rows in strips(samples):
        # 65535 / 255 = 257 exactly.
        small[rows] = (samples[rows].astype(np.uint32) + 128) // 257
    return small


def to_full_range(samples: Samples, bits: int) -> Samples:
    """Stretch samples of 1..16 bits to the full range of uint8 (up to 8 bits) or uint16."""
    dtype = np.uint8 if bits <= 8 else np.uint16
    if bits in (8, 16):
        return samples.astype(dtype, copy=False)
    top, full = (1 << bits) - 1, int(np.iinfo(dtype).max)
    wide = np.empty(samples.shape, dtype)
    for rows in strips(samples):
        known = np.minimum(samples[rows].astype(np.uint32), top)
        wide[rows] = (known * full + top // 2) // top
    return wide


def upright(array: Samples, orientation: int) -> Samples:
    """Turn HxW or HxWxC as EXIF orientation 1..8 says. Source: EXIF 2.32, tag 274."""
    if orientation in (2, 3):
        array = array[:, ::-1]
    if orientation in (3, 4):
        array = array[::-1]
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (6, 7):
        array = array[:, ::-1]
    if orientation in (7, 8):
        array = array[::-1]
    # Codecs hand out read-only views, and torch warns about those.
    return np.require(array, requirements=["C", "W"])


def swaps_sides(orientation: int) -> bool:
    """Whether width and height change places."""
    return orientation >= 5


def unassociated(samples: Samples, alpha: Samples) -> Samples:
    """Divide color by alpha where a file stores it multiplied; full transparency stays 0."""
    top = int(np.iinfo(samples.dtype).max)
    color = np.empty_like(samples)
    for rows in strips(samples):
        weight = alpha[rows].astype(np.uint32)
        if samples.ndim == 3:
            weight = weight[..., None]
        divided = (samples[rows].astype(np.uint32) * top + weight // 2) // np.maximum(weight, 1)
        color[rows] = np.minimum(divided, top)
    return color


def strips(samples: Samples) -> Iterator[slice]:
    """Row ranges of about a million samples, so that wide intermediates stay small."""
    step = max(1, 2**20 // max(1, samples[:1].size))
    for start in range(0, len(samples), step):
        yield slice(start, start + step)
