"""Chroma planes of film frames from ab at working size; of interlaced ones field by field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from colorize_core.color.fields import field_colors
from colorize_core.color.upsample import Method
from colorize_core.color.ycbcr import YCbCrSpec, chroma_planes, codes_to_luma, luma_to_L
from colorize_core.media.film.planes import Plane, resize_plane


@dataclass(frozen=True)
class FilmChroma:
    """How ab becomes chroma planes.

    Attributes:
        spec: of the stream.
        size: height and width of the chroma planes.
        working: height and width at which ab is predicted.
        method: of enlarging.
        is_woven: frames hold two fields in turn, and so do their chroma planes.
    """

    spec: YCbCrSpec
    size: tuple[int, int]
    working: tuple[int, int]
    method: Method
    is_woven: bool

    def planes(self, samples: Plane, L: Tensor, ab: Tensor) -> tuple[Tensor, Plane, Plane]:
        """Y' [1,1,h,w] 0..1 at the size of the chroma planes, Cb and Cr [h,w].

        Args:
            samples: Y' of the frame, [H,W].
            L: [1,1,h',w'], what the generator saw, without padding, 0..100.
            ab: [1,2,h',w'].
        """
        if not self.is_woven or self.size[0] < 2:
            return self._planes(samples, L, ab, self.size[0])
        fields = [samples[parity::2] for parity in (0, 1)]
        lights = [self._light(field) for field in fields]
        luma = torch.empty(1, 1, *self.size)
        cb, cr = (np.empty(self.size, samples.dtype) for _ in range(2))
        for parity, field in enumerate(fields):
            own = field_colors(L, ab, lights[parity], lights[1 - parity])
            rows = len(range(parity, self.size[0], 2))
            luma[:, :, parity::2], cb[parity::2], cr[parity::2] = self._planes(
                field, lights[parity], own, rows
            )
        return luma, cb, cr

    def _planes(
        self, samples: Plane, L: Tensor, ab: Tensor, height: int
    ) -> tuple[Tensor, Plane, Plane]:
        small = resize_plane(samples, self.size[1], height)
        luma = codes_to_luma(as_tensor(small), self.spec)
        codes = chroma_planes(luma, L, ab, self.spec, method=self.method)
        cb, cr = (code[0].numpy() for code in codes)
        return luma, cb, cr

    def _light(self, field: Plane) -> Tensor:
        """L [1,1,h',w'] of one field; it may have fewer rows than that."""
        high, wide = self.working
        narrow = resize_plane(field, wide, min(high, len(field)))
        return luma_to_L(as_tensor(resize_plane(narrow, wide, high)), self.spec)


def as_tensor(samples: Plane) -> Tensor:
    """[H, W] to [1,1,H,W]; 16-bit samples become int32, which torch calculates with."""
    dense = np.ascontiguousarray(samples)
    wide = dense if dense.dtype == np.uint8 else dense.astype(np.int32)
    return torch.from_numpy(wide)[None, None]
