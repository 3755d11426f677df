"""Areas of a picture that a user has drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.color.merge import OwnColor
from colorize_core.color.pixels import Pixels, pixels_to_lab
from colorize_core.config.hints import Polygon

_FINER: Final = 2  # samples per pixel and axis
_KNOWN: Final = 512  # rows and columns at most in which the areas of a large picture are held


def area_share(polygons: Sequence[Polygon], height: int, width: int) -> Tensor:
    """How much of each pixel lies in one of the polygons.

    Args:
        polygons: x and y of their corners as shares of width and height; even-odd rule.
        height: rows.
        width: columns.

    Returns:
        (1, 1, height, width) float32, 0 to 1.
    """
    rows, columns = height * _FINER, width * _FINER
    y = ((torch.arange(rows) + 0.5) / rows).view(-1, 1)
    x = ((torch.arange(columns) + 0.5) / columns).view(1, -1)
    inside = torch.zeros(rows, columns, dtype=torch.bool)
    for polygon in polygons:
        inside |= _inside(polygon, x, y)
    return F.avg_pool2d(inside.float()[None, None], _FINER)


def _inside(polygon: Polygon, x: Tensor, y: Tensor) -> Tensor:
    inside = torch.zeros(len(y), x.shape[1], dtype=torch.bool)
    for (x0, y0), (x1, y1) in zip(polygon, (*polygon[1:], polygon[0]), strict=True):
        if y0 != y1:
            crosses = (y < y0) != (y < y1)
            inside ^= crosses & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


class KeptColor:
    """The source's color inside of polygons, see merge.OwnColor.

    Args:
        pixels: (H, W, 3), uint8 or uint16, sRGB-encoded.
        polygons: see `area_share`.
        rest: what keeps its color elsewhere.
    """

    def __init__(self, pixels: Pixels, polygons: Sequence[Polygon], rest: OwnColor | None) -> None:
        self._pixels, self._rest = pixels, rest
        height, width = pixels.shape[:2]
        scale = min(1.0, _KNOWN / max(height, width))
        self._small = area_share(
            polygons, max(1, round(height * scale)), max(1, round(width * scale))
        )

    def rows(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Its ab [1,2,h,W] and its share [1,1,h,W] in these rows."""
        height, width = self._pixels.shape[:2]
        at = ((torch.arange(rows.start, rows.stop) + 0.5) / height * 2 - 1).view(-1, 1)
        across = ((torch.arange(width) + 0.5) / width * 2 - 1).view(1, -1)
        size = (len(at), width)
        grid = torch.stack([across.expand(size), at.expand(size)], -1)[None]
        share = F.grid_sample(self._small, grid, padding_mode="border", align_corners=False)
        ab = pixels_to_lab(self._pixels[rows])[:, 1:]
        return ab, share if self._rest is None else torch.maximum(share, self._rest.rows(rows)[1])
