"""Films as ground truth: their first frames as RGB pictures of a size that fits in memory."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorize_core.errors import UnsupportedError
from colorize_core.media.film.display_rgb import to_display_rgb
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames

_LEAST_SPREAD = 4.0  # mean distance of the largest and the smallest of R, G, B; noise is below


def read_color_clip(
    path: Path, *, side: int, frames: int, max_pixels: int | None = None
) -> NDArray[np.uint8]:
    """Decode the first frames of a film, upright, with square pixels.

    Args:
        path: a film.
        side: longest side of the pictures; smaller films stay as they are.
        frames: most frames to read.
        max_pixels: of one frame of the film.

    Returns:
        sRGB [n, H, W, 3].

    Raises:
        UnsupportedError: the film has no color.
        InputError: as `probe_film` and `read_frames`.
    """
    clip = read_clip(path, side=side, frames=frames, max_pixels=max_pixels)
    if not has_color(clip):
        raise UnsupportedError("a gray film is no ground truth", remedy="give color films")
    return clip


def has_color(clip: NDArray[np.uint8]) -> bool:
    """Whether pictures [n, H, W, 3] are more than gray with noise."""
    return float((clip.max(-1) - clip.min(-1)).mean()) >= _LEAST_SPREAD


def read_clip(
    path: Path, *, side: int, frames: int, max_pixels: int | None = None
) -> NDArray[np.uint8]:
    """The same of any film, gray ones too."""
    probe = probe_film(path, max_pixels=max_pixels)
    wide = probe.width * float(probe.sample_aspect or Fraction(1))
    scale = min(1.0, side / max(wide, probe.height))
    size = max(1, round(wide * scale)), max(1, round(probe.height * scale))
    pictures = read_frames(path, probe, 0, min(frames, probe.frames))
    return np.stack(
        [
            to_display_rgb(picture.frame, probe, size=size, interpolation="AREA")
            for picture in pictures
        ]
    ).astype(np.uint8, copy=False)
