"""Letters and logos in color, made ready to be laid over the frames of a segment."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from colorize_core.color.own_color import FrameColor
from colorize_core.color.ycbcr import YCbCrSpec
from colorize_core.media.film.marks import BORDER, Marks
from colorize_core.media.film.shot import Shot


def marks_of(
    shots: Sequence[Shot], size: tuple[int, int], spec: YCbCrSpec
) -> dict[int, FrameColor]:
    """By frame, its color of its own; `size` is the height and width of the chroma planes."""

    @cache
    def ready(marks: Marks) -> FrameColor:
        tone = np.reshape(marks.tone, (-1, 2))
        return FrameColor(marks.cells(), tone, border=1 / BORDER, size=size, spec=spec)

    return {
        number: ready(shot.marks)
        for shot in shots
        if shot.marks is not None
        for number in range(shot.start, shot.stop)
    }
