"""TGA: read through Pillow."""

from __future__ import annotations

from PIL import TgaImagePlugin

from colorize_core.media.photo.formats.base import Decoded, split_alpha
from colorize_core.media.photo.formats.cut_short import read_pixels
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    stored, _, damage = read_pixels(data, TgaImagePlugin.TgaImageFile, max_pixels)
    samples, alpha = split_alpha(stored)
    return Decoded((Raster(samples, alpha),), PhotoMetadata(), damage=damage)
