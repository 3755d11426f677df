"""How a film's picture is shown to the generator, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.planes import Plane, resize_plane

_GRID = 32  # sides of what the generator sees are multiples of this


@dataclass(frozen=True)
class View:
    """How a film's picture lies in what the generator sees: upright, square pixels, padded.

    Attributes:
        width: of the picture inside, as stored (before turning it upright).
        height: of the picture inside, as stored.
        quarter_turns: counter-clockwise, from stored to upright.
        is_mirrored: then left and right change places.
        padding: left, right, top, bottom, of the upright picture.
    """

    width: int
    height: int
    quarter_turns: int
    is_mirrored: bool = False
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    @classmethod
    def of(cls, probe: FilmProbe, size: int) -> View:
        """Long side `size`, each side padded to the grid."""
        wide, high = probe.display_size
        scale = size / max(wide, high)
        inner_wide, inner_high = max(1, round(wide * scale)), max(1, round(high * scale))
        pad_x, pad_y = -inner_wide % _GRID, -inner_high % _GRID
        padding = (pad_x // 2, pad_x - pad_x // 2, pad_y // 2, pad_y - pad_y // 2)
        turns = round(probe.rotation / 90) % 4
        stored = (inner_high, inner_wide) if turns % 2 else (inner_wide, inner_high)
        return cls(*stored, turns, probe.is_mirrored, padding)

    def shrink(self, luma: Plane) -> Plane:
        """Y' [H, W] at the inner size, not turned yet."""
        return resize_plane(luma, self.width, self.height)

    def upright(self, x: Tensor) -> Tensor:
        """[1,C,h,w] as stored to upright and padded, without a gap or an edge at the border."""
        turned = torch.rot90(x, self.quarter_turns, (2, 3))
        turned = turned.flip(3) if self.is_mirrored else turned
        left, right, top, bottom = self.padding
        high, wide = turned.shape[-2:]
        # A mirror is at most as wide as the picture; tiny pictures repeat their border instead.
        fits = max(left, right) < wide and max(top, bottom) < high
        return F.pad(turned, self.padding, mode="reflect" if fits else "replicate")

    def inner(self, x: Tensor) -> Tensor:
        """[B,C,h,w] without the padding."""
        left, right, top, bottom = self.padding
        return x[..., top : x.shape[-2] - bottom, left : x.shape[-1] - right]

    def as_stored(self, x: Tensor) -> Tensor:
        """Turn what is upright, without padding, as the source stores it."""
        shown = x.flip(3) if self.is_mirrored else x
        return torch.rot90(shown, -self.quarter_turns, (2, 3)).contiguous()
