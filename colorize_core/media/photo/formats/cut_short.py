"""TGA and PCX that are cut short: the rows that are there, and black ones for the rest."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image

from colorize_core.errors import UndecodableError
from colorize_core.media.photo.formats.base import check_pixels, plain_mode
from colorize_core.media.photo.raster import Samples

CUT_SHORT: Final = "cut short: {percent} % of its rows are missing and black"
_LEAST_ROWS: Final = 0.1
_MOST_PER_PIXEL: Final = 5  # bytes: a packet of one pixel with four


def read_pixels(
    data: bytes, opened: Callable[[io.BytesIO], Image.Image], max_pixels: int
) -> tuple[Samples, Image.Image, tuple[str, ...]]:
    """Decode a picture whose coding reads zeros as black pixels.

    Returns:
        Its samples, what Pillow knows of it, and what is damaged.

    Raises:
        UndecodableError: hardly any of it is there.
        TooLargeError: above the limit.
    """
    image = opened(io.BytesIO(data))
    check_pixels(*image.size, max_pixels)
    try:
        return np.asarray(image.convert(plain_mode(image))), image, ()
    except OSError as error:
        if "truncated" not in str(error):
            raise
    missing = bytes(_MOST_PER_PIXEL * image.width * image.height)
    image = opened(io.BytesIO(data + missing))
    samples = np.asarray(image.convert(plain_mode(image)))
    color = samples[..., :3] if samples.ndim == 3 else samples[..., None]
    there = float(color.any((1, 2)).mean())
    return samples, image, (said_of_rows(there),)


def said_of_rows(there: float) -> str:
    """What is damaged where only a share of the rows, 0..1, is there.

    Raises:
        UndecodableError: too few of them.
    """
    if there < _LEAST_ROWS:
        raise UndecodableError("hardly any of the file is there", remedy="copy it again")
    return CUT_SHORT.format(percent=max(1, round(100 * (1 - there))))
