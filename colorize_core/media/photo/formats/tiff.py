"""TIFF: every page, with its tags."""

from __future__ import annotations

from collections.abc import Sequence

from colorize_core.media.photo import xmp
from colorize_core.media.photo.formats.base import Decoded
from colorize_core.media.photo.formats.tiff_read import read_tiff
from colorize_core.media.photo.formats.tiff_write import write_tiff
from colorize_core.media.photo.photo import Photo, PhotoMetadata
from colorize_core.media.photo.raster import Samples
from colorize_core.media.picture.note import ComputedColorNote


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    file = read_tiff(data, max_pixels=max_pixels)
    layout = file.layout.pages[0]
    dpi = None
    if layout.resolution is not None and layout.resolution_unit in (2, 3):
        scale = 1.0 if layout.resolution_unit == 2 else 2.54
        (a, b), (c, d) = layout.resolution
        dpi = (a / b * scale, c / d * scale)
    metadata = PhotoMetadata(xmp=layout.xmp, dpi=dpi)
    return Decoded(
        file.rasters,
        metadata,
        file.lossless,
        warnings=tuple(file.remarks.warnings),
        damage=tuple(dict.fromkeys(file.remarks.damage)),
        notes=tuple(file.remarks.notes),
        tiff=file.layout,
    )


def encode(pages: Sequence[Samples], photo: Photo, note: ComputedColorNote, quality: int) -> bytes:
    """See `base.Encoder`."""
    assert photo.tiff is not None

    def packet(source: bytes | None, turned: bool) -> bytes:
        return xmp.merged_packet(source, note, turned=turned)

    return write_tiff(pages, photo.tiff, packet, quality)
