"""Photos: bytes in, upright sRGB pixels out, and back in color with the metadata.

The content decides the format, never the suffix. A PNG called `x.jpg` is decoded as PNG and written
as PNG under the same name: every viewer that opened the source opens the result. Only where the
path gets a new suffix because its own format cannot hold the result (GIF, PNM), the content is PNG,
whatever the source was.
"""

from __future__ import annotations

import io
import lzma
import re
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Literal

import imagecodecs
import numpy as np
from PIL import Image

from colorize_core.errors import InputError, TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.photo import xmp
from colorize_core.media.photo.exif import PhotoMetadata, clean_resources, normalized_exif
from colorize_core.media.photo.formats import bmp, embedded
from colorize_core.media.photo.formats.decoders import DECODERS, Decoded, Format
from colorize_core.media.photo.formats.tiff_read import TiffLayout
from colorize_core.media.photo.formats.tiff_write import write_tiff
from colorize_core.media.photo.icc import (
    Samples,
    srgb_profile,
    swaps_sides,
    to_srgb,
    upright,
)
from colorize_core.media.picture.note import ComputedColorNote

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".gif"}
)
_TO_PNG = frozenset({".gif", ".pbm", ".pgm", ".ppm", ".pnm"})
_SNIFF_BYTES = 64
_PNM_HEAD = re.compile(rb"P[1-6][\s#]")
_LONGEST_JPEG_XMP = 65_000  # a segment's, less what the note's values take
_PNG_LEVEL = 4  # 30 % faster than 6 and 0.1 % larger
_OTHER_FORMATS = (
    (4, b"ftyp", "HEIF, AVIF or video"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"P7\n", "PAM"),
    (0, b"Pf\n", "float PNM"),
    (0, b"PF\n", "float PNM"),
    (0, b"<svg", "SVG"),
)
# What Pillow, tifffile and the codecs raise on damaged data; Pillow uses SyntaxError for headers.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, RuntimeError, ArithmeticError, LookupError, EOFError),
    *(TypeError, AttributeError, AssertionError, SystemError),
    *(struct.error, zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True)
class Page:
    """One upright sRGB picture: `pixels` HxW or HxWx3, `alpha` HxW of the same dtype."""

    pixels: Samples
    alpha: Samples | None = None


@dataclass(frozen=True)
class Photo:
    """A decoded photo and all that encoding its color version needs.

    `warnings` name what was lost or guessed in decoding: the result is less than the file promised.
    """

    format: Format
    encoded_format: Format
    pages: tuple[Page, ...]
    bit_depth: Literal[8, 16]
    metadata: PhotoMetadata
    lossless: bool
    warnings: tuple[str, ...] = ()
    turned: bool = False  # the file asked for another orientation than its pixels had
    tiff: TiffLayout | None = None


def sniff(data_head: bytes) -> Format | None:
    """Format of a photo by its first 64 bytes, None when it is none of ours."""
    signatures: tuple[tuple[bytes, Format], ...] = (
        (b"\xff\xd8\xff", "jpeg"),
        (embedded.PNG_SIGNATURE, "png"),
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"II+\0", "tiff"),
        (b"MM\0+", "tiff"),
        (b"GIF87a", "gif"),
        (b"GIF89a", "gif"),
    )
    for signature, kind in signatures:
        if data_head.startswith(signature):
            return kind
    if data_head[:4] == b"RIFF" and data_head[8:12] == b"WEBP":
        return "webp"
    if data_head[:2] == b"BM" and data_head[14:18] in (
        size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124)
    ):
        return "bmp"
    return "pnm" if _PNM_HEAD.match(data_head) else None


def output_path(path: str) -> str:
    """Where the photo at the relative POSIX `path` goes: same path, or one suffix more."""
    return f"{path}.png" if PurePosixPath(path).suffix.lower() in _TO_PNG else path


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
    kind = sniff(data[:_SNIFF_BYTES])
    try:
        if kind is None:
            raise _not_a_photo(data)
        try:
            decoded = DECODERS[kind](data, max_pixels)
        except Image.DecompressionBombError as error:
            raise TooLargeError(_one_line(error), remedy="convert it to PNG or TIFF") from error
        except _DAMAGE as error:
            raise UndecodableError(
                f"damaged {kind.upper()}: {_one_line(error)}",
                remedy="check that the file opens elsewhere and was copied whole",
            ) from error
    except InputError as error:
        raise type(error)(f"{name}: {error.message}", remedy=error.remedy) from error
    return _finish(kind, decoded, name)


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _not_a_photo(data: bytes) -> InputError:
    if not data:
        return UndecodableError("the file is empty", remedy="copy it again from its origin")
    for position, signature, other in _OTHER_FORMATS:
        if data[position : position + len(signature)] == signature:
            return UnsupportedError(f"{other} is not read", remedy="convert it to TIFF or PNG")
    return UndecodableError(
        "not a picture", remedy="JPEG, PNG, TIFF, WebP, BMP, PNM and GIF are read"
    )


def _finish(kind: Format, decoded: Decoded, name: str) -> Photo:
    pages = []
    warnings = list(decoded.warnings)
    for raster in decoded.rasters:
        pixels, more = to_srgb(raster)
        warnings += more
        alpha = None if raster.alpha is None else upright(raster.alpha, raster.orientation)
        pages.append(Page(upright(pixels, raster.orientation), alpha))
    to_png = PurePosixPath(name).suffix.lower() in _TO_PNG and kind != "tiff"
    target: Format = "png" if to_png or kind in ("gif", "pnm") else kind
    orientation = decoded.rasters[0].orientation
    metadata = _metadata(kind, decoded, orientation, warnings)
    if target != kind:
        metadata = _for_png(kind, metadata)
    return Photo(
        format=kind,
        encoded_format=target,
        pages=tuple(pages),
        bit_depth=16 if any(page.pixels.dtype == np.uint16 for page in pages) else 8,
        metadata=metadata,
        lossless=decoded.lossless,
        warnings=tuple(dict.fromkeys(warnings)),
        turned=orientation != 1,
        tiff=decoded.tiff,
    )


def _metadata(
    kind: Format, decoded: Decoded, orientation: int, warnings: list[str]
) -> PhotoMetadata:
    found = decoded.found
    swapped = swaps_sides(orientation)
    exif = found.exif
    if exif is not None:
        try:
            exif = normalized_exif(exif, swapped=swapped)
        except ValueError:
            exif = None
            warnings.append("damaged EXIF was left out")
    packet = found.xmp
    if packet is not None:
        try:
            merged_bytes = xmp.check_packet(packet)
            if kind == "jpeg" and merged_bytes > _LONGEST_JPEG_XMP:
                raise ValueError("too long for a JPEG segment with the note added")
        except ValueError as error:
            packet = None
            warnings.append(f"XMP was left out: {_one_line(error)}")
    resources = found.resources
    if resources is not None:
        try:
            resources = clean_resources(resources)
        except ValueError:
            resources = None
            warnings.append("damaged IPTC was left out")
    dpi = decoded.dpi
    if dpi is not None and swapped:
        dpi = (dpi[1], dpi[0])
    return PhotoMetadata(exif=exif, xmp=packet, iptc=resources, dpi=dpi, extra=found.extra)


def _for_png(kind: Format, metadata: PhotoMetadata) -> PhotoMetadata:
    """JPEG segments mean nothing in a PNG; comments of GIF and PNM are chunks already."""
    extra = metadata.extra if kind in ("gif", "pnm") else ()
    return replace(metadata, extra=extra, iptc=None)


def encode_photo(
    pages: Sequence[Samples], *, like: Photo, jpeg_quality: int, note: ComputedColorNote
) -> bytes:
    """Encode color pages in `like.encoded_format`, with its alpha, its metadata and the note.

    JPEG is written without chroma subsampling (4:4:4): the chroma is what this program computed,
    along the edges of the source; halved, it would bleed over them again. Lossy WebP knows 4:2:0
    only.

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

    def packet(source: bytes | None, turned: bool) -> bytes:
        return xmp.merged_packet(source, note, turned=turned)

    if like.tiff is not None:
        return write_tiff(stacked, like.tiff, packet, jpeg_quality)
    metadata = like.metadata
    found = embedded.Found(
        exif=metadata.exif,
        xmp=packet(metadata.xmp, like.turned),
        resources=metadata.iptc,
        icc=srgb_profile(),
        extra=metadata.extra,
    )
    if like.encoded_format == "png":
        encoded = bytes(imagecodecs.png_encode(stacked[0], _PNG_LEVEL))
        return embedded.write_png(encoded, found, metadata.dpi)
    if like.encoded_format == "bmp":
        return bmp.write_bmp(stacked[0], packet(metadata.xmp, like.turned), metadata.dpi)
    if like.encoded_format == "webp":
        return _encode_webp(stacked[0], found, like.lossless, jpeg_quality)
    return _encode_jpeg(stacked[0], found, metadata.dpi, jpeg_quality)


def _with_alpha(pixels: Samples, source: Page) -> Samples:
    wanted = (*source.pixels.shape[:2], 3)
    if pixels.shape != wanted or pixels.dtype != source.pixels.dtype:
        raise ValueError(
            f"a page is {pixels.dtype} {pixels.shape}, not {source.pixels.dtype} {wanted}"
        )
    return np.dstack([pixels, source.alpha]) if source.alpha is not None else pixels


def _encode_jpeg(
    pixels: Samples, found: embedded.Found, dpi: tuple[float, float] | None, quality: int
) -> bytes:
    buffer = io.BytesIO()
    fits = dpi is not None and max(dpi) < 65535.5 and min(dpi) >= 0.5
    density = {"dpi": (round(dpi[0]), round(dpi[1]))} if dpi is not None and fits else {}
    Image.fromarray(pixels).save(
        buffer, "JPEG", quality=quality, subsampling=0, icc_profile=found.icc, **density
    )
    return embedded.write_jpeg(buffer.getvalue(), found)


def _encode_webp(pixels: Samples, found: embedded.Found, lossless: bool, quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(
        buffer,
        "WEBP",
        lossless=lossless,
        quality=75 if lossless else quality,  # of a lossless picture: effort
        exact=True,
        icc_profile=found.icc,
        exif=found.exif or b"",
        xmp=found.xmp,
    )
    return buffer.getvalue()
