"""Interlaced frames: the color of each of the two fields, which show two moments.

The generator sees the woven frame, in which a thing in motion stands in two places, a line here and
a line there, and half of its color in both. Where the fields differ, a field's colors are taken
from pixels nearby that both fields show alike and that are as light as the field is here.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

_ALIKE: Final = 6.0  # difference of L between fields at which a pixel counts half
_AS_LIGHT: Final = 8.0  # difference of L at which a pixel's color is half as likely the same
_REACH: Final = 10  # pixels of working size, in steps of
_STEP: Final = 2
_LEAST: Final = 1e-3  # weight of pixels that fields do not share: where there are no others
_AT_ONCE: Final = 8192


def field_colors(L: Tensor, ab: Tensor, field: Tensor, other: Tensor) -> Tensor:
    """The ab of one field of a frame.

    Args:
        L: [1,1,h,w], 0..100, of the woven frame.
        ab: [1,2,h,w], predicted for that.
        field: [1,1,h,w], L of the field, at the same size.
        other: likewise, of the other field.

    Returns:
        [1,2,h,w]; what was given where the fields are alike.
    """
    trust = 1 / (1 + ((field - other)[0, 0] / _ALIKE).square())
    found = ab.clone()
    for places in torch.split((trust < 0.5).nonzero(), _AT_ONCE):
        y, x = places.unbind(1)
        wanted = _colors_near(L[0, 0], ab[0], trust, places, field[0, 0][y, x])
        found[0, :, y, x] = torch.lerp(wanted, ab[0][:, y, x], trust[y, x])
    return found


def _colors_near(L: Tensor, ab: Tensor, trust: Tensor, places: Tensor, wanted: Tensor) -> Tensor:
    """Mean ab [2,n] of what is around places [n,2] and is of the wanted L [n]."""
    steps = torch.arange(-_REACH, _REACH + 1, _STEP)
    down, across = (grid.flatten() for grid in torch.meshgrid(steps, steps, indexing="ij"))
    height, width = L.shape
    rows = (places[:, :1] + down).clamp(0, height - 1)
    columns = (places[:, 1:] + across).clamp(0, width - 1)
    near = torch.exp(-(down.square() + across.square()) / (2 * (_REACH / 2) ** 2))
    lighter = (L[rows, columns] - wanted[:, None]) / _AS_LIGHT
    weight = near * (trust[rows, columns].square() + _LEAST) / (1 + lighter.square()).square()
    return (ab[:, rows, columns] * weight).sum(2) / weight.sum(1)
