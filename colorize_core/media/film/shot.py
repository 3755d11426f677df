"""A shot of a film: frames between two cuts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from colorize_core.media.film.marks import Marks


@dataclass(frozen=True)
class Shot:
    """Frames [start, stop) between two cuts.

    Attributes:
        start: number of its first frame.
        stop: after its last frame.
        is_colored: it has color of its own, which is kept.
        tone: of a tinted or toned one: a and b at evenly spaced L from 0 to 100, in turn.
        marks: of a gray one: its letters and logos in color.
    """

    start: int
    stop: int
    is_colored: bool
    tone: tuple[float, ...] = ()
    marks: Marks | None = None


def window_of(shots: Iterable[Shot], start: int, stop: int) -> tuple[Shot, ...]:
    """The parts of shots that lie in frames [start, stop), cut to it."""
    cut = (replace(s, start=max(s.start, start), stop=min(s.stop, stop)) for s in shots)
    return tuple(shot for shot in cut if shot.start < shot.stop)


def is_wholly_colored(shots: Sequence[Shot]) -> bool:
    """Nothing of the film is to be colored."""
    return bool(shots) and all(shot.is_colored for shot in shots)


def as_one(shots: Sequence[Shot]) -> tuple[Shot, ...]:
    """One verdict for the whole film: in color if a quarter of it or more is."""
    if not shots:
        return ()
    start, stop = shots[0].start, shots[-1].stop
    is_colored = 4 * colored_frames(shots) >= stop - start
    if not is_colored and any(shot.tone for shot in shots):
        return tuple(replace(shot, is_colored=False, marks=None) for shot in shots)
    return (Shot(start, stop, is_colored),)


def tinted_frames(shots: Iterable[Shot]) -> int:
    """How many frames have a tint that is not color of their own."""
    return sum(shot.stop - shot.start for shot in shots if shot.tone and not shot.is_colored)


def colored_frames(shots: Iterable[Shot]) -> int:
    """How many frames keep the color that they have."""
    return sum(shot.stop - shot.start for shot in shots if shot.is_colored)


def marked_frames(shots: Iterable[Shot]) -> int:
    """How many gray frames are of shots with letters or logos in color."""
    return sum(shot.stop - shot.start for shot in shots if shot.marks)
