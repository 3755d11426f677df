"""WebP: read through libwebp, its chunks by hand."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, WebPImagePlugin

from colorize_core.errors import UndecodableError
from colorize_core.media.photo.formats.base import (
    Decoded,
    check_pixels,
    orientation_of,
    plain_mode,
    split_alpha,
    written_metadata,
)
from colorize_core.media.photo.formats.frames import read_frames
from colorize_core.media.photo.photo import EXIF_PREFIX, Photo, PhotoMetadata
from colorize_core.media.photo.raster import Raster, Samples
from colorize_core.media.picture.note import ComputedColorNote

_FILLINGS = tuple(
    bytes([byte]) for byte in (0, 0x5A, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x11, 0x22, 0x44, 0x88)
)
_MOST_FILLED = 64  # times what is there


@dataclass(frozen=True)
class WebpHeader:
    """What a WebP file says before its pixels are decoded."""

    width: int
    height: int
    lossless: bool
    frames: int


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    header, metadata = read_webp(data)
    check_pixels(header.width, header.height, max_pixels, len(data))
    promised = 8 + int.from_bytes(data[4:8], "little")
    damage: tuple[str, ...] = ()
    if len(data) < promised:
        pixels, percent = _salvaged(data, promised)
        damage = (f"cut short: {percent} % of the picture is missing",)
    elif header.frames > 1:
        image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
        turn = orientation_of(metadata.exif)
        rasters, animation = read_frames(image, max_pixels, metadata.icc, turn)
        return Decoded(rasters, metadata, header.lossless, animation=animation)
    else:
        pixels = _pixels(data)
    samples, alpha = split_alpha(pixels)
    warnings = ("only the first frame of an animation is kept",) if header.frames > 1 else ()
    raster = Raster(samples, alpha, metadata.icc, orientation_of(metadata.exif))
    return Decoded((raster,), metadata, header.lossless, warnings, damage)


def _pixels(data: bytes) -> Samples:
    image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    image.load()
    return np.asarray(image.convert(plain_mode(image)))


def _salvaged(data: bytes, promised: int) -> tuple[Samples, int]:
    """What there is of a file that is cut short, black below, and how many percent are missing.

    The coder has no end of data: it decodes whatever stands there. So the missing bytes are filled
    in twice, in different ways; rows that depend on them differ.

    Raises:
        UndecodableError: nothing of it can be decoded.
    """
    if promised > _MOST_FILLED * len(data):
        raise UndecodableError("hardly any of the file is there", remedy="copy it again")
    decoded: list[Samples] = []
    for filling in _FILLINGS:
        with contextlib.suppress(OSError, ValueError):
            decoded.append(_pixels(data + filling * (promised - len(data))))
        if len(decoded) == 2:
            break
    if len(decoded) < 2 or decoded[0].shape != decoded[1].shape:
        raise UndecodableError("no picture data in it", remedy="copy it again from its origin")
    pixels = decoded[0].copy()
    differs = (decoded[0] != decoded[1]).reshape(len(pixels), -1).any(axis=1)
    first = int(np.argmax(differs)) if differs.any() else len(pixels)
    if first == 0:
        raise UndecodableError("no picture data in it", remedy="copy it again from its origin")
    pixels[first:, ..., :3] = 0
    return pixels, -(-100 * (len(pixels) - first) // len(pixels))


def encode(pages: Sequence[Samples], photo: Photo, note: ComputedColorNote, quality: int) -> bytes:
    """See `base.Encoder`. Lossy WebP knows 4:2:0 only."""
    metadata = written_metadata(photo, note)
    buffer = io.BytesIO()
    more: dict[str, Any] = {}
    if photo.animation is not None:
        more = {
            "save_all": True,
            "append_images": [Image.fromarray(page) for page in pages[1:]],
            "duration": list(photo.animation.delays),
            "loop": photo.animation.loops,
        }
    Image.fromarray(pages[0]).save(
        buffer,
        "WEBP",
        **more,
        lossless=photo.lossless,
        quality=75 if photo.lossless else quality,  # of a lossless picture: effort
        exact=True,
        icc_profile=metadata.icc,
        exif=metadata.exif or b"",
        xmp=metadata.xmp,
    )
    return buffer.getvalue()


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, body) of the chunks of a WebP file, those inside frames after `ANMF`."""
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        yield kind, body
        # A frame's own chunks begin 16 bytes into its chunk.
        position += 24 if kind == b"ANMF" else 8 + length + length % 2


def read_webp(data: bytes) -> tuple[WebpHeader, PhotoMetadata]:
    """Collect size, kind of coding and metadata of a WebP file.

    Raises:
        ValueError: no picture chunk.
    """
    found: dict[bytes, bytes] = {}
    canvas: tuple[int, int] | None = None
    coded: tuple[int, int] | None = None
    lossless, frames = False, 0
    for kind, body in riff_chunks(data):
        if kind == b"VP8X" and len(body) >= 10:
            canvas = (
                1 + int.from_bytes(body[4:7], "little"),
                1 + int.from_bytes(body[7:10], "little"),
            )
        elif kind in (b"EXIF", b"XMP ", b"ICCP"):
            found[kind] = body
        elif kind == b"VP8L" and len(body) >= 5:
            bits = int.from_bytes(body[1:5], "little")
            if coded is None:
                coded, lossless = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), True
            frames += 1
        elif kind == b"VP8 " and len(body) >= 10:
            wide, high = struct.unpack_from("<HH", body, 6)
            coded = coded or (wide & 0x3FFF, high & 0x3FFF)
            frames += 1
    size = canvas or coded
    if size is None or coded is None:
        raise ValueError("no picture chunk")
    exif = found[b"EXIF"].removeprefix(EXIF_PREFIX) if b"EXIF" in found else None
    metadata = PhotoMetadata(exif=exif, xmp=found.get(b"XMP "), icc=found.get(b"ICCP"))
    return WebpHeader(*size, lossless=lossless, frames=frames), metadata
