"""What all formats share. Each is a module with `decode`, and `encode` where it is written.

Size is checked against the limit before pixels are decoded. Pillow's format classes are called
directly: `Image.open` would try other formats too and applies a pixel limit of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import numpy as np
from PIL import Image

from colorize_core.errors import TooLargeError, UndecodableError
from colorize_core.media.photo import xmp
from colorize_core.media.photo.exif import exif_orientation
from colorize_core.media.photo.formats.tiff_layout import TiffLayout
from colorize_core.media.photo.icc import srgb_profile
from colorize_core.media.photo.photo import Animation, Photo, PhotoMetadata
from colorize_core.media.photo.raster import Raster, Samples
from colorize_core.media.picture.note import ComputedColorNote

# Of codings without a bound. Blank pages in JPEG XL or WebP take a few bytes, and real ones more.
_HARMLESS_PIXELS: Final = 16_000_000
_MOST_PER_BYTE: Final = 20_000


@dataclass(frozen=True)
class Decoded:
    """What a decoder found.

    Attributes:
        rasters: one per page.
        metadata: of the file; of a TIFF, of its first page.
        lossless: the pixels were coded without loss.
        warnings: what the result loses of an intact file.
        damage: what is wrong with the file, so that pixels are missing or false.
        notes: what is odd but loses nothing.
        tiff: where the file was one.
        animation: where the rasters are its frames.
    """

    rasters: tuple[Raster, ...]
    metadata: PhotoMetadata
    lossless: bool = True
    warnings: tuple[str, ...] = ()
    damage: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tiff: TiffLayout | None = None
    animation: Animation | None = None


class Decoder(Protocol):
    """A module that reads a format."""

    def decode(self, data: bytes, max_pixels: int) -> Decoded:
        """Decode a whole file; `max_pixels` limits width times height of all pages together.

        Raises:
            InputError: it cannot be used. Exception: what the codec raises on damaged data.
        """


class Encoder(Protocol):
    """A module that writes a format."""

    def encode(
        self, pages: Sequence[Samples], photo: Photo, note: ComputedColorNote, quality: int
    ) -> bytes:
        """Encode pages HxWx3 or HxWx4 (with alpha) with the metadata of `photo` and the note.

        `quality` is 1..100, of lossy formats.
        """


def check_pixels(width: int, height: int, max_pixels: int, file_bytes: int | None = None) -> None:
    """Check the size that a file claims.

    Args:
        width: in pixels.
        height: likewise.
        max_pixels: limit on their product.
        file_bytes: length of a file whose coding has no bound of its own: a few bytes can stand
            for any number of equal pixels there.

    Raises:
        UndecodableError: nothing, or more than such a file of a picture can hold.
        TooLargeError: more than `max_pixels`.
    """
    if width < 1 or height < 1:
        raise UndecodableError(f"size {width}x{height}", remedy="check that the file is whole")
    if width * height > max_pixels:
        raise TooLargeError(
            f"{width}x{height} pixels, the limit is {max_pixels}",
            remedy="raise photo.max_pixels if memory allows",
        )
    pixels = width * height
    if file_bytes is not None and pixels > max(_HARMLESS_PIXELS, _MOST_PER_BYTE * file_bytes):
        raise UndecodableError(
            f"{file_bytes} bytes cannot hold the {width}x{height} pixels that the file claims",
            remedy="copy it again from its origin",
        )


def orientation_of(exif: bytes | None) -> int:
    """EXIF orientation 1..8, 1 where EXIF is damaged."""
    try:
        return exif_orientation(exif)
    except ValueError:  # reported with the rest of the metadata
        return 1


def dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """Resolution as Pillow found it, None when it makes no sense."""
    value = image.info.get("dpi")
    if value is None or not all(0 < float(v) < 1e6 for v in value):
        return None
    return float(value[0]), float(value[1])


def split_alpha(stored: Samples) -> tuple[Samples, Samples | None]:
    """Color and alpha of HxW or HxWx1..4 samples."""
    channels = stored.shape[2] if stored.ndim == 3 else 1
    if channels in (2, 4):
        color = stored[..., 0] if channels == 2 else stored[..., :3]
        return np.ascontiguousarray(color), np.ascontiguousarray(stored[..., -1])
    return stored.reshape(stored.shape[:2]) if channels == 1 else stored, None


def plain_mode(image: Image.Image) -> str:
    """Pillow mode that holds the picture without a palette."""
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def written_metadata(photo: Photo, note: ComputedColorNote) -> PhotoMetadata:
    """Metadata of the result: sRGB, and the note in its XMP."""
    keeps_film = bool(photo.metadata.trailer)
    packet = xmp.merged_packet(photo.metadata.xmp, note, turned=photo.turned, keeps_film=keeps_film)
    return replace(photo.metadata, xmp=packet, icc=srgb_profile())
