"""Where a film may be cut."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from colorize_core.media.film.film import FilmProbe

_RUN_UP = 8  # frames between a keyframe and a border; the filter over time needs some before it
_PIECES = 4


def plan_segments(probe: FilmProbe, segment_frames: int) -> list[tuple[int, int]]:
    """Cut a film into half-open ranges of frame numbers; one range if it cannot be cut.

    Ranges start a little after a keyframe where one is near, so that little is decoded twice. They
    are 3/4 to 3/2 of `segment_frames` long (the last one down to 1/2), but longer in films with
    hardly any keyframes: there, every range is decoded from far before it.
    """
    borders = [0]
    if probe.is_segmentable:
        starts = probe.keyframes + _RUN_UP
        while probe.frames - borders[-1] > 1.5 * segment_frames:
            borders.append(_next_border(borders[-1], starts, probe.frames, segment_frames))
    return list(itertools.pairwise([*borders, probe.frames]))


def _next_border(last: int, starts: NDArray[np.int64], frames: int, length: int) -> int:
    target = last + length
    shortest, longest = last + 3 * length // 4, min(last + 3 * length // 2, frames - length // 2)
    near = starts[(starts >= shortest) & (starts <= longest)]
    if near.size:
        return int(near[np.abs(near - target).argmin()])
    before = int(starts[starts <= target].max(initial=0))
    after = int(starts[starts > target].min(initial=frames))
    # A stretch between keyframes is cut into few pieces: each is decoded from its beginning.
    step = max(length, -(-(after - before) // _PIECES))
    return min(last + step, after) if after < frames else min(last + step, frames - length // 2)
