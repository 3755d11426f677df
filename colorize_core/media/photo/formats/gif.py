"""GIF: read through Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import GifImagePlugin

from colorize_core.media.photo.formats.base import Decoded, check_pixels, plain_mode, split_alpha
from colorize_core.media.photo.formats.png_chunks import text_chunks
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    image = GifImagePlugin.GifImageFile(io.BytesIO(data))
    check_pixels(*image.size, max_pixels)
    image.load()
    samples, alpha = split_alpha(np.asarray(image.convert(plain_mode(image))))
    comment = image.info.get("comment")
    metadata = PhotoMetadata(
        xmp=image.info.get("xmp"),
        extra=text_chunks("Comment", [comment] if comment else []),
    )
    warnings = ("only the first frame of an animation is kept",) if image.is_animated else ()
    return Decoded((Raster(samples, alpha),), metadata, warnings=warnings)
