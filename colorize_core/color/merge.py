"""A picture of any shape to the network's square and back: L stays, ab is laid over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.color.gamut import lab_to_fitted_rgb
from colorize_core.color.upsample import Method, upsample_rows


@dataclass(frozen=True)
class Placement:
    """Where a picture lies inside the working square, all in pixels.

    Attributes:
        height: of the picture.
        width: of the picture.
        top: of the picture's part of the square.
        left: of the picture's part of the square.
        inner_height: of the picture's part of the square.
        inner_width: of the picture's part of the square.
        size: side of the square.
    """

    height: int
    width: int
    top: int
    left: int
    inner_height: int
    inner_width: int
    size: int


def place(height: int, width: int, size: int, *, pixel_aspect: float = 1.0) -> Placement:
    """Fit a picture into a square: long side = size, aspect kept, centered.

    Args:
        height: rows of the picture, at least 1.
        width: columns of the picture, at least 1.
        size: side of the square.
        pixel_aspect: width of a pixel over its height; the square's pixels are square.

    Raises:
        ValueError: a size or the aspect is not positive.
    """
    if min(height, width, size) < 1 or not pixel_aspect > 0:
        raise ValueError(f"cannot place {height}x{width} (aspect {pixel_aspect}) in {size}")
    scale = size / max(height, width * pixel_aspect)
    inner_height = min(size, max(1, round(height * scale)))
    inner_width = min(size, max(1, round(width * pixel_aspect * scale)))
    top, left = (size - inner_height) // 2, (size - inner_width) // 2
    return Placement(height, width, top, left, inner_height, inner_width, size)


def to_working(L: Tensor, size: int, *, pixel_aspect: float = 1.0) -> tuple[Tensor, Placement]:
    """Resize (antialiased) to the working square and fill the rest with mirrored picture.

    Args:
        L: [1,1,H,W], 0..100.
        size: side of the square in pixels.
        pixel_aspect: width of a pixel over its height.

    Returns:
        L [1,1,size,size] and where the picture lies in it.
    """
    where = place(L.shape[-2], L.shape[-1], size, pixel_aspect=pixel_aspect)
    inner = (where.inner_height, where.inner_width)
    small = L.float()
    if small.shape[-2:] != inner:
        small = F.interpolate(small, inner, mode="bilinear", antialias=True)
    rows = _mirrored(where.top, where.inner_height, size, L.device)
    columns = _mirrored(where.left, where.inner_width, size, L.device)
    return small.index_select(2, rows).index_select(3, columns), where


def _mirrored(offset: int, length: int, size: int, device: torch.device) -> Tensor:
    # Reflected as often as it takes: a strip one pixel high still fills the square.
    phase = (torch.arange(size, device=device) - offset) % (2 * length)
    return torch.where(phase < length, phase, 2 * length - 1 - phase)


def crop_working(x: Tensor, placement: Placement) -> Tensor:
    """Cut the picture's part [B,C,inner_height,inner_width] out of a square [B,C,size,size]."""
    rows = slice(placement.top, placement.top + placement.inner_height)
    columns = slice(placement.left, placement.left + placement.inner_width)
    return x[:, :, rows, columns]


def merge(
    L_full: Tensor,
    ab_working: Tensor,
    L_working: Tensor,
    placement: Placement,
    *,
    strength: float = 1.0,
    upsample: Method = "guided",
) -> Tensor:
    """Lay predicted ab over the full-size L.

    Colors outside sRGB give up chroma, not lightness: |L_out - L_full| stays below 0.01 before
    rounding, below 0.25 after rounding to 8 bits.

    Args:
        L_full: [1,1,H,W], 0..100.
        ab_working: [1,2,size,size], the prediction for L_working.
        L_working: [1,1,size,size], from `to_working`.
        placement: from `to_working`.
        strength: multiplies chroma.
        upsample: how ab reaches full size.

    Returns:
        sRGB [1,3,H,W] float32 in [0,1].
    """
    shape = (1, 3, *L_full.shape[-2:])
    rgb = torch.empty(shape, dtype=torch.float32, device=L_full.device)
    for rows, strip in merge_rows(
        L_full, ab_working, L_working, placement, strength=strength, upsample=upsample
    ):
        rgb[:, :, rows] = strip
    return rgb


def merge_rows(
    L_full: Tensor,
    ab_working: Tensor,
    L_working: Tensor,
    placement: Placement,
    *,
    strength: float = 1.0,
    upsample: Method = "guided",
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the result of `merge` from top to bottom as (rows, rgb [1,3,len(rows),W]).

    For pictures whose full-size float RGB would not fit beside the rest.

    Raises:
        ValueError: L_full does not have the size that placement was made for.
    """
    if L_full.shape[-2:] != (placement.height, placement.width):
        raise ValueError(f"L is {tuple(L_full.shape[-2:])}, but was placed as {placement}")
    ab = crop_working(ab_working, placement).float() * strength
    L_low = crop_working(L_working, placement)
    for rows, strip in upsample_rows(ab, L_low, L_full, method=upsample):
        yield rows, lab_to_fitted_rgb(torch.cat((L_full[:, :, rows].float(), strip), 1))
