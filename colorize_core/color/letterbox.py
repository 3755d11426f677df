"""How a picture lies in what the generator sees, and the way back.

A still, a film frame and a picture that is judged take the same way: the picture is made small,
turned upright with square pixels, and filled up with its own mirror image to sides that the
generator takes. One that is much longer than wide is shown in overlapping parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

GRID: Final = 32  # sides of what the generator sees are multiples of this
_SHORTEST: Final = (
    0.5  # of the working size: 128 rows of 256; in fewer it recognizes hardly anything
)
_LONGEST: Final = 3.0  # aspect up to which a picture is shown whole
_PART: Final = 1.5  # aspect of a part
_OVERLAP: Final = 0.5  # of a part with the next, at least
_MOST_PARTS: Final = 64  # of a picture that is hardly more than a line: then it is shown smaller


@dataclass(frozen=True)
class Letterbox:
    """Where a picture lies in what the generator sees.

    Attributes:
        height: of the picture at working size, upright, in square pixels.
        width: of the same.
        length: of a part along the long side.
        starts: where each part begins along the long side; (0,) for a picture shown whole.
        quarter_turns: counter-clockwise, from stored to upright.
        is_mirrored: then left and right change places.
    """

    height: int
    width: int
    length: int
    starts: tuple[int, ...] = (0,)
    quarter_turns: int = 0
    is_mirrored: bool = False

    @classmethod
    def of(
        cls,
        height: int,
        width: int,
        size: int,
        *,
        quarter_turns: int = 0,
        is_mirrored: bool = False,
    ) -> Letterbox:
        """Long side `size`, but the short side never below half of it.

        Args:
            height: rows of the upright picture, in square pixels.
            width: columns of the same.
            size: working size, a multiple of 32.
            quarter_turns: counter-clockwise, from stored to upright.
            is_mirrored: then left and right change places.

        Raises:
            ValueError: a side is not positive.
        """
        if min(height, width, size) < 1:
            raise ValueError(f"cannot place {height} x {width} in {size}")
        short, long = sorted((height, width))
        if long > _LONGEST * short:
            most = size * (1 + (_MOST_PARTS - 1) * (1 - _OVERLAP))
            scale = min(size / _PART / short, most / long)
        else:
            scale = max(size / long, _SHORTEST * size / short)
        rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
        length = max(rows, columns)
        starts = _starts(length, size) if long > _LONGEST * short else (0,)
        return cls(
            height=rows,
            width=columns,
            length=min(length, size) if len(starts) > 1 else length,
            starts=starts,
            quarter_turns=quarter_turns,
            is_mirrored=is_mirrored,
        )

    @classmethod
    def of_picture(cls, x: Tensor, size: int) -> Letterbox:
        """Of an upright picture [..., H, W] with square pixels."""
        return cls.of(x.shape[-2], x.shape[-1], size)

    @property
    def stored_size(self) -> tuple[int, int]:
        """(height, width) of the picture at working size, as it is stored."""
        turned = self.quarter_turns % 2
        return (self.width, self.height) if turned else (self.height, self.width)

    @property
    def shown_size(self) -> tuple[int, int]:
        """(height, width) of what the generator sees, multiples of 32."""
        high = self.length if self._is_tall else self.height
        wide = self.width if self._is_tall else self.length
        return high + -high % GRID, wide + -wide % GRID

    def shrink(self, x: Tensor) -> Tensor:
        """[1,C,H,W] of any size to `stored_size`, antialiased."""
        if x.shape[-2:] == self.stored_size:
            return x.float()
        return F.interpolate(x.float(), self.stored_size, mode="bilinear", antialias=True)

    def to_working(self, x: Tensor) -> Tensor:
        """What the generator sees.

        Args:
            x: [1,C,h,w] of `stored_size`.

        Returns:
            [n,C,*shown_size], one per part, upright.
        """
        upright = torch.rot90(x, self.quarter_turns, (2, 3))
        upright = upright.flip(3) if self.is_mirrored else upright
        return torch.cat([padded(part, self.shown_size) for part in self._parts(upright)])

    def from_working(self, x: Tensor) -> Tensor:
        """Back from [n,C,*shown_size] to [1,C,*stored_size]; parts fade into each other."""
        top, left, rows, columns = self._inside
        inner = x[..., top : top + rows, left : left + columns]
        return self.to_stored(inner if len(self.starts) == 1 else self._blended(inner))

    def to_stored(self, upright: Tensor) -> Tensor:
        """From the upright picture at working size, [1,C,height,width], to `stored_size`."""
        upright = upright.flip(3) if self.is_mirrored else upright
        return torch.rot90(upright, -self.quarter_turns, (2, 3)).contiguous()

    def shown_at(self, y: int, x: int) -> list[tuple[int, int, int]]:
        """Where row y and column x of the picture (upright, working size) are shown.

        Returns:
            (part, row, column) in every part that shows it.
        """
        top, left, *_ = self._inside
        along, across = (y, x) if self._is_tall else (x, y)
        seen = [(n, along - start) for n, start in enumerate(self.starts)]
        inside = [(n, at) for n, at in seen if 0 <= at < self.length]
        if self._is_tall:
            return [(n, top + at, left + across) for n, at in inside]
        return [(n, top + across, left + at) for n, at in inside]

    @property
    def _inside(self) -> tuple[int, int, int, int]:
        """Top, left, height and width of the picture in what is shown."""
        high, wide = self.shown_size
        rows, columns = (self.length, self.width) if self._is_tall else (self.height, self.length)
        return (high - rows) // 2, (wide - columns) // 2, rows, columns

    @property
    def _is_tall(self) -> bool:
        return self.height > self.width

    def _parts(self, upright: Tensor) -> Iterator[Tensor]:
        axis = 2 if self._is_tall else 3
        return (upright.narrow(axis, start, self.length) for start in self.starts)

    def _blended(self, parts: Tensor) -> Tensor:
        """Weights rise evenly to a part's middle, so no border of a part shows."""
        axis = 2 if self._is_tall else 3
        ramp = torch.arange(1, self.length + 1, dtype=torch.float32)
        shape = (1, 1, -1, 1) if self._is_tall else (1, 1, 1, -1)
        weight = torch.minimum(ramp, ramp.flip(0)).view(shape)
        total = torch.zeros(1, parts.shape[1], self.height, self.width)
        weights = torch.zeros(*(side if i == axis else 1 for i, side in enumerate(total.shape)))
        for start, part in zip(self.starts, parts, strict=True):
            total.narrow(axis, start, self.length).add_(part[None] * weight)
            weights.narrow(axis, start, self.length).add_(weight)
        return total / weights


def _starts(whole: int, part: int) -> tuple[int, ...]:
    """Even steps of at most half a part."""
    if whole <= part:
        return (0,)
    steps = -(-(whole - part) // round(part * (1 - _OVERLAP)))
    return tuple(round(i * (whole - part) / steps) for i in range(steps + 1))


def padded(x: Tensor, size: tuple[int, int]) -> Tensor:
    """[B,C,h,w] in the middle of `size`, filled up with its mirror image."""
    rows = _mirrored((size[0] - x.shape[2]) // 2, x.shape[2], size[0])
    columns = _mirrored((size[1] - x.shape[3]) // 2, x.shape[3], size[1])
    return x.index_select(2, rows.to(x.device)).index_select(3, columns.to(x.device))


def _mirrored(offset: int, length: int, size: int) -> Tensor:
    """Of each of `size` pixels, which of `length` it shows; reflected as often as it takes."""
    phase = (torch.arange(size) - offset) % (2 * length)
    return torch.where(phase < length, phase, 2 * length - 1 - phase)
