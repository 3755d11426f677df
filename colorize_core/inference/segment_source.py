"""What a segment of a film is made from: its frames with their halo, kept or decoded again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from colorize_core.inference.film_view import FilmView
from colorize_core.inference.stage_clock import StageClock
from colorize_core.media.film.counts import Damage
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.reader import Frame, read_frames


@dataclass(frozen=True)
class SeenFrame:
    """A frame on its way: `picture` is None where it is not kept, and in the halo.

    L is [1,1,h,w], 0..100, at working size, as the film stores it.
    """

    index: int
    picture: Frame | None
    L: Tensor


class SegmentSource:
    """Decodes frames [start, stop) of a film.

    Args:
        path: the film.
        probe: of the film, or its window around the range.
        start: first frame.
        stop: after the last frame.
        halo: frames on both sides that only steady the others.
        view: how the generator sees them.
        clock: of the segment.
        keeps: whether whole frames stay in memory until they are encoded.
        deinterlace: fields become whole pictures.
        keep_source: frames keep their own chroma.
    """

    def __init__(
        self,
        path: Path,
        probe: FilmProbe,
        start: int,
        stop: int,
        *,
        halo: int,
        view: FilmView,
        clock: StageClock,
        keeps: bool,
        deinterlace: bool,
        keep_source: bool,
    ) -> None:
        self._path, self._probe = path, probe
        self._start, self._stop, self._halo = start, stop, halo
        self._view, self._clock, self._keeps = view, clock, keeps
        self._deinterlace, self._keep_source = deinterlace, keep_source
        self.damage = Damage()

    def is_inside(self, index: int) -> bool:
        """Whether a frame belongs to the range, and not to its halo."""
        return self._start <= index < self._stop

    def seen(self) -> Iterator[SeenFrame]:
        """All frames, with the Y' of each shrunk to what the generator sees."""
        pictures = self._pictures()
        last: Any = None
        L = torch.empty(0)
        while True:
            with self._clock("decode"):
                picture = next(pictures, None)
                if picture is None:
                    return
                # A frame that is held once more may be in use by a later stage already.
                if picture.frame is not last:
                    L = self._view.light(picture.frame)
                last = picture.frame
            is_inside = self.is_inside(picture.index)
            if is_inside:
                self.damage.count(picture)
            yield SeenFrame(picture.index, picture if is_inside and self._keeps else None, L)

    def again(self) -> Iterator[Frame]:
        """The frames to encode; from the same beginning, so that the same ones are held."""
        pictures = self._pictures()
        while True:
            with self._clock("again"):
                picture = next(pictures)
            if picture.index >= self._start:
                yield picture

    def _pictures(self) -> Iterator[Frame]:
        return read_frames(
            self._path,
            self._probe,
            max(0, self._start - self._halo),
            min(self._probe.frames, self._stop + self._halo),
            deinterlace=self._deinterlace,
            keep_source=self._keep_source,
        )
