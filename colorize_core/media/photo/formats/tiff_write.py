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
from colorize_core.media.photo.formats.tiff_layout import KeptPage, PageLayout, TiffLayout
from colorize_core.media.photo.icc import srgb_profile
from colorize_core.media.photo.raster import Samples
from colorize_core.media.picture.resize import shrink

_OLD_JPEG, _JPEG, _XMP, _SUBFILE_TYPE = 6, 7, 700, 254
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
    big = layout.flavor.big or sum(page.nbytes for page in pages) > 2_800_000_000
    flavor = replace(layout.flavor, big=big)
    with tifffile.TiffWriter(buffer, bigtiff=big, byteorder=flavor.order) as writer:
        for index, (pixels, page) in enumerate(zip(pages, layout.pages, strict=True)):
            packet = packet_of(page.xmp, page.turned)
            writer.write(
                pixels,
                subifds=len(page.levels) or None,
                resolution=page.resolution or ((1, 1), (1, 1)),
                resolutionunit=_unit(page),
                extratags=_tags(page, packet, big),
                **_options(pixels, page, page.tile, jpeg_quality),
            )
            for level in (*page.levels, *page.following):
                reduced = shrink(pixels, level.width, level.height)
                writer.write(
                    reduced, subfiletype=1, **_options(reduced, page, level.tile, jpeg_quality)
                )
            for kept in layout.kept:
                if kept.after == index:
                    _write_kept(writer, kept)
    behind = _finish(buffer, flavor, layout)
    buffer.seek(0, io.SEEK_END)
    buffer.write(behind)
    return buffer.getvalue()


def _options(
    pixels: Samples, page: PageLayout, tile: tuple[int, int] | None, jpeg_quality: int
) -> dict[str, Any]:
    return {
        "photometric": "rgb",
        "planarconfig": "contig",
        "extrasamples": [page.extra_sample] if pixels.shape[2] == 4 else None,
        "tile": tile if tile and not any(n % 16 for n in tile) else None,
        "iccprofile": srgb_profile(),
        "metadata": None,
        "software": False,
        "maxworkers": 1,
        **_compression(pixels, page.compression, jpeg_quality),
    }


def _unit(page: PageLayout) -> int:
    return page.resolution_unit if page.resolution and page.resolution_unit in (1, 2, 3) else 1


def _tags(page: PageLayout, packet: bytes, big: bool) -> list[tuple[int, int, int, Any, bool]]:
    tags: list[tuple[int, int, int, Any, bool]] = [(*tag, True) for tag in page.tags]
    tags.append((_XMP, 1, len(packet), packet, True))
    for pointer, directory in ((ifd.EXIF_IFD, page.exif), (ifd.GPS_IFD, page.gps)):
        if directory is not None:
            kind = ifd.LONG8 if big else ifd.LONG
            tags.append((_PLACEHOLDERS[pointer], kind, 1, 0, True))
    return tags


def _write_kept(writer: tifffile.TiffWriter, kept: KeptPage) -> None:
    samples = kept.samples[..., 0] if kept.samples.shape[2] == 1 else kept.samples
    writer.write(
        samples,
        photometric="minisblack",
        planarconfig="contig" if samples.ndim == 3 else None,
        subfiletype=2,  # stands for the true one until the file is finished
        extratags=[(*tag, True) for tag in kept.tags],
        compression="adobe_deflate",
        metadata=None,
        software=False,
        maxworkers=1,
    )


def _compression(pixels: Samples, code: int, jpeg_quality: int) -> dict[str, Any]:
    if code in (_OLD_JPEG, _JPEG) and pixels.dtype == np.uint8 and pixels.shape[2] == 3:
        return {
            "compression": "jpeg",
            "compressionargs": {"level": jpeg_quality},
            "subsampling": (1, 1),
        }
    name = _COMPRESSION.get(code, "adobe_deflate")
    return {"compression": name, "predictor": name in _PREDICTED}


def _finish(buffer: io.BytesIO, flavor: ifd.Flavor, layout: TiffLayout) -> bytes:
    """Let placeholders point to the EXIF and GPS directories, which are to be appended; masks too.

    tifffile calls nothing a mask that is not of one bit. The file is changed where it lies: it may
    be as large as the memory allows.
    """
    data, behind = buffer.getbuffer(), bytearray()
    _, offset = ifd.read_header(data)
    for index, page in enumerate(layout.pages):
        entries, next_position = ifd.read_ifd(data, flavor, offset)
        for pointer, directory in ((ifd.EXIF_IFD, page.exif), (ifd.GPS_IFD, page.gps)):
            if directory is None:
                continue
            entry = entries[_PLACEHOLDERS[pointer]]
            behind += b"\0" * ((len(data) + len(behind)) % 2)
            end = len(data) + len(behind)
            struct.pack_into(flavor.order + "H", data, entry.entry_position, pointer)
            struct.pack_into(flavor.offset_code, data, entry.value_position, end)
            behind += ifd.serialize(directory, flavor, end)
        kept = [kept for kept in layout.kept if kept.after == index]
        for copy in (*page.following, *kept):
            offset = struct.unpack_from(flavor.offset_code, data, next_position)[0]
            entries, next_position = ifd.read_ifd(data, flavor, offset)
            if isinstance(copy, KeptPage):
                ifd.write_integer(data, flavor, entries[_SUBFILE_TYPE], copy.subfile_type)
        offset = struct.unpack_from(flavor.offset_code, data, next_position)[0]
    data.release()
    return bytes(behind)
