"""Integer pictures in and out: the only place where uint8 and uint16 meet float32."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorize_core.color.gamut import fit_chroma
from colorize_core.color.lab import gray_to_L, lab_to_rgb, rgb_to_lab
from colorize_core.color.merge import Placement, crop_working
from colorize_core.color.upsample import Method, upsample_ab

# Rows per step: temporaries of a 100-megapixel scan stay around 100 MB.
STRIP_PIXELS = 2**21


def pixels_to_L(pixels: NDArray[np.generic]) -> Tensor:
    """L of a picture.

    Args:
        pixels: (H, W) or (H, W, 3), uint8 or uint16, sRGB-encoded.

    Returns:
        (1, 1, H, W) float32, 0..100.
    """
    if pixels.ndim == 2:
        top = np.iinfo(pixels.dtype).max
        table = gray_to_L(torch.linspace(0, 1, top + 1).view(1, 1, 1, -1)).flatten().numpy()
        return torch.from_numpy(table[pixels])[None, None]
    height, width = pixels.shape[:2]
    L = torch.empty(1, 1, height, width)
    for rows in _strips(height, width):
        L[:, :, rows] = pixels_to_lab(pixels[rows])[:, :1]
    return L


def pixels_to_lab(pixels: NDArray[np.generic]) -> Tensor:
    """Lab of a color picture.

    Args:
        pixels: (H, W, 3), uint8 or uint16, sRGB-encoded.

    Returns:
        (1, 3, H, W) float32.
    """
    top = float(np.iinfo(pixels.dtype).max)
    rgb = torch.from_numpy(pixels.astype(np.float32) / top).permute(2, 0, 1)[None]
    return rgb_to_lab(rgb)


def merge_to_pixels(
    L: Tensor,
    ab: Tensor,
    L_working: Tensor,
    placement: Placement,
    *,
    dtype: np.dtype[np.generic] | type,
    strength: float = 1.0,
    upsample: Method = "guided",
) -> NDArray[np.generic]:
    """Full-resolution color from full-resolution L and working-size ab.

    Args:
        L: (1, 1, H, W) 0..100 of the source.
        ab: (1, 2, S, S) predicted at working size.
        L_working: (1, 1, S, S) what the generator saw.
        placement: where the picture lies in the working square.
        dtype: uint8 or uint16.
        strength: chroma multiplier.
        upsample: see upsample_ab.

    Returns:
        (H, W, 3) of `dtype`, sRGB-encoded, in gamut, with the L of the source.
    """
    full = upsample_ab(
        crop_working(ab, placement) * strength,
        crop_working(L_working, placement),
        L,
        method=upsample,
    )
    height, width = L.shape[-2:]
    top = np.iinfo(dtype).max
    pixels = np.empty((height, width, 3), dtype)
    for rows in _strips(height, width):
        lab = torch.cat([L[:, :, rows], full[:, :, rows]], 1)
        rgb = lab_to_rgb(fit_chroma(lab)).clamp(0, 1)[0].permute(1, 2, 0)
        pixels[rows] = (rgb * top).round().numpy().astype(dtype)
    return pixels


def _strips(height: int, width: int) -> Iterator[slice]:
    step = max(1, STRIP_PIXELS // width)
    return (slice(top, min(top + step, height)) for top in range(0, height, step))
