"""GIF: read through Pillow."""

from __future__ import annotations

import io

import numpy as np
from PIL import GifImagePlugin

from colorize_core.media.photo.formats.base import Decoded, check_pixels, plain_mode, split_alpha
from colorize_core.media.photo.formats.frames import read_frames
from colorize_core.media.photo.formats.png_chunks import text_chunks
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster
from colorize_core.media.picture.sniff import HEAD_BYTES, is_animated_gif

_TRAILING = 64  # bytes, for what may stand behind the end


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    image = GifImagePlugin.GifImageFile(io.BytesIO(data))
    check_pixels(*image.size, max_pixels, len(data))
    animation = None
    if is_animated_gif(data[:HEAD_BYTES]):
        rasters, animation = read_frames(image, max_pixels)
        image.seek(0)
    else:
        image.load()
        samples, alpha = split_alpha(np.asarray(image.convert(plain_mode(image))))
        rasters = (Raster(samples, alpha),)
    comment = image.info.get("comment")
    metadata = PhotoMetadata(
        xmp=image.info.get("xmp"),
        extra=text_chunks("Comment", [comment] if comment else []),
    )
    warnings: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    if animation is not None and b"\x3b" not in data[-_TRAILING:]:
        damage = ("its end is missing, and frames may be with it",)
    if animation is None and image.is_animated:
        warnings = ("only the first frame of an animation is kept",)
    return Decoded(rasters, metadata, warnings=warnings, damage=damage, animation=animation)
