"""Shots of a film as an edit decision list, which editing programs read (CMX 3600)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import PurePosixPath


def edit_list(name: str, cuts: Iterable[int], *, frames: int, rate: float) -> str:
    """One event per shot; source and record times are the same.

    Time codes count frames, 24 of them a second for 23.976, without drop frames. A film of variable
    frame rate has frames here, not seconds.

    Args:
        name: of the film.
        cuts: numbers of the frames at which a new shot begins.
        frames: of the film.
        rate: frames per second.
    """
    title = "".join(c if " " <= c <= "~" else "?" for c in PurePosixPath(name).name)
    lines = [f"TITLE: {title[:70]}", "FCM: NON-DROP FRAME", ""]
    for number, (start, stop) in enumerate(shot_ranges(cuts, frames), 1):
        times = " ".join(timecode(frame, rate) for frame in (start, stop, start, stop))
        lines += [
            f"{number:03d}  AX       V     C        {times}",
            f"* FROM CLIP NAME: {title}",
            "",
        ]
    return "\n".join(lines)


def shot_ranges(cuts: Iterable[int], frames: int) -> Sequence[tuple[int, int]]:
    """Half-open ranges of frames between cuts; the whole film where there are none."""
    inside = sorted({cut for cut in cuts if 0 < cut < frames})
    borders = [0, *inside, frames]
    return list(pairwise(borders))


def timecode(frame: int, rate: float) -> str:
    """`hh:mm:ss:ff` of a frame."""
    per_second = max(1, round(rate))
    seconds, rest = divmod(frame, per_second)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{rest:02d}"
