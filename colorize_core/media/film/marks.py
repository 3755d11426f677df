"""Letters and logos in the gray frames of a shot: where they stand, found over time.

The gray rule tells for each frame which cells leave the tone of the film. Noise of a tape does so
for a moment here and there; a subtitle or a logo stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.color.grayness import OWN, Grayness

Mask = NDArray[np.bool_]

BORDER: Final = 24  # one part in so many at each side of a frame is not looked at
_BEYOND: Final = sum(OWN) / 2  # Lab units: half of the color is kept
_BEYOND_NOISE: Final = 2 * OWN[1]
_NOISY: Final = 2  # times as long is asked of letters in noise
_REACH: Final = 7  # cells
_MOST: Final = 0.3  # of a frame, in a shot: more is no letters
_LOST: Final = 2  # frames that one without the color takes away


@dataclass(frozen=True)
class Marks:
    """Where in a shot's frames color of their own stands.

    Frames are looked at as cells, without their border (BORDER). They are told row by row: how many
    are in a row that have none, then how many that have some, and so on.

    Attributes:
        height: rows of cells.
        width: columns of cells.
        runs: of cells; those that have color have it at least for a while.
        tone: of the rest of the frames: a and b at evenly spaced L from 0 to 100, in turn.
    """

    height: int
    width: int
    runs: tuple[int, ...]
    tone: tuple[float, ...]

    def cells(self) -> Mask:
        """Which have color, [height, width]."""
        mask = np.repeat(np.arange(len(self.runs)) % 2 == 1, self.runs)
        return mask.reshape(self.height, self.width)


def mark_cells(verdict: Grayness, *, is_noisy: bool) -> Mask:
    """Cells [h, w] of a frame that have color of their own; with more asked in colored noise.

    Letters and logos have borders. A rainbow has none: it hardly leaves what is around.
    """
    assert verdict.beyond is not None
    risen = verdict.beyond - _around(verdict.beyond)
    return np.asarray(risen > (_BEYOND_NOISE if is_noisy else _BEYOND))


def _around(beyond: NDArray[Any]) -> NDArray[Any]:
    """What a quarter of the neighborhood of each cell stays below."""
    side = 2 * _REACH + 1
    wide = np.pad(beyond, _REACH, mode="edge")
    near = np.lib.stride_tricks.sliding_window_view(wide, (side, side))[..., ::2, ::2]
    flat = near.reshape(*beyond.shape, -1)
    place = flat.shape[-1] // 4
    return np.asarray(np.partition(flat, place, axis=-1)[..., place])


@dataclass
class MarkTally:
    """Counts, frame by frame, how long each cell of a shot has color.

    Args:
        lasting: frames from which color that stays is a mark.
        is_noisy: the film has colored noise, so that more is asked for.
    """

    lasting: int
    is_noisy: bool
    _streak: Any = field(default=0, init=False)
    _longest: Any = field(default=0, init=False)
    _frames: int = field(default=0, init=False)
    _tone: Any = field(default=0.0, init=False)

    def add(self, verdict: Grayness) -> None:
        """Count one frame; all of a film's have the same number of cells."""
        has_color = mark_cells(verdict, is_noisy=self.is_noisy)
        streak = np.where(has_color, self._streak + 1, np.maximum(self._streak - _LOST, 0))
        self._streak, self._longest = streak, np.maximum(self._longest, streak)
        self._frames += 1
        self._tone = self._tone + verdict.tone

    def marks(self) -> Marks | None:
        """What has stood long enough; None where nothing has."""
        if not self._frames:
            return None
        cells = np.asarray(self._longest >= self.lasting * (_NOISY if self.is_noisy else 1))
        if not cells.any() or cells.mean() > _MOST:
            return None
        tone = np.asarray(self._tone / self._frames).round(1)
        height, width = cells.shape
        return Marks(height, width, _runs(cells), tuple(tone.ravel().tolist()))


def _runs(cells: Mask) -> tuple[int, ...]:
    flat = np.concatenate([[False], cells.ravel()])
    changes = np.flatnonzero(flat[1:] != flat[:-1])
    return tuple(np.diff([0, *changes, cells.size]).tolist())
