"""TIFF output: color pages with the tags, compression and byte order of their gray source."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import tifffile

from colorize_core.media.photo import ifd
from colorize_core.media.photo.formats.tiff_layout import PageLayout, TiffLayout
from colorize_core.media.photo.icc import srgb_profile
from colorize_core.media.photo.raster import Samples

_OLD_JPEG, _JPEG, _XMP = 6, 7, 700
# How color is compressed, by how the gray was. Bilevel codes (CCITT 2, 3, 4 and 32771) cannot hold
# color.
_COMPRESSION = {1: None, 5: "lzw", 32773: "packbits", 34925: "lzma", 50000: "zstd"}
_PREDICTED = frozenset({"lzw", "adobe_deflate", "lzma", "zstd"})

# tifffile refuses to write tags that point to directories: they are written under the unused tags
# just below, which keeps the order of tags, and renamed afterwards.
_PLACEHOLDERS = {ifd.EXIF_IFD: ifd.EXIF_IFD - 1, ifd.GPS_IFD: ifd.GPS_IFD - 1}


def write_tiff(
    pages: Sequence[Samples],
    layout: TiffLayout,
    packet_of: Callable[[bytes | None, bool], bytes],
    jpeg_quality: int,
) -> bytes:
    """Encode RGB(A) pages with the compression, byte order, resolution and tags of their source.

    JPEG stays JPEG, at 4:4:4; what holds no color (CCITT) or is rare becomes Deflate. A page with
    alpha, or of 16 bit, is never JPEG.

    Args:
        pages: HxWx3 or HxWx4, uint8 or uint16, one per page of `layout`.
        layout: of the source.
        packet_of: gives the XMP to write, for a page's own and whether the page was turned.
        jpeg_quality: for pages compressed as JPEG.
    """
    buffer = io.BytesIO()
    # A classic TIFF ends at 4 GiB; compression may fail to shrink.
    big = layout.flavor.big or sum(page.nbytes for page in pages) > 4_000_000_000
    flavor = replace(layout.flavor, big=big)
    with tifffile.TiffWriter(buffer, bigtiff=big, byteorder=flavor.order) as writer:
        for pixels, page in zip(pages, layout.pages, strict=True):
            packet = packet_of(page.xmp, page.turned)
            tags: list[tuple[int, int, int, bytes | int, bool]]
            tags = [(*tag, True) for tag in page.tags]
            tags.append((_XMP, 1, len(packet), packet, True))
            for pointer, directory in ((ifd.EXIF_IFD, page.exif), (ifd.GPS_IFD, page.gps)):
                if directory is not None:
                    kind = ifd.LONG8 if big else ifd.LONG
                    tags.append((_PLACEHOLDERS[pointer], kind, 1, 0, True))
            resolution = page.resolution or ((1, 1), (1, 1))
            writer.write(
                pixels,
                photometric="rgb",
                planarconfig="contig",
                extrasamples=[page.extra_sample] if pixels.shape[2] == 4 else None,
                tile=page.tile if page.tile and not any(n % 16 for n in page.tile) else None,
                iccprofile=srgb_profile(),
                resolution=resolution,
                resolutionunit=page.resolution_unit
                if page.resolution and page.resolution_unit in (1, 2, 3)
                else 1,
                extratags=tags,
                metadata=None,
                software=False,
                maxworkers=1,
                **_compression(pixels, page.compression, jpeg_quality),
            )
    return _with_directories(buffer.getvalue(), flavor, layout.pages)


def _compression(pixels: Samples, code: int, jpeg_quality: int) -> dict[str, Any]:
    if code in (_OLD_JPEG, _JPEG) and pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return {
            "compression": "jpeg",
            "compressionargs": {"level": jpeg_quality},
            "subsampling": (1, 1),
        }
    name = _COMPRESSION.get(code, "adobe_deflate")
    return {"compression": name, "predictor": name in _PREDICTED}


def _with_directories(data: bytes, flavor: ifd.Flavor, pages: Sequence[PageLayout]) -> bytes:
    """Append the EXIF and GPS directories and let their placeholders point to them."""
    if not any(page.exif or page.gps for page in pages):
        return data
    patched = bytearray(data)
    _, offset = ifd.read_header(data)
    for page in pages:
        entries, next_position = ifd.read_ifd(data, flavor, offset)
        for pointer, directory in ((ifd.EXIF_IFD, page.exif), (ifd.GPS_IFD, page.gps)):
            if directory is None:
                continue
            entry = entries[_PLACEHOLDERS[pointer]]
            patched += b"\0" * (len(patched) % 2)
            struct.pack_into(flavor.order + "H", patched, entry.entry_position, pointer)
            struct.pack_into(flavor.offset_code, patched, entry.value_position, len(patched))
            patched += ifd.serialize(directory, flavor, len(patched))
        offset = struct.unpack_from(flavor.offset_code, data, next_position)[0]
    return bytes(patched)
