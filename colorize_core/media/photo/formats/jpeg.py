"""JPEG: read and written through libjpeg-turbo."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from PIL import Image, JpegImagePlugin

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.photo.formats import jpeg_segments
from colorize_core.media.photo.formats.base import (
    Decoded,
    check_pixels,
    dpi_of,
    orientation_of,
    written_metadata,
)
from colorize_core.media.photo.photo import Photo
from colorize_core.media.photo.raster import Raster, Samples
from colorize_core.media.picture.note import ComputedColorNote


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    frame = jpeg_segments.jpeg_frame(data)
    if frame is not None and (frame[1] != 8 or frame[0] not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)):
        raise UnsupportedError(
            f"a {frame[1]}-bit or lossless JPEG", remedy="convert it to 16-bit TIFF or PNG"
        )
    image: Image.Image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    check_pixels(*image.size, max_pixels)
    warnings: tuple[str, ...] = ()
    try:
        image.load()
    except OSError as error:
        # With an end marker in place libjpeg delivers what there is, and fills the rest.
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data + b"\xff\xd9"))
        image.load()
        filled = _filled_percent(np.asarray(image))
        lost = f"up to {filled} % of the picture is" if filled else "parts may be"
        warnings = (f"cut short or damaged: {lost} filled in",)
        if filled == 100:
            raise UndecodableError(
                "no picture data before the end of the file",
                remedy="copy it again from its origin",
            ) from error
    icc = image.info.get("icc_profile")
    metadata = replace(jpeg_segments.read_metadata(data), icc=icc, dpi=dpi_of(image))
    raster = Raster(np.asarray(image), None, icc, orientation_of(metadata.exif))
    return Decoded((raster,), metadata, lossless=False, warnings=warnings)


def _filled_percent(samples: Samples) -> int:
    """Share of rows at the bottom of a baseline JPEG that repeat its last pixel."""
    plain = (samples == samples[-1, -1]).reshape(len(samples), -1).all(axis=1)
    rows = len(plain) if plain.all() else int(np.argmin(plain[::-1]))
    return 100 * rows // len(plain)


def encode(pages: Sequence[Samples], photo: Photo, note: ComputedColorNote, quality: int) -> bytes:
    """See `base.Encoder`. Written 4:4:4.

    The chroma is what this program computed, along the edges of the source; halved, it would bleed
    over them again.
    """
    metadata = written_metadata(photo, note)
    buffer = io.BytesIO()
    dpi = metadata.dpi
    fits = dpi is not None and max(dpi) < 65535.5 and min(dpi) >= 0.5
    density = {"dpi": (round(dpi[0]), round(dpi[1]))} if dpi is not None and fits else {}
    Image.fromarray(pages[0]).save(
        buffer, "JPEG", quality=quality, subsampling=0, icc_profile=metadata.icc, **density
    )
    return jpeg_segments.with_metadata(buffer.getvalue(), metadata)
