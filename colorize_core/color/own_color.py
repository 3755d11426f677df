"""What is truly colored in a picture that is gray for the most part: its color, and how much of it.

The gray rule tells in which cells; there, each pixel keeps as much of its color as lies beyond what
the tone of the print explains. Well inside a colored part all of it is kept, so no texture breaks
up; at its border the pixels decide, so no cell shows. In films, letters come and go inside a shot:
only the pixels decide, and what they enclose stays with them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from colorize_core.color.grayness import Grayness
from colorize_core.color.lab import rgb_to_lab
from colorize_core.color.pixels import Pixels, pixels_to_lab
from colorize_core.color.ycbcr import YCbCrSpec, codes_to_rgb

Codes = NDArray[np.unsignedinteger[Any]]

_PIXEL: Final = (4.0, 10.0)  # Lab units beyond the tone: from nothing kept to all
_HOLE: Final = 128  # of a frame's width: half of what is filled inside of letters and logos


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
        masks = torch.cat([_near(cells), -F.max_pool2d(_pad(-cells), 3, 1)], 1)
        size = (cells.shape[2], pixels.shape[1])
        self._wide = F.interpolate(masks, size, mode="bilinear")
        self._tone = torch.from_numpy(verdict.tone.astype(np.float32))

    def rows(self, rows: slice) -> tuple[Tensor, Tensor]:
        """Its ab [1,2,h,W] and its share [1,1,h,W] in these rows."""
        lab = pixels_to_lab(self._pixels[rows])
        cells = self._cells(rows)
        near, core = cells[:, :1], cells[:, 1:]
        return lab[:, 1:], torch.maximum(near * _of_pixels(lab, self._tone), core)

    def _cells(self, rows: slice) -> Tensor:
        """Both masks [1,2,h,W] at full size."""
        count = self._wide.shape[2]
        center = torch.arange(rows.start, rows.stop) + 0.5
        place = (center * (count / self._pixels.shape[0]) - 0.5).clamp(0, count - 1)
        above = place.long()
        below = (above + 1).clamp(max=count - 1)
        share = (place - above).view(1, 1, -1, 1)
        return torch.lerp(self._wide[:, :, above], self._wide[:, :, below], share)


class FrameColor:
    """The color that a shot's frames have in places: letters and logos.

    Args:
        cells: [h, w], where they stand, be it for a while; the pixels there decide.
        tone: [14, 2], ab of the rest of the frames at evenly spaced L from 0 to 100.
        border: share of a frame, at each side, that lies outside of the cells.
        size: height and width of the chroma planes.
        spec: of the stream.
    """

    def __init__(
        self,
        cells: NDArray[np.bool_],
        tone: NDArray[Any],
        *,
        border: float,
        size: tuple[int, int],
        spec: YCbCrSpec,
    ) -> None:
        near = _near(_near(torch.from_numpy(cells.astype(np.float32))[None, None]))
        for axis in (2, 3):
            near = _stretched(near, axis, size[axis - 2], border)
        touched = near[0, 0] > 0
        self._place = _extent(touched.any(1)), _extent(touched.any(0))
        self._near = near[(..., *self._place)].clone()
        self._tone = torch.from_numpy(tone.astype(np.float32))
        self._spec = spec
        self._hole = 1 + size[1] // _HOLE

    def keep(
        self, luma: Tensor, own: tuple[Codes, Codes], computed: tuple[Codes, Codes]
    ) -> tuple[Codes, Codes]:
        """Cb and Cr of a frame: the source's own where it has color, else what was computed.

        Args:
            luma: [1,1,h,w], Y' at the size of the chroma planes, 0..1.
            own: Cb and Cr of the source, [h, w] each.
            computed: likewise, of the prediction.
        """
        ours, made = (_floats(planes, self._place) for planes in (own, computed))
        lab = rgb_to_lab(codes_to_rgb(luma[(..., *self._place)], ours, self._spec))
        share = _closed(self._near * _of_pixels(lab, self._tone), self._hole)
        mixed = torch.lerp(made, ours, share).round_()
        cb, cr = (np.array(plane) for plane in computed)
        cb[self._place], cr[self._place] = (x.numpy().astype(cb.dtype) for x in mixed[0])
        return cb, cr


def _near(cells: Tensor) -> Tensor:
    """What is in and, less and less, around cells [1,1,h,w]."""
    return F.avg_pool2d(_pad(F.max_pool2d(_pad(cells), 3, 1)), 3, 1)


def _of_pixels(lab: Tensor, tone: Tensor) -> Tensor:
    """How much of its color each pixel of Lab [1,3,h,w] would keep, [1,1,h,w]."""
    beyond = (lab[:, 1:] - toned(tone, lab[:, :1])).square().sum(1, keepdim=True).sqrt()
    low, high = _PIXEL
    return ((beyond - low) / (high - low)).clamp(0, 1)


def _closed(share: Tensor, hole: int) -> Tensor:
    """With holes of up to twice `hole` pixels filled, as white letters on a red ground are."""
    wide, side = F.pad(share, (hole, hole, hole, hole)), 2 * hole + 1
    grown = F.max_pool2d(wide, side, 1, hole)
    return -F.max_pool2d(-grown, side, 1)


def _stretched(x: Tensor, axis: int, size: int, border: float) -> Tensor:
    """Linearly to `size` places along an axis, beyond the borders as at them."""
    count = x.shape[axis]
    inside = ((torch.arange(size) + 0.5) / size - border) / (1 - 2 * border)
    place = (inside * count - 0.5).clamp(0, count - 1)
    first = place.long()
    share = (place - first).view([-1 if n == axis else 1 for n in range(x.dim())])
    second = (first + 1).clamp(max=count - 1)
    return torch.lerp(x.index_select(axis, first), x.index_select(axis, second), share)


def _extent(touched: Tensor) -> slice:
    """From the first True to the last one."""
    places = touched.nonzero().flatten().tolist()
    return slice(places[0], places[-1] + 1) if places else slice(0, 0)


def _floats(planes: tuple[Codes, Codes], place: tuple[slice, slice]) -> Tensor:
    """Parts of Cb and Cr as [1,2,h,w]."""
    return torch.from_numpy(np.stack([plane[place] for plane in planes]).astype(np.float32))[None]


def _pad(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), mode="replicate")
