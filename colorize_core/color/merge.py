"""Predicted ab laid over the source's L: L stays, and what has color of its own may keep it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from colorize_core.color.gamut import lab_to_fitted_rgb
from colorize_core.color.upsample import Method, upsample_rows


class OwnColor(Protocol):
    """Color that the source itself has in places."""

    def rows(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Its ab [1,2,h,W] and its share [1,1,h,W], 0 to 1, in these rows of the picture."""


def merge(
    L_full: Tensor,
    ab: Tensor,
    L_low: Tensor,
    *,
    strength: float = 1.0,
    upsample: Method = "guided",
    own: OwnColor | None = None,
) -> Tensor:
    """Lay predicted ab over the full-size L.

    Colors outside sRGB give up chroma, not lightness: |L_out - L_full| stays below 0.01 before
    rounding, below 0.25 after rounding to 8 bits.

    Args:
        L_full: [1,1,H,W], 0..100.
        ab: [1,2,h,w], the prediction for L_low.
        L_low: [1,1,h,w], the picture at working size.
        strength: multiplies chroma.
        upsample: how ab reaches full size.
        own: what stands in place of the prediction where the source is in color.

    Returns:
        sRGB [1,3,H,W] float32 in [0,1].
    """
    shape = (1, 3, *L_full.shape[-2:])
    rgb = torch.empty(shape, dtype=torch.float32, device=L_full.device)
    for rows, strip in merge_rows(L_full, ab, L_low, strength=strength, upsample=upsample, own=own):
        rgb[:, :, rows] = strip
    return rgb


def merge_rows(
    L_full: Tensor,
    ab: Tensor,
    L_low: Tensor,
    *,
    strength: float = 1.0,
    upsample: Method = "guided",
    own: OwnColor | None = None,
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the result of `merge` from top to bottom as (rows, rgb [1,3,len(rows),W]).

    For pictures whose full-size float RGB would not fit beside the rest.
    """
    for rows, strip in upsample_rows(ab.float() * strength, L_low, L_full, method=upsample):
        if own is not None:
            own_ab, share = own.rows(rows)
            strip = torch.lerp(strip, own_ab, share.expand_as(strip))
        yield rows, lab_to_fitted_rgb(torch.cat((L_full[:, :, rows].float(), strip), 1))
