"""TGA: read through Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import TgaImagePlugin

from colorize_core.media.photo.formats.base import Decoded, check_pixels, plain_mode, split_alpha
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    image = TgaImagePlugin.TgaImageFile(io.BytesIO(data))
    check_pixels(*image.size, max_pixels)
    image.load()
    samples, alpha = split_alpha(np.asarray(image.convert(plain_mode(image))))
    return Decoded((Raster(samples, alpha),), PhotoMetadata())
