"""How the generator sees the frames of a film."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from colorize_core.color.letterbox import Letterbox
from colorize_core.color.ycbcr import YCbCrSpec, luma_to_L
from colorize_core.inference.film_chroma import as_tensor
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.planes import plane, resize_plane


@dataclass(frozen=True)
class FilmView:
    """How the generator sees the frames of a film."""

    box: Letterbox
    spec: YCbCrSpec

    @classmethod
    def of(cls, probe: FilmProbe, size: int) -> Self:
        """At working size `size`."""
        depth = probe.planar.depth
        spec = YCbCrSpec(probe.matrix, probe.is_full_range, depth, probe.transfer)
        return cls(letterbox_of(probe, size), spec)

    def light(self, frame: Any) -> Tensor:
        """L of a decoded frame, (1, 1, h, w) 0..100, as the film stores it."""
        high, wide = self.box.stored_size
        return luma_to_L(as_tensor(resize_plane(plane(frame, 0), wide, high)), self.spec)


def letterbox_of(probe: FilmProbe, size: int) -> Letterbox:
    """How the generator sees a film: upright, in square pixels."""
    wide, high = probe.display_size
    turns = round(probe.rotation / 90) % 4
    return Letterbox.of(high, wide, size, quarter_turns=turns, is_mirrored=probe.is_mirrored)
