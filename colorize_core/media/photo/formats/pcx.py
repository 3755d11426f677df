"""PCX: read through Pillow."""

from __future__ import annotations

from PIL import PcxImagePlugin

from colorize_core.media.photo.formats.base import Decoded, dpi_of, split_alpha
from colorize_core.media.photo.formats.cut_short import read_pixels
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    stored, image, damage = read_pixels(data, PcxImagePlugin.PcxImageFile, max_pixels)
    samples, alpha = split_alpha(stored)
    return Decoded((Raster(samples, alpha),), PhotoMetadata(dpi=dpi_of(image)), damage=damage)
