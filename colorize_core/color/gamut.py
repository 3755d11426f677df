"""Fit Lab colors into sRGB by giving up chroma; lightness and hue stay."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from colorize_core.color.lab import f_to_linear, lab_to_f, lab_to_linear, unit_to_srgb

# Float rounding of pure white is about 5e-7; this is a hundredth of a 16-bit step above black.
_TOLERANCE: Final = 2e-6
_HALVINGS: Final = 10  # the chroma kept is then within a thousandth of the most that fits


def _inside(linear: Tensor) -> Tensor:
    # Pairwise, because a reduction over three strided planes takes four times as long.
    red, green, blue = linear.unbind(1)
    low = torch.minimum(torch.minimum(red, green), blue)
    high = torch.maximum(torch.maximum(red, green), blue)
    return (low >= -_TOLERANCE) & (high <= 1.0 + _TOLERANCE)


def _chroma_kept(lab: Tensor) -> Tensor:
    """Share of chroma that fits, [N], for Lab [3,N], by bisection along the line to gray.

    The lower end is always a color inside, so the result is inside although the gamut's sections
    of constant L are not convex.
    """
    f = lab_to_f(lab[None])
    gray = f[:, 1:2]
    toward_color = f - gray
    fits, step = torch.zeros_like(gray), 1.0
    for _ in range(_HALVINGS):
        step /= 2
        inside = _inside(f_to_linear(gray + (fits + step) * toward_color))
        fits = fits + inside * step
    return fits[0, 0]


def _with_chroma(lab: Tensor, share: Tensor) -> Tensor:
    return torch.stack((lab[0], lab[1] * share, lab[2] * share))


def _fit(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Fitted Lab and its linear sRGB, both [3,B*H*W]; only the pixels outside are searched."""
    flat = lab.float().movedim(1, 0).reshape(3, -1).clone()
    flat[0].clamp_(0.0, 100.0)
    linear = lab_to_linear(flat[None])[0]
    outside = (~_inside(linear[None])[0]).nonzero()[:, 0]
    if outside.numel():
        colors = flat.index_select(1, outside)
        colors = _with_chroma(colors, _chroma_kept(colors))
        flat.index_copy_(1, outside, colors)
        linear.index_copy_(1, outside, lab_to_linear(colors[None])[0])
    return flat, linear


def _shaped(flat: Tensor, like: Tensor) -> Tensor:
    return flat.reshape(3, like.shape[0], *like.shape[2:]).movedim(0, 1)


def fit_chroma(lab: Tensor) -> Tensor:
    """Scale ab down, pixel by pixel, until the color lies in sRGB.

    L is clamped to [0,100] and otherwise kept, as is the hue angle; colors already inside come back
    bit for bit. Not differentiable.

    Args:
        lab: [B,3,H,W], L in [0,100].

    Returns:
        Lab [B,3,H,W], float32, whose RGB lies in [0,1] to within 3e-5.
    """
    return _shaped(_fit(lab)[0], lab)


def lab_to_fitted_rgb(lab: Tensor) -> Tensor:
    """Convert Lab [B,3,H,W] to sRGB [B,3,H,W] in [0,1], after `fit_chroma`. Not differentiable."""
    return _shaped(unit_to_srgb(_fit(lab)[1].clamp_(0.0, 1.0)), lab)
