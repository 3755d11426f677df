"""Integer pictures in and out: the only place where uint8 and uint16 meet float32."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorize_core.color.lab import L_to_gray, gray_to_L, rgb_to_lab
from colorize_core.color.merge import OwnColor, merge_rows
from colorize_core.color.upsample import Method

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

# Per step: temporaries of a 100-megapixel scan stay around 200 MB. Another number would give other
# bits here and there: vectors and what is left behind the last one round differently.
STRIP_PIXELS = 2**21


def pixels_to_L(pixels: Pixels) -> Tensor:
    """L of a picture.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB-encoded.

    Returns:
        (1, 1, H, W) float32, 0..100.
    """
    table = None
    if pixels.ndim == 2:
        top = np.iinfo(pixels.dtype).max
        table = gray_to_L(torch.linspace(0, 1, top + 1).view(1, 1, 1, -1)).flatten().numpy()
    height, width = pixels.shape[:2]
    L = torch.empty(1, 1, height, width)
    for rows in _strips(height, width):
        if table is not None:
            L[0, 0, rows] = torch.from_numpy(table[pixels[rows]])  # with indices of 8 bytes each
        else:
            L[:, :, rows] = pixels_to_lab(pixels[rows])[:, :1]
    return L


def pixels_to_lab(pixels: Pixels) -> Tensor:
    """Lab of a color picture.

    Args:
        pixels: (H, W, 3), uint8 or uint16, sRGB-encoded.

    Returns:
        (1, 3, H, W) float32.
    """
    top = float(np.iinfo(pixels.dtype).max)
    rgb = torch.from_numpy(pixels.astype(np.float32) / top).permute(2, 0, 1)[None]
    return rgb_to_lab(rgb)


def L_to_pixels(L: Tensor) -> NDArray[np.uint8]:
    """The gray picture of L: (1, 1, H, W) 0..100 to (H, W) uint8, sRGB-encoded."""
    height, width = L.shape[-2:]
    pixels = np.empty((height, width), np.uint8)
    for rows in _strips(height, width):
        pixels[rows] = rgb_to_pixels(L_to_gray(L[:, :, rows]), pixels.dtype)[..., 0]
    return pixels


def rgb_to_pixels(rgb: Tensor, dtype: np.dtype[Any]) -> Pixels:
    """(1, C, H, W) float in [0, 1] to (H, W, C) uint8 or uint16, rounded."""
    scaled = (rgb[0].permute(1, 2, 0) * float(np.iinfo(dtype).max)).round()
    pixels: Pixels = scaled.numpy().astype(dtype)
    return pixels


def merge_to_pixels(
    L: Tensor,
    ab: Tensor,
    L_low: Tensor,
    *,
    dtype: np.dtype[Any],
    strength: float = 1.0,
    upsample: Method = "guided",
    own: OwnColor | None = None,
) -> Pixels:
    """`merge`, rounded to integers strip by strip.

    Args:
        L: (1, 1, H, W) 0..100 of the source.
        ab: (1, 2, h, w) predicted at working size.
        L_low: (1, 1, h, w) the picture at working size.
        dtype: uint8 or uint16.
        strength: chroma multiplier.
        upsample: how ab reaches full size.
        own: what stands in place of the prediction where the source is in color.

    Returns:
        (H, W, 3) of `dtype`, sRGB-encoded.
    """
    pixels = np.empty((*L.shape[-2:], 3), dtype)
    strips = merge_rows(L, ab, L_low, strength=strength, upsample=upsample, own=own)
    for rows, rgb in strips:
        pixels[rows] = rgb_to_pixels(rgb, dtype)
    return pixels


def _strips(height: int, width: int) -> Iterator[slice]:
    step = max(1, STRIP_PIXELS // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))
