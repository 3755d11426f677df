"""A photo between its bytes and its colors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from colorize_core.media.photo.formats.tiff_layout import TiffLayout
from colorize_core.media.photo.raster import Samples
from colorize_core.media.picture.sniff import Format

EXIF_PREFIX: Final = b"Exif\0\0"  # before the TIFF structure, in JPEG and where writers copied it


@dataclass(frozen=True)
class PhotoMetadata:
    """What a file says about its picture: as found by a decoder, or as an encoder writes it.

    Attributes:
        exif: TIFF-structured block, without the prefix of JPEG.
        xmp: packet.
        resources: Photoshop image resources, IPTC-IIM among them.
        icc: color profile.
        dpi: horizontal, vertical.
        extra: whole JPEG segments or PNG chunks that are copied as they are.
        trailer: what follows the picture in a JPEG: the film of a Motion Photo, further pictures.
    """

    exif: bytes | None = None
    xmp: bytes | None = None
    resources: bytes | None = None
    icc: bytes | None = None
    dpi: tuple[float, float] | None = None
    extra: tuple[bytes, ...] = ()
    trailer: bytes = b""


@dataclass(frozen=True)
class Animation:
    """How long each page of an animation is shown, in milliseconds, and how often (0: for ever).

    `starts_later`: the first page is no frame, but stands for the animation where none is shown.
    """

    delays: tuple[int, ...]
    loops: int = 0
    starts_later: bool = False


@dataclass(frozen=True)
class Page:
    """One upright sRGB picture: `pixels` HxW or HxWx3, `alpha` HxW of the same dtype."""

    pixels: Samples
    alpha: Samples | None = None


@dataclass(frozen=True)
class Photo:
    """A decoded photo and all that encoding its color version needs.

    Attributes:
        format: of the file.
        encoded_format: of the result.
        pages: at least one.
        bit_depth: of the deepest page.
        metadata: true of the upright sRGB picture.
        lossless: the pixels were coded without loss.
        warnings: what was lost or guessed in decoding: the result is less than the file promised.
        notes: what is odd about the file but loses nothing.
        is_damaged: pixels are missing or false (the warnings say which): never judge by its colors.
        turned: the file asked for another orientation than its pixels had.
        tiff: what a TIFF needs to be written again.
        animation: of pages that are shown one after the other.
    """

    format: Format
    encoded_format: Format
    pages: tuple[Page, ...]
    bit_depth: Literal[8, 16]
    metadata: PhotoMetadata
    lossless: bool
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    is_damaged: bool = False
    turned: bool = False
    tiff: TiffLayout | None = None
    animation: Animation | None = None
