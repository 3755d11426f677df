"""Colors that are known of some frames of a shot, carried to all its frames.

Each frame is matched with the key frames themselves (see `references`), not with the frame before
it: what is carried does not depend on where a segment begins, on the order of work, or on how long
a shot is, and errors do not add up. The stabilizer steadies the result along the motion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.archive.records.item_hints import KeyFrame, ShotHints
from colorize_core.color.letterbox import Letterbox
from colorize_core.color.look import Look
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.hints import hint_planes, hints_of, what_is_meant
from colorize_core.inference.references import CELL, KnownColors, References, carry, see
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.reader import read_frames

_LASTING: Final = 60.0  # seconds from a key frame after which confidence has fallen to 1/e


class ShotColors:
    """What is known of the frames of a segment.

    Args:
        path: the film.
        probe: of it, or a window; only its rate is used.
        windows: of the key frames with points, by their number.
        known: by shot.
        colorizer: looks at frames and references.
        max_pixels: larger references are not used.
        look: of the generator's color.
        box: how a frame is shown.
        L: of a decoded frame, (1, 1, h, w) 0..100, in the stored size of the box.

    Attributes:
        problems: a line for each reference that cannot be used.
    """

    def __init__(
        self,
        path: Path,
        probe: FilmProbe,
        windows: Mapping[int, FilmProbe],
        known: Sequence[ShotHints],
        colorizer: Colorizer,
        *,
        max_pixels: int,
        look: Look,
        box: Letterbox,
        L: Callable[[Any], Tensor],
    ) -> None:
        self._path, self._windows, self._known = path, windows, known
        self._colorizer, self._look, self._box, self._L = colorizer, look, box, L
        self._rate = float(probe.frame_rate)
        self._references = References(colorizer, max_pixels)
        self._made: dict[KeyFrame, list[KnownColors]] = {}
        self.problems: list[str] = []

    def planes(self, index: int, shown: Tensor) -> Tensor | None:
        """What is known of a frame, see `references.carry`; None where nothing is.

        Args:
            index: of the frame.
            shown: L (n, 1, S, T) as the generator is shown it.

        Raises:
            UndecodableError: a key frame does not decode.
        """
        known = [
            self._faded(colors, abs(index - key.frame))
            for shot in self._known
            if shot.start <= index < shot.stop
            for key in shot.keys
            for colors in self._of(key)
        ]
        if not known:
            return None
        parts = torch.split(shown, 1)
        return torch.cat([carry(see(self._colorizer, part), known, part) for part in parts])

    def _faded(self, known: KnownColors, frames: int) -> KnownColors:
        share = torch.exp(torch.tensor(-frames / self._rate / _LASTING))
        return replace(known, confidence=known.confidence * share)

    def _of(self, key: KeyFrame) -> list[KnownColors]:
        if key not in self._made:
            found, problems = self._references.read(key.references)
            self.problems += [line for line in problems if line not in self.problems]
            self._made[key] = [*found, *(self._from_points(key) if key.points else [])]
        return self._made[key]

    def _from_points(self, key: KeyFrame) -> list[KnownColors]:
        """The key frame colored with its points, sure of what they mean."""
        (picture,) = read_frames(self._path, self._windows[key.frame], key.frame, key.frame + 1)
        shown = self._box.to_working(self._L(picture.frame))
        size = (self._box.height, self._box.width)
        # Radii are shares of the short side: any size of the upright picture will do.
        hints = hint_planes(hints_of(key.points, size), self._box, size)
        ab = self._colorizer.predict_ab(shown, hints, look=self._look)
        meant = what_is_meant(self._colorizer.recognize(shown)[2:4], shown, hints)
        found = []
        for part, colors, share in zip(
            *(torch.split(x, 1) for x in (shown, ab, meant)), strict=True
        ):
            sure = F.avg_pool2d(share, CELL)[0].flatten()
            cells = F.avg_pool2d(colors, CELL)[0].flatten(1).T
            found.append(KnownColors(see(self._colorizer, part), cells, sure))
        return found
