"""Photos: bytes in, upright sRGB pixels out, and back in color with the metadata.

The content decides the format, never the suffix. A PNG called `x.jpg` is decoded as PNG and written
as PNG under the same name: every viewer that opened the source opens the result. What becomes of a
format that cannot hold the result, and under which name, `media/picture/names.py` says.
"""

from __future__ import annotations

import lzma
import struct
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from PIL import Image

from colorize_core.errors import InputError, TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.photo import xmp
from colorize_core.media.photo.exif import clean_resources, normalized_exif
from colorize_core.media.photo.formats import (
    avif,
    bmp,
    dpx,
    gif,
    heif,
    jp2,
    jpeg,
    jxl,
    pcx,
    pdf,
    png,
    pnm,
    psd,
    tga,
    tiff,
    webp,
)
from colorize_core.media.photo.formats.base import Decoded, Decoder, Encoder
from colorize_core.media.photo.icc import to_srgb
from colorize_core.media.photo.photo import Page, Photo, PhotoMetadata
from colorize_core.media.photo.raster import Samples, swaps_sides, upright
from colorize_core.media.picture.names import written_format
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.media.picture.sniff import HEAD_BYTES, Format, kind_of, unread_format

DECODERS: Final[dict[Format, Decoder]] = {
    "jpeg": jpeg,
    "png": png,
    "tiff": tiff,
    "webp": webp,
    "bmp": bmp,
    "gif": gif,
    "pnm": pnm,
    "jp2": jp2,
    "jxl": jxl,
    "avif": avif,
    "heif": heif,
    "psd": psd,
    "tga": tga,
    "pcx": pcx,
    "dpx": dpx,
    "pdf": pdf,
}
ENCODERS: Final[dict[Format, Encoder]] = {
    "jpeg": jpeg,
    "png": png,
    "tiff": tiff,
    "webp": webp,
    "bmp": bmp,
    "jp2": jp2,
}
_LONGEST_JPEG_XMP = 65_000  # a segment's, less what the note's values take
# What Pillow, tifffile and the codecs raise on damaged data; Pillow uses SyntaxError for headers.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, RuntimeError, ArithmeticError, LookupError, EOFError),
    *(TypeError, AttributeError, AssertionError, SystemError),
    *(struct.error, zlib.error, lzma.LZMAError),
)


def decode_photo(data: bytes, *, name: str, max_pixels: int) -> Photo:
    """Decode a photo.

    Args:
        data: the whole file.
        name: its path, for messages; its suffix matters only where `output_path` adds one.
        max_pixels: limit on width times height of all pages together, checked before pixels are
            decoded.

    Raises:
        UndecodableError: empty, damaged, or no picture.
        UnsupportedError: a format or variant we do not read.
        TooLargeError: more pixels than `max_pixels`.
    """
    head = data[:HEAD_BYTES]
    kind = kind_of(name, head)
    try:
        if kind is None:
            raise _not_a_photo(data)
        try:
            with warnings.catch_warnings():  # of Pillow, to programmers
                warnings.simplefilter("ignore")
                decoded = DECODERS[kind].decode(data, max_pixels)
        except Image.DecompressionBombError as error:
            raise TooLargeError(_one_line(error), remedy="convert it to PNG or TIFF") from error
        except _DAMAGE as error:
            raise UndecodableError(
                f"damaged {kind.upper()}: {_one_line(error)}",
                remedy="check that the file opens elsewhere and was copied whole",
            ) from error
    except InputError as error:
        raise type(error)(f"{name}: {error.message}", remedy=error.remedy) from error
    return _finish(kind, written_format(name, kind, head), decoded)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _not_a_photo(data: bytes) -> InputError:
    if not data:
        return UndecodableError("the file is empty", remedy="copy it again from its origin")
    other = unread_format(data[:HEAD_BYTES])
    if other:
        return UnsupportedError(f"{other} is not read", remedy="convert it to TIFF or PNG")
    return UndecodableError(
        "not a picture",
        remedy="JPEG, PNG, TIFF, WebP, JPEG 2000, JPEG XL, AVIF, HEIC, PSD, PDF of scans, BMP, "
        "GIF, PNM, TGA, PCX and DPX are read",
    )


def _finish(kind: Format, target: Format, decoded: Decoded) -> Photo:
    pages = []
    said = [*decoded.damage, *decoded.warnings]
    for raster in decoded.rasters:
        pixels, more = to_srgb(raster)
        said += more
        alpha = None if raster.alpha is None else upright(raster.alpha, raster.orientation)
        pages.append(Page(upright(pixels, raster.orientation), alpha))
    orientation = decoded.rasters[0].orientation
    metadata = _metadata(target, decoded, orientation, said)
    if target != kind:
        metadata = _for_other(kind, target, metadata)
    return Photo(
        format=kind,
        encoded_format=target,
        pages=tuple(pages),
        bit_depth=16 if any(page.pixels.dtype == np.uint16 for page in pages) else 8,
        metadata=metadata,
        lossless=decoded.lossless,
        warnings=tuple(dict.fromkeys(said)),
        notes=decoded.notes,
        is_damaged=bool(decoded.damage),
        turned=orientation != 1,
        tiff=decoded.tiff,
        animation=decoded.animation,
    )


def _metadata(target: Format, decoded: Decoded, orientation: int, said: list[str]) -> PhotoMetadata:
    metadata = decoded.metadata
    swapped = swaps_sides(orientation)
    exif = metadata.exif
    if exif is not None:
        try:
            exif = normalized_exif(exif, swapped=swapped)
        except ValueError:
            exif = None
            said.append("damaged EXIF was left out")
    packet = metadata.xmp
    if packet is not None:
        try:
            merged_bytes = xmp.check_packet(packet)
            if target == "jpeg" and merged_bytes > _LONGEST_JPEG_XMP:
                raise ValueError("too long for a JPEG segment with the note added")
        except ValueError as error:
            packet = None
            said.append(f"XMP was left out: {_one_line(error)}")
    resources = metadata.resources
    if resources is not None:
        try:
            resources = clean_resources(resources)
        except ValueError:
            resources = None
            said.append("damaged IPTC was left out")
    dpi = metadata.dpi
    if dpi is not None and swapped:
        dpi = (dpi[1], dpi[0])
    return replace(metadata, exif=exif, xmp=packet, resources=resources, dpi=dpi)


def _for_other(kind: Format, target: Format, metadata: PhotoMetadata) -> PhotoMetadata:
    """Segments of JPEG mean nothing elsewhere; comments of GIF and PNM are PNG chunks already."""
    is_text = target == "png" and kind in ("gif", "pnm")
    resources = metadata.resources if target in ("jpeg", "jp2") else None
    return replace(
        metadata, extra=metadata.extra if is_text else (), resources=resources, trailer=b""
    )


def encode_photo(
    pages: Sequence[Samples], *, like: Photo, jpeg_quality: int, note: ComputedColorNote
) -> bytes:
    """Encode color pages in `like.encoded_format`, with its alpha, its metadata and the note.

    Args:
        pages: HxWx3 per page, of the size and dtype of the page of `like`.
        like: the decoded source.
        jpeg_quality: 1..100, also of lossy WebP and of JPEG inside TIFF.
        note: written as XMP.

    Raises:
        ValueError: pages do not fit those of `like`.
    """
    if len(pages) != len(like.pages):
        raise ValueError(f"{len(pages)} pages for a photo of {len(like.pages)}")
    stacked = [_with_alpha(page, source) for page, source in zip(pages, like.pages, strict=True)]
    return ENCODERS[like.encoded_format].encode(stacked, like, note, jpeg_quality)


def _with_alpha(pixels: Samples, source: Page) -> Samples:
    wanted = (*source.pixels.shape[:2], 3)
    if pixels.shape != wanted or pixels.dtype != source.pixels.dtype:
        raise ValueError(
            f"a page is {pixels.dtype} {pixels.shape}, not {source.pixels.dtype} {wanted}"
        )
    return np.dstack([pixels, source.alpha]) if source.alpha is not None else pixels
