"""Frames of GIF, APNG and WebP animations, through Pillow."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image

from colorize_core.errors import TooLargeError
from colorize_core.media.photo.formats.base import plain_mode, split_alpha
from colorize_core.media.photo.photo import Animation
from colorize_core.media.photo.raster import Raster, Samples

_MOST_FRAMES: Final = 5_000
_DEFAULT_DELAY: Final = 100  # milliseconds, where a file says 0, as browsers show it


def read_frames(
    image: Image.Image, max_pixels: int, icc: bytes | None = None, orientation: int = 1
) -> tuple[tuple[Raster, ...], Animation]:
    """All frames as they are shown, each whole; gray ones as gray where all are.

    Raises:
        TooLargeError: more pixels in all frames together than `max_pixels`.
    """
    count = int(getattr(image, "n_frames", 1))
    if count > _MOST_FRAMES or count * image.width * image.height > max_pixels:
        raise TooLargeError(
            f"{count} frames of {image.width}x{image.height}, the limit is {max_pixels} pixels",
            remedy="raise photo.max_pixels if memory allows, or give it as a film",
        )
    frames: list[tuple[Samples, Samples | None]] = []
    delays = []
    for index in range(count):
        image.seek(index)
        image.load()
        frames.append(split_alpha(np.array(image.convert(plain_mode(image)))))
        delays.append(round(float(image.info.get("duration", 0))) or _DEFAULT_DELAY)
    is_gray = all(color.ndim == 2 or (color == color[..., :1]).all() for color, _ in frames)
    has_alpha = any(alpha is not None for _, alpha in frames)
    rasters = tuple(
        Raster(_as(color, is_gray), _filled(alpha, color) if has_alpha else None, icc, orientation)
        for color, alpha in frames
    )
    later = bool(getattr(image, "default_image", False))
    return rasters, Animation(tuple(delays), int(image.info.get("loop", 1)), later)


def _as(color: Samples, is_gray: bool) -> Samples:
    if color.ndim == 2:
        return color if is_gray else np.repeat(color[..., None], 3, axis=2)
    return np.ascontiguousarray(color[..., 0]) if is_gray else color


def _filled(alpha: Samples | None, color: Samples) -> Samples:
    return np.full(color.shape[:2], 255, np.uint8) if alpha is None else alpha
