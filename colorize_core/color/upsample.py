"""Bring ab from working size to full size along the edges of L.

Each output pixel blends its low-resolution neighbors as bilinear interpolation would, but a
neighbor counts less the further its L is from the pixel's own (joint bilateral upsampling, Kopf et
al. 2007, with the rational kernel 1 / (1 + (dL / sigma)^2) and one axis after the other). The blend
is convex, so it cannot ring, and grain moves all neighbors' distances alike, so it hardly shows.
Before that, ab is sharpened by what bilinear interpolation would blur and clamped to its neighbors'
range, which buys more than the edges do. A guided filter (He et al. 2010) was measured beside it:
its window blurs color more than luma brings back, and its slope copies grain into color.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Method = Literal["guided", "bilinear"]

STRIP_PIXELS: Final = 1 << 16  # planes of a strip stay in the processor's cache
_SIGMA: Final = 10.0  # L* at which a neighbor's weight is halved
_BLUR: Final = 0.125  # share of a neighbor in a pixel enlarged bilinearly and averaged back


def upsample_ab(
    ab: Tensor,
    L_low: Tensor,
    L_full: Tensor,
    *,
    method: Method = "guided",
    strip_pixels: int = STRIP_PIXELS,
) -> Tensor:
    """Resize ab to the size of L_full, along the edges of L_full.

    Args:
        ab: [B,2,h,w].
        L_low: [B,1,h,w], L at ab's size, 0..100.
        L_full: [B,1,H,W], 0..100. May be smaller than ab: then ab is averaged down.
        method: "guided" by L, or plain "bilinear".
        strip_pixels: pixels worked on at a time; memory beside input and output grows with it, the
            result does not depend on it.

    Returns:
        ab [B,2,H,W], within the range of the ab values near each pixel.
    """
    out = torch.empty(
        (L_full.shape[0], 2, *L_full.shape[-2:]), dtype=torch.float32, device=L_full.device
    )
    for rows, strip in upsample_rows(ab, L_low, L_full, method=method, strip_pixels=strip_pixels):
        out[:, :, rows] = strip
    return out


def upsample_rows(
    ab: Tensor,
    L_low: Tensor,
    L_full: Tensor,
    *,
    method: Method = "guided",
    strip_pixels: int = STRIP_PIXELS,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the result of `upsample_ab` from top to bottom as (rows, ab [B,2,len(rows),W])."""
    if method not in ("guided", "bilinear"):
        raise ValueError(f"method {method!r} is neither 'guided' nor 'bilinear'")
    batch, _, height, width = L_full.shape
    ab, L_low = _no_larger_than(height, width, ab.float(), L_low.float())
    if method == "guided":
        ab = _sharpen(ab, height, width)
    left, right, across = _taps(width, ab.shape[-1], ab.device)
    upper, lower, down = _taps(height, ab.shape[-2], ab.device)
    down = down[:, None]
    L_wide = _resize(L_full.float(), ab.shape[-2], width)
    low = torch.cat((L_low, ab), 1)
    wide = _blend(low.index_select(3, left), low.index_select(3, right), L_wide, across, method)
    low = torch.cat((L_wide, wide), 1)
    step = max(1, strip_pixels // (width * batch))
    for top in range(0, height, step):
        rows = slice(top, min(top + step, height))
        above, below = low.index_select(2, upper[rows]), low.index_select(2, lower[rows])
        yield rows, _blend(above, below, L_full[:, :, rows].float(), down[rows], method)


def _blend(first: Tensor, second: Tensor, L: Tensor, position: Tensor, method: Method) -> Tensor:
    """Mix the ab of two taps [B,3,...] = (L, ab); `position` runs from 0 (first) to 1 (second)."""
    share: Tensor = position
    if method == "guided":
        toward = _distance(first[:, :1], L).mul_(position)
        away = _distance(second[:, :1], L).mul_(1.0 - position)
        share = toward.div_(away.add_(toward))
    # Plain products and sums round the same way in every strip; fused ones need not.
    return (second[:, 1:] - first[:, 1:]).mul_(share).add_(first[:, 1:])


def _distance(tap: Tensor, L: Tensor) -> Tensor:
    return (tap - L).mul_(1.0 / _SIGMA).square_().add_(1.0)


def _taps(size: int, low_size: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The two low-resolution neighbors of every pixel center along one axis, and where between."""
    center = (torch.arange(size, dtype=torch.float64) + 0.5) * (low_size / size) - 0.5
    center = center.clamp(0, low_size - 1)
    first = center.floor().long().clamp(max=max(low_size - 2, 0))
    second = (first + 1).clamp(max=low_size - 1)
    return first.to(device), second.to(device), (center - first).float().to(device)


def _no_larger_than(height: int, width: int, ab: Tensor, L: Tensor) -> tuple[Tensor, Tensor]:
    low_height, low_width = min(ab.shape[-2], height), min(ab.shape[-1], width)
    return _resize(ab, low_height, low_width), _resize(L, low_height, low_width)


def _resize(x: Tensor, height: int, width: int) -> Tensor:
    if x.shape[-2:] == (height, width):
        return x
    return F.interpolate(x, (height, width), mode="bilinear", antialias=True)


def _sharpen(ab: Tensor, height: int, width: int) -> Tensor:
    """Undo the blur of the enlargement to come, without leaving the range of the 3x3 neighbors."""
    blurred = lowest = highest = ab
    for axis, size in ((3, width), (2, height)):
        share = _BLUR * min(max(size / ab.shape[axis] - 1.0, 0.0), 1.0)
        before, after = _neighbors(blurred, axis)
        blurred = (before + after).mul_(share).add_(blurred * (1.0 - 2.0 * share))
        before, after = _neighbors(lowest, axis)
        lowest = torch.minimum(torch.minimum(before, after), lowest)
        before, after = _neighbors(highest, axis)
        highest = torch.maximum(torch.maximum(before, after), highest)
    return torch.minimum(torch.maximum(2.0 * ab - blurred, lowest), highest)


def _neighbors(x: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The pixels before and after each one along an axis; the border counts as its own neighbor."""
    last = x.shape[axis] - 1
    before = torch.cat((x.narrow(axis, 0, 1), x.narrow(axis, 0, last)), axis)
    after = torch.cat((x.narrow(axis, 1, last), x.narrow(axis, last, 1)), axis)
    return before, after
