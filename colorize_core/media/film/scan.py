"""Looking at a whole film before it is colored: what of it has color of its own.

First only at frames that decode by themselves, which is cheap and enough for a film that is all
gray or all in color. Where both are found, or letters and logos in color, every frame is decoded:
cuts are found by the rule of the stabilizer, and each shot is judged by most of what it shows.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import av
import numpy as np

from colorize_core.color.grayness import Grayness, judge
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.looks import (
    EVERY,
    WINDOW,
    Picture,
    Tone,
    is_steady,
    key_looks,
    second_looks,
    small_picture,
    tone_of,
)
from colorize_core.media.film.marks import Marks, MarkTally
from colorize_core.media.film.planes import plane, resize_plane
from colorize_core.media.film.reader import read_frames
from colorize_core.media.film.shot import Shot
from colorize_core.media.motion.shots import CutFinder

# A few gray seconds in a film in color (titles, a night) are no black-and-white film: the film is
# copied as it is. The same share of color in a gray film is kept as it is, too.
_GRAY_PART: Final = 0.02
_MIDTONES: Final = slice(4, 11)  # knots of the tone model
_OTHER_TINT: Final = 6.0  # Lab units


def scan_film(
    path: Path, probe: FilmProbe, *, cut_threshold: float, each_tint: bool = False
) -> tuple[Shot, ...]:
    """Find which parts of a film have color of their own.

    Args:
        path: the film.
        probe: of the whole film.
        cut_threshold: shared structure below which two frames are a cut, see media.motion.shots.
        each_tint: find the tint of each shot of a tinted film, not only that it is one.

    Returns:
        Shots in order, together all frames. One for the whole film where all of it is alike.

    Raises:
        UndecodableError: no frame decodes.
    """
    looks = [look for look in key_looks(path, probe) if look is not None]
    colored = [look for look in looks if look.is_colored]
    answers = second_looks(path, probe, colored, cut_threshold)
    is_noisy = False in answers
    tone = _common([look.tone for look in looks])
    has_color = bool(colored) and not (is_noisy and True not in answers)
    has_marks = any(look.has_marks_in_noise if is_noisy else look.has_marks for look in looks)
    gray = Shot(0, probe.frames, is_colored=False, tone=tone)
    in_color = Shot(0, probe.frames, is_colored=True)
    if has_color and len(colored) == len(looks) and not is_noisy:
        return (in_color,)
    keeps_tints = each_tint and bool(tone)
    if not (has_color or has_marks or keeps_tints):
        return (gray,)
    shortest = max(1, round(probe.frame_rate * EVERY))
    new = partial(_Seen, lasting=shortest, is_noisy=is_noisy)
    seen = _between_cuts(path, probe, cut_threshold, new, each_tint=each_tint)
    shots = _judged(seen, shortest)
    if not has_color:
        shots = tuple(replace(shot, is_colored=False) for shot in shots)
    elif _gray_frames(shots) <= _GRAY_PART * probe.frames:
        return (in_color,)
    is_worth = keeps_tints or any(shot.is_colored or shot.marks for shot in shots)
    return shots if is_worth else (gray,)


def _gray_frames(shots: Sequence[Shot]) -> int:
    return sum(shot.stop - shot.start for shot in shots if not shot.is_colored)


def _common(tones: Sequence[Tone]) -> tuple[float, ...]:
    """The mean of tones where at least half have one, as in Shot."""
    found = [tone for tone in tones if tone is not None]
    if not found or 2 * len(found) < len(tones):
        return ()
    return tuple(np.mean(found, 0).round(1).ravel().tolist())


@dataclass
class _Seen:
    """Frames from one cut to the next; whether each has color, None where it says nothing."""

    start: int
    lasting: int
    is_noisy: bool
    looks: list[bool | None] = field(default_factory=list)
    pictures: deque[Picture] = field(default_factory=lambda: deque(maxlen=WINDOW))
    tones: list[Tone] = field(default_factory=list)
    asked: int = 0
    tally: MarkTally = field(init=False)

    def __post_init__(self) -> None:
        self.tally = MarkTally(self.lasting, self.is_noisy)

    def add(self, verdict: Grayness | None, picture: Picture | None) -> None:
        """Count one frame; its picture where second looks may be needed."""
        look = None if verdict is None else verdict.kind == "colored"
        self.looks.append(look)
        if verdict is not None and not look:
            self.tones.append(tone_of(verdict))
        # Colored noise lies over letters, too.
        if verdict is not None and (self.is_noisy or not look):
            self.tally.add(verdict)
        if picture is not None and self.is_noisy:
            self.pictures.append(picture)

    def marks(self) -> Marks | None:
        """Letters and logos, of frames that are gray."""
        return None if self.is_noisy and True in self.looks else self.tally.marks()

    def is_tinted_otherwise(self, verdict: Grayness | None) -> bool:
        """Whether a frame has another tint than the shot began with."""
        tone = None if verdict is None else tone_of(verdict)
        first = next((tone for tone in self.tones if tone is not None), None)
        if tone is None or first is None:  # a frame now and then hardly shows its tint
            return False
        return bool(np.abs((tone - first)[_MIDTONES].mean(0)).max() > _OTHER_TINT)

    @property
    def is_due(self) -> bool:
        """A second look would see only new frames."""
        return len(self.looks) - self.asked == WINDOW

    def ask_again(self) -> None:
        """Take what looked colored since the last time for gray if a second look says so."""
        if not self.is_noisy:
            return
        new = self.looks[self.asked :]
        if 2 * new.count(True) > len(new) and is_steady(self.pictures) is False:
            self.looks[self.asked :] = [None if look is None else False for look in new]
        self.asked = len(self.looks)


def _between_cuts(
    path: Path,
    probe: FilmProbe,
    cut_threshold: float,
    new: Callable[[int], _Seen],
    *,
    each_tint: bool,
) -> Iterator[_Seen]:
    cuts = CutFinder(cut_threshold)
    seen = new(0)
    picture: Picture | None = None
    verdict: Grayness | None = None
    for frame in read_frames(path, probe, 0, probe.frames, keep_source=True):
        is_cut = cuts.begins_shot(_small_L(frame.frame, probe))
        says_something = not (frame.is_held or frame.is_corrupt)
        if says_something:
            assert frame.source is not None
            picture = small_picture(frame.source)
            verdict = None if picture is None else judge(picture)
        is_cut |= each_tint and seen.is_tinted_otherwise(verdict)
        if is_cut or seen.is_due:
            seen.ask_again()
        if is_cut:
            yield seen
            seen = new(frame.index)
        seen.add(verdict, picture if says_something else None)
    seen.ask_again()
    yield seen


def _small_L(frame: av.VideoFrame, probe: FilmProbe) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Y' as 0..100, at most 128 wide: near enough to L* for the structure that makes a cut."""
    luma = plane(frame, 0)
    scale = min(1.0, 128 / max(luma.shape))
    size = (max(1, round(luma.shape[1] * scale)), max(1, round(luma.shape[0] * scale)))
    small = resize_plane(luma, *size).astype(np.float32)
    return small * np.float32(100 / ((1 << probe.planar.depth) - 1))


def _judged(seen: Iterator[_Seen], shortest: int) -> tuple[Shot, ...]:
    """Shots by most of what they show, parted where the color comes or goes without a cut."""
    shots: list[Shot] = []
    for part in seen:
        start = part.start
        for length, look in _runs(part.looks, shortest):
            # What says nothing goes with what stands before it.
            colored = look if look is not None else bool(shots) and shots[-1].is_colored
            tone = () if colored else _common(part.tones)
            marks = None if colored else part.marks()
            shots.append(Shot(start, start + length, colored, tone, marks))
            start += length
    return tuple(shots)


def _runs(looks: list[bool | None], shortest: int) -> list[tuple[int, bool | None]]:
    """Lengths of equal looks; runs under `shortest` frames and blank ones join those around."""
    runs = [(len(list(same)), look) for look, same in itertools.groupby(looks)]
    while len(runs) > 1:
        weak = [n for n, (length, look) in enumerate(runs) if look is None or length < shortest]
        if not weak:
            break
        at = min(weak, key=lambda n: runs[n][0])
        into = at - 1 if at == len(runs) - 1 or (at and runs[at - 1][0] >= runs[at + 1][0]) else at
        (first, look), (second, other) = runs[into : into + 2]
        kept = look if into != at and look is not None else other if other is not None else look
        runs[into : into + 2] = [(first + second, kept)]
        runs = [
            (sum(length for length, _ in same), value)
            for value, same in ((v, list(g)) for v, g in itertools.groupby(runs, lambda r: r[1]))
        ]
    return runs
