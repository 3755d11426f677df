"""JPEG: read and written through libjpeg-turbo."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import simplejpeg
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
from colorize_core.media.photo.formats.jpeg_damage import examine, lost_a_table, require_enough_data
from colorize_core.media.photo.formats.jpeg_trailer import finished, with_trailer
from colorize_core.media.photo.photo import Photo
from colorize_core.media.photo.raster import Raster, Samples
from colorize_core.media.picture.note import ComputedColorNote

# Baseline, extended and progressive Huffman; the same with arithmetic coding.
_READ = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    frame = jpeg_segments.jpeg_frame(data)
    if frame is not None and (frame.bits != 8 or frame.marker not in _READ):
        raise UnsupportedError(
            f"a {frame.bits}-bit or lossless JPEG", remedy="convert it to 16-bit TIFF or PNG"
        )
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    check_pixels(*image.size, max_pixels)
    require_enough_data(data, *image.size)
    samples, damage, notes = _samples(data, image.mode)
    icc = image.info.get("icc_profile")
    metadata = replace(jpeg_segments.read_metadata(data), icc=icc, dpi=dpi_of(image))
    metadata, said = with_trailer(metadata, data)
    raster = Raster(samples, None, icc, orientation_of(metadata.exif))
    return Decoded((raster,), metadata, lossless=False, damage=damage, notes=(*notes, *said))


def _samples(data: bytes, mode: str) -> tuple[Samples, tuple[str, ...], tuple[str, ...]]:
    """Samples HxW or HxWxC, what is damaged in them, and what is odd but harmless.

    A decoder that stops at its first warning is asked first: nearly all files have none.
    """
    colorspace = {"L": "GRAY", "RGB": "RGB"}.get(mode)
    is_whole = jpeg_segments.picture_end(data) is not None and not lost_a_table(data)
    if colorspace and is_whole:
        try:
            decoded = simplejpeg.decode_jpeg(data, colorspace)
            return decoded[..., 0] if mode == "L" else decoded, (), ()
        except ValueError:
            pass
    findings = examine(data, colorspace or "CMYK")
    # With an end marker in place libjpeg delivers what there is, and fills the rest.
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(findings.data))
    image.load()
    samples = np.asarray(image)
    if not findings.damage:
        return samples, (), findings.notes
    filled = _filled_percent(samples)
    if filled == 100:
        raise UndecodableError(
            "no picture data before the end of the file",
            remedy="copy it again from its origin",
        )
    lost = f"up to {filled} % of the picture is filled in" if filled else "parts may be wrong"
    return samples, (f"cut short or damaged: {lost} ({findings.damage})",), findings.notes


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
    return finished(jpeg_segments.with_metadata(buffer.getvalue(), metadata), metadata)
