"""Resizes finished pictures."""

from __future__ import annotations

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Depth = TypeVar("Depth", np.uint8, np.uint16)


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Size with the same aspect whose long side is at most `long_side`; each side at least 1.

    Raises:
        ValueError: a side is below 1.
    """
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} cannot be resized")
    scale = min(1.0, long_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(picture: NDArray[Depth], width: int, height: int) -> NDArray[Depth]:
    """Resize [H, W] or [H, W, C], uint8 or uint16, by area averaging; linearly where a side grows.

    Raises:
        ValueError: empty, or of another type.
    """
    if picture.dtype not in (np.uint8, np.uint16) or picture.size == 0:
        raise ValueError(f"no picture of 8 or 16 bits: {picture.dtype} {picture.shape}")
    if picture.shape[:2] == (height, width):
        return picture
    smaller = picture.shape[0] >= height and picture.shape[1] >= width
    mode = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=mode)
    return np.asarray(resized, dtype=picture.dtype)


def squeezed(rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize [H, W, 3] to this size with Lanczos filtering, whatever its aspect."""
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS))


def center_square(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Cut the largest square out of the middle of [H, W, 3] and resize it to `side`."""
    height, width = rgb.shape[:2]
    length = min(height, width)
    top, left = (height - length) // 2, (width - length) // 2
    return squeezed(rgb[top : top + length, left : left + length], side, side)
