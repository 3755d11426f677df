"""Resizes finished pictures: the squares that metrics and training look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image


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
