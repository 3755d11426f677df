"""Fit Lab colors into sRGB by giving up chroma; lightness and hue stay."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from colorize_core.color.lab import lab_to_linear, linear_to_srgb

# Float rounding of pure white is about 5e-7; this is a hundredth of a 16-bit step above black.
_TOLERANCE: Final = 2e-6
_HALVINGS: Final = 12  # the chroma kept is then within 1/4096 of the most that fits


def _inside(linear: Tensor) -> Tensor:
    low, high = linear.aminmax(dim=1)
    return (low >= -_TOLERANCE) & (high <= 1.0 + _TOLERANCE)


def _chroma_kept(lab: Tensor) -> Tensor:
    """Share of chroma that fits, [B,H,W], by bisection along the line to gray.

    The lower end is always a color inside, so the result is inside although the gamut's sections
    of constant L are not convex.
    """
    L, a, b = lab.unbind(1)
    fits, too_much = torch.zeros_like(a), torch.ones_like(a)
    for _ in range(_HALVINGS):
        middle = (fits + too_much) / 2
        inside = _inside(lab_to_linear(torch.stack((L, a * middle, b * middle), 1)))
        fits = torch.where(inside, middle, fits)
        too_much = torch.where(inside, too_much, middle)
    return fits


def _fit(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Fitted Lab and its linear sRGB; only the pixels outside are searched."""
    lab = torch.cat((lab[:, :1].clamp(0.0, 100.0), lab[:, 1:]), 1).float()
    linear = lab_to_linear(lab)
    outside = ~_inside(linear)
    if bool(outside.any()):
        colors = lab.movedim(1, -1)[outside].T[None]
        kept = _chroma_kept(colors)
        colors = torch.stack((colors[:, 0], colors[:, 1] * kept, colors[:, 2] * kept), 1)
        lab.movedim(1, -1)[outside] = colors[0].T
        linear.movedim(1, -1)[outside] = lab_to_linear(colors)[0].T
    return lab, linear


def fit_chroma(lab: Tensor) -> Tensor:
    """Scale ab down, pixel by pixel, until the color lies in sRGB.

    L is clamped to [0,100] and otherwise kept, as is the hue angle; colors already inside come back
    bit for bit. Not differentiable.

    Args:
        lab: [B,3,H,W], L in [0,100].

    Returns:
        Lab [B,3,H,W], float32, whose RGB lies in [0,1] to within 3e-5.
    """
    return _fit(lab)[0]


def lab_to_fitted_rgb(lab: Tensor) -> Tensor:
    """Convert Lab [B,3,H,W] to sRGB [B,3,H,W] in [0,1], after `fit_chroma`. Not differentiable."""
    return linear_to_srgb(_fit(lab)[1].clamp_(0.0, 1.0))
