"""Which frames of a shot speak for its colors: spread over it, and cheap to decode where possible.

The choice depends on the film and its cuts alone, so all segments of a film agree on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.errors import UndecodableError
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.reader import Frame, read_frames

MOST: Final = 6  # key frames that speak for one frame
REACH_SECONDS: Final = 20.0  # a key frame says nothing of frames further away

_EVERY, _SPARSE = 1.0, 6.5  # seconds between key frames of short and of long shots
_LEAST: Final = 3
_SHORT: Final = 0.5  # seconds of a shot that needs none
_ASIDE: Final = 1 / 3  # of the spacing, to a keyframe of the stream
_NONE: Final[NDArray[np.int64]] = np.empty(0, np.int64)


@dataclass(frozen=True)
class AnchorShot:
    """Frames [start, stop) between two cuts, and its key frames in order."""

    start: int
    stop: int
    frames: tuple[int, ...]


def reach_of(probe: FilmProbe) -> int:
    """Frames on each side that a key frame speaks for."""
    return max(1, round(REACH_SECONDS * probe.frame_rate))


def anchor_shots(probe: FilmProbe, cuts: Iterable[int]) -> tuple[AnchorShot, ...]:
    """Key frames of every shot.

    Args:
        probe: of the whole film.
        cuts: frames that begin a shot, ascending; not 0.
    """
    borders = [0, *cuts, probe.frames]
    rate, keyframes = float(probe.frame_rate), probe.keyframes
    return tuple(
        AnchorShot(a, b, spread_frames(a, b, rate, keyframes)) for a, b in pairwise(borders)
    )


def anchors_near(
    shots: Iterable[AnchorShot], start: int, stop: int, reach: int
) -> tuple[AnchorShot, ...]:
    """The shots of frames [start, stop), with the key frames within reach of these alone."""
    near = (
        replace(shot, frames=tuple(k for k in shot.frames if start - reach < k < stop + reach))
        for shot in shots
        if shot.start < stop and start < shot.stop
    )
    return tuple(shot for shot in near if shot.frames)


def spread_frames(
    start: int, stop: int, rate: float, keyframes: NDArray[np.int64] = _NONE
) -> tuple[int, ...]:
    """Key frames of a shot: the middles of equal parts, or a keyframe of the stream close by.

    Args:
        start: first frame of the shot.
        stop: after its last frame.
        rate: frames per second.
        keyframes: of the stream, ascending.
    """
    seconds = (stop - start) / rate
    if seconds < _SHORT:
        return ()
    spacing = min(max(_EVERY, seconds / MOST), _SPARSE)
    count = min(stop - start, max(_LEAST, round(seconds / spacing)))
    length = (stop - start) / count
    middles = [start + int((part + 0.5) * length) for part in range(count)]
    inside = keyframes[(keyframes >= start) & (keyframes < stop)]
    return tuple(_near(middle, inside, _ASIDE * length) for middle in middles)


def _near(frame: int, keyframes: NDArray[np.int64], most: float) -> int:
    away = np.abs(keyframes - frame)
    return int(keyframes[away.argmin()]) if away.size and away.min() <= most else frame


class AnchorReader:
    """Decodes key frames, those that are damaged left out.

    A film in which no decoding can begin is decoded once from its beginning, not for each call.

    Args:
        path: the film.
        probe: of the film, or a window with the frames that will be asked for.
    """

    def __init__(self, path: Path, probe: FilmProbe) -> None:
        self._path, self._probe = path, probe
        self._running: Iterator[Frame] | None = None

    def read(self, frames: Sequence[int]) -> Iterator[Frame]:
        """Key frames, ascending, also from one call to the next."""
        if not frames:
            return
        if self._probe.is_segmentable:
            for group in _together(self._probe, frames):
                pictures = read_frames(self._path, self._probe, group[0], group[-1] + 1)
                yield from _whole(pictures, group)
        else:
            if self._running is None:
                self._running = read_frames(self._path, self._probe, frames[0], self._probe.frames)
            yield from _whole(self._running, frames)


def _whole(pictures: Iterator[Frame], frames: Sequence[int]) -> Iterator[Frame]:
    """What of these frames is undamaged; reads no further than the last of them."""
    wanted = set(frames)
    try:
        while wanted and (picture := next(pictures, None)) is not None:
            if picture.index in wanted and not (picture.is_held or picture.is_corrupt):
                yield picture
            wanted.discard(picture.index)
    except UndecodableError:
        return  # the segment that holds them says so


def _together(probe: FilmProbe, frames: Sequence[int]) -> list[list[int]]:
    """Frames that decoding reaches from one keyframe."""
    groups: list[list[int]] = []
    last: int | None = None
    for frame in frames:
        place = int(np.searchsorted(probe.keyframes, frame, side="right"))
        if place != last:
            groups.append([])
        groups[-1].append(frame)
        last = place
    return groups
