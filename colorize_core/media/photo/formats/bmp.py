"""BMP. Written by hand because Pillow's 32-bit BMP loses alpha when it is read back.

Source: Microsoft, BITMAPV4HEADER.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence

import numpy as np
from PIL import BmpImagePlugin

from colorize_core.media.photo.formats.base import (
    Decoded,
    check_pixels,
    dpi_of,
    plain_mode,
    split_alpha,
    written_metadata,
)
from colorize_core.media.photo.photo import Photo, PhotoMetadata
from colorize_core.media.photo.raster import Raster, Samples
from colorize_core.media.picture.note import ComputedColorNote

_HEADER_BYTES = 14 + 108
_BITFIELDS = 3
_SRGB = 0x73524742


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    check_pixels(*image.size, max_pixels)
    image.load()
    samples, alpha = split_alpha(np.asarray(image.convert(plain_mode(image))))
    return Decoded((Raster(samples, alpha),), PhotoMetadata(dpi=dpi_of(image)))


def encode(
    pages: Sequence[Samples],
    photo: Photo,
    note: ComputedColorNote,
    quality: int,  # noqa: ARG001 - of lossy formats
) -> bytes:
    """See `base.Encoder`."""
    metadata = written_metadata(photo, note)
    return write_bmp(pages[0], metadata.xmp or b"", metadata.dpi)


def write_bmp(pixels: Samples, xmp: bytes, dpi: tuple[float, float] | None) -> bytes:
    """Encode HxWx3 or HxWx4 uint8 as a version 4 BMP that names sRGB as its color space.

    BMP has no place for metadata. The packet stands behind the pixels, where readers do not look
    and where the packet scan of the XMP specification (ISO 16684-1) finds it.
    """
    height, width, channels = pixels.shape
    rows = np.zeros((height, -(-width * channels // 4) * 4), np.uint8)
    order = [2, 1, 0, 3][:channels]
    rows[:, : width * channels] = pixels[::-1, :, order].reshape(height, -1)
    body = rows.tobytes()
    across, down = (round(value / 0.0254) for value in dpi or (0, 0))
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000) if channels == 4 else (0, 0, 0, 0)
    total = _HEADER_BYTES + len(body) + len(xmp)
    header = struct.pack("<2sIHHI", b"BM", total, 0, 0, _HEADER_BYTES)
    header += struct.pack("<IiiHH", 108, width, height, 1, 8 * channels)
    compression = _BITFIELDS if channels == 4 else 0
    header += struct.pack("<IIiiII", compression, len(body), across, down, 0, 0)
    header += struct.pack("<4II36x12x", *masks, _SRGB)
    return header + body + xmp
