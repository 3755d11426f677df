"""The shot that a frame of a film lies in: the frames around it up to the next cuts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from colorize_core.config import ColorizeConfig
from colorize_core.inference.film_view import FilmView
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.reader import read_frames
from colorize_core.media.motion.flow import FlowEstimator, Picture, flow_codes
from colorize_core.media.motion.shots import shared_structure, small_luma

_STEP: Final = 120  # frames looked at before asking whether there was a cut


def find_key_shots(
    path: Path, probe: FilmProbe, frames: Sequence[int], config: ColorizeConfig
) -> tuple[tuple[int, int], ...]:
    """The shots [start, stop) that frames lie in; their cuts are those of the stabilizer.

    Args:
        path: the film.
        probe: of the whole film.
        frames: in any order.
        config: of the film.

    Raises:
        UndecodableError: no frame near one of them decodes.
    """
    looks = _Looks(path, probe, config)
    found: list[tuple[int, int]] = []
    for frame in frames:
        known = next((shot for shot in found if shot[0] <= frame < shot[1]), None)
        found.append(known or looks.shot_around(frame))
    return tuple(found)


def find_cuts(
    path: Path, probe: FilmProbe, config: ColorizeConfig, start: int, stop: int
) -> tuple[int, ...]:
    """The frames of [start, stop) that begin a shot, but the film's first; all are decoded.

    Args:
        path: the film.
        probe: of the film, or its window from two frames before `start` to one after `stop`.
        config: of the film.
        start: the first frame.
        stop: after the last one.

    Raises:
        UndecodableError: no frame decodes.
    """
    return tuple(_Looks(path, probe, config).cuts(max(0, start - 1), stop))


class _Looks:
    def __init__(self, path: Path, probe: FilmProbe, config: ColorizeConfig) -> None:
        self._path, self._probe = path, probe
        self._view = FilmView.of(probe, config.render.size)
        self._threshold = config.temporal.cut_threshold
        self._flow = FlowEstimator("fast")

    def shot_around(self, frame: int) -> tuple[int, int]:
        """From the last cut up to `frame` to the first one after it."""
        start, stop = frame, frame + 1
        while start > 0:
            before = max(0, start - _STEP)
            cuts = [cut for cut in self.cuts(before, start + 1) if cut <= start]
            start = cuts[-1] if cuts else before
            if cuts:
                break
        while stop < self._probe.frames:
            after = min(self._probe.frames, stop + _STEP)
            cut = next(self.cuts(stop - 1, after), None)
            if cut is not None:
                return start, cut
            stop = after
        return start, stop

    def cuts(self, start: int, stop: int) -> Iterator[int]:
        """Frames in (start, stop) that begin a shot."""
        # One more on both sides: one white or torn frame does not end a shot.
        first, end = max(0, start - 1), min(self._probe.frames, stop + 1)
        seen: list[Picture] = []
        for picture in read_frames(self._path, self._probe, first, end):
            seen = [*seen[-2:], small_luma(self._view.light(picture.frame)[0, 0].numpy())]
            middle = picture.index - 1
            if len(seen) == 3 and self._ends(seen[0], seen[1]):
                if not self._ends(seen[0], seen[2]):
                    seen = [seen[0], seen[2]]
                elif start < middle < stop:
                    yield middle
        if len(seen) > 1 and end == self._probe.frames == stop and self._ends(*seen[-2:]):
            yield end - 1

    def _ends(self, first: Picture, second: Picture) -> bool:
        flow = self._flow(flow_codes(first), flow_codes(second))
        return shared_structure(first, second, flow) < self._threshold
