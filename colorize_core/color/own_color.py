"""What is truly colored in a picture that is gray for the most part: its color, and how much of it.

The gray rule tells in which cells; there, each pixel keeps as much of its color as lies beyond what
the tone of the print explains. Well inside a colored part all of it is kept, so no texture breaks
up; at its border the pixels decide, so no cell shows.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.color.grayness import Grayness
from colorize_core.color.pixels import Pixels, pixels_to_lab

_PIXEL: Final = (4.0, 10.0)  # Lab units beyond the tone: from nothing kept to all


def toned(tone: Tensor, L: Tensor) -> Tensor:
    """The ab (B, 2, h, w) that a tone gives to L.

    Args:
        tone: (knots, 2), ab at evenly spaced L from 0 to 100.
        L: (B, 1, h, w), 0..100.
    """
    knots = len(tone)
    position = (L[:, 0] / 100 * (knots - 1)).clamp(0, knots - 1 - 1e-4)
    below = position.long()
    share = (position - below).unsqueeze(-1)
    return torch.lerp(tone[below], tone[below + 1], share).permute(0, 3, 1, 2)


class PictureColor:
    """The source's own color, see merge.OwnColor.

    Args:
        pixels: (H, W, 3), uint8 or uint16, sRGB-encoded.
        verdict: "partly colored", of the same picture.
    """

    def __init__(self, pixels: Pixels, verdict: Grayness) -> None:
        if verdict.own is None or verdict.tone is None:
            raise ValueError(f"a {verdict.kind} picture keeps no color of its own")
        self._pixels = pixels
        cells = torch.from_numpy(verdict.own.astype(np.float32))[None, None]
        near = F.avg_pool2d(_pad(F.max_pool2d(_pad(cells), 3, 1)), 3, 1)
        core = -F.max_pool2d(_pad(-cells), 3, 1)
        size = (cells.shape[2], pixels.shape[1])
        self._wide = F.interpolate(torch.cat([near, core], 1), size, mode="bilinear")
        self._tone = torch.from_numpy(verdict.tone.astype(np.float32))

    def rows(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Its ab [1,2,h,W] and its share [1,1,h,W] in these rows."""
        lab = pixels_to_lab(self._pixels[rows])
        ab = lab[:, 1:]
        beyond = (ab - toned(self._tone, lab[:, :1])).square().sum(1, keepdim=True).sqrt()
        low, high = _PIXEL
        cells = self._cells(rows)
        near, core = cells[:, :1], cells[:, 1:]
        return ab, torch.maximum(near * ((beyond - low) / (high - low)).clamp(0, 1), core)

    def _cells(self, rows: slice) -> Tensor:
        """Both masks [1,2,h,W] at full size."""
        count = self._wide.shape[2]
        center = torch.arange(rows.start, rows.stop) + 0.5
        place = (center * (count / self._pixels.shape[0]) - 0.5).clamp(0, count - 1)
        above = place.long()
        below = (above + 1).clamp(max=count - 1)
        share = (place - above).view(1, 1, -1, 1)
        return torch.lerp(self._wide[:, :, above], self._wide[:, :, below], share)


def _pad(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), mode="replicate")
