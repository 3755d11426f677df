"""Fit Lab colors into sRGB by giving up chroma; lightness and hue stay."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from colorize_core.color.lab import lab_to_linear

# Float rounding of pure white is about 5e-7; this is a hundredth of a 16-bit step above black.
_TOLERANCE: Final = 2e-6
_HALVINGS: Final = 12  # the chroma kept is then within 1/4096 of the most that fits


def _in_gamut(lab: Tensor) -> Tensor:
    low, high = lab_to_linear(lab).aminmax(dim=1)
    return (low >= -_TOLERANCE) & (high <= 1.0 + _TOLERANCE)


def fit_chroma(lab: Tensor) -> Tensor:
    """Scale ab down, pixel by pixel, until the color lies in sRGB.

    L is clamped to [0,100] and otherwise kept, as is the hue angle; colors already inside come back
    bit for bit. Only the pixels outside are searched (by bisection along the line to gray, which
    always ends on a color inside), so ordinary pictures cost one gamut test.

    Args:
        lab: [B,3,H,W], L in [0,100].

    Returns:
        Lab [B,3,H,W] whose RGB lies in [0,1] to within 3e-5.
    """
    lab = torch.cat((lab[:, :1].clamp(0.0, 100.0), lab[:, 1:]), 1)
    outside = ~_in_gamut(lab)
    if not bool(outside.any()):
        return lab
    planes = lab.movedim(1, 0)
    L, a, b = (plane[outside][None] for plane in planes)
    fits, too_much = torch.zeros_like(a), torch.ones_like(a)
    for _ in range(_HALVINGS):
        middle = (fits + too_much) / 2
        inside = _in_gamut(torch.stack((L, a * middle, b * middle), 1))
        fits = torch.where(inside, middle, fits)
        too_much = torch.where(inside, too_much, middle)
    planes[1][outside] = (a * fits)[0]
    planes[2][outside] = (b * fits)[0]
    return lab
