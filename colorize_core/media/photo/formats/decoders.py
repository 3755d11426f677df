"""One decoder per photo format: bytes to samples as stored, with the metadata found beside them.

Size is checked against the limit before pixels are decoded. Pillow's format classes are called
directly: `Image.open` would try other formats too and applies a pixel limit of its own.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import imagecodecs
import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, WebPImagePlugin

from colorize_core.errors import TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.photo.exif import exif_orientation
from colorize_core.media.photo.formats import embedded, pnm
from colorize_core.media.photo.formats.tiff_read import TiffLayout, read_tiff
from colorize_core.media.photo.icc import Raster, Samples

Format = Literal["jpeg", "png", "tiff", "webp", "bmp", "pnm", "gif"]


_PNG_HINTS = frozenset({b"sRGB", b"gAMA", b"cHRM", b"pHYs", b"acTL"})


@dataclass(frozen=True)
class Decoded:
    """What a decoder found."""

    rasters: tuple[Raster, ...]
    found: embedded.Found
    lossless: bool = True
    dpi: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()
    tiff: TiffLayout | None = None


def _check_pixels(width: int, height: int, max_pixels: int) -> None:
    if width < 1 or height < 1:
        raise UndecodableError(f"size {width}x{height}", remedy="check that the file is whole")
    if width * height > max_pixels:
        raise TooLargeError(
            f"{width}x{height} pixels, the limit is {max_pixels}",
            remedy="raise photo.max_pixels if memory allows",
        )


def _orientation(exif: bytes | None) -> int:
    try:
        return exif_orientation(exif)
    except ValueError:  # reported with the rest of the metadata
        return 1


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    value = image.info.get("dpi")
    if value is None or not all(0 < float(v) < 1e6 for v in value):
        return None
    return float(value[0]), float(value[1])


def _decode_jpeg(data: bytes, max_pixels: int) -> Decoded:
    frame = embedded.jpeg_frame(data)
    if frame is not None and (frame[1] != 8 or frame[0] not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA)):
        raise UnsupportedError(
            f"a {frame[1]}-bit or lossless JPEG", remedy="convert it to 16-bit TIFF or PNG"
        )
    image: Image.Image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    _check_pixels(*image.size, max_pixels)
    warnings: tuple[str, ...] = ()
    try:
        image.load()
    except OSError as error:
        # With an end marker in place libjpeg delivers what there is, and fills the rest.
        image = JpegImagePlugin.JpegImageFile(io.BytesIO(data + b"\xff\xd9"))
        image.load()
        filled = _filled_percent(np.asarray(image))
        lost = f"up to {filled} % of the picture is" if filled else "parts may be"
        warnings = (f"cut short or damaged: {lost} filled in",)
        if filled == 100:
            raise UndecodableError(
                "no picture data before the end of the file",
                remedy="copy it again from its origin",
            ) from error
    found = embedded.read_jpeg(data)
    raster = Raster(
        np.asarray(image), None, image.info.get("icc_profile"), _orientation(found.exif)
    )
    return Decoded((raster,), found, lossless=False, dpi=_dpi(image), warnings=warnings)


def _filled_percent(samples: Samples) -> int:
    """Share of rows at the bottom of a baseline JPEG that repeat its last pixel."""
    plain = (samples == samples[-1, -1]).reshape(len(samples), -1).all(axis=1)
    rows = len(plain) if plain.all() else int(np.argmin(plain[::-1]))
    return 100 * rows // len(plain)


def _decode_png(data: bytes, max_pixels: int) -> Decoded:
    header = next(embedded.png_chunks(data), (b"", b""))
    if header[0] != b"IHDR" or len(header[1]) != 13:
        raise UndecodableError("no PNG header", remedy="copy it again from its origin")
    width, height = (int.from_bytes(header[1][i : i + 4], "big") for i in (0, 4))
    _check_pixels(width, height, max_pixels)
    stored = imagecodecs.png_decode(data)
    samples, alpha = _split_alpha(stored)
    found = embedded.read_png(data)
    chunks: dict[bytes, bytes] = {}
    for kind, body in embedded.png_chunks(data):
        if kind in _PNG_HINTS:
            chunks.setdefault(kind, body)
    if found.icc is None and b"sRGB" not in chunks and b"gAMA" in chunks:
        found.icc = _gamma_profile(chunks, samples.ndim == 2)
    warnings = ("only the first frame of an animation is kept",) if b"acTL" in chunks else ()
    density = chunks.get(b"pHYs", b"")
    dpi = None
    if len(density) == 9 and density[8] == 1:
        across, down = (int.from_bytes(density[i : i + 4], "big") for i in (0, 4))
        dpi = (across * 0.0254, down * 0.0254) if across and down else None
    raster = Raster(samples, alpha, found.icc, _orientation(found.exif))
    return Decoded((raster,), found, dpi=dpi, warnings=warnings)


def _split_alpha(stored: Samples) -> tuple[Samples, Samples | None]:
    channels = stored.shape[2] if stored.ndim == 3 else 1
    if channels in (2, 4):
        color = stored[..., 0] if channels == 2 else stored[..., :3]
        return np.ascontiguousarray(color), np.ascontiguousarray(stored[..., -1])
    return stored.reshape(stored.shape[:2]) if channels == 1 else stored, None


def _gamma_profile(chunks: dict[bytes, bytes], gray: bool) -> bytes | None:
    """A profile for a PNG that states its gamma by number; None where sRGB is as good."""
    gamma = int.from_bytes(chunks[b"gAMA"], "big") / 100000
    if gamma <= 0 or abs(gamma - 1 / 2.2) < 0.02:
        return None
    if gray:
        profile: bytes = imagecodecs.cms_profile("gray", gamma=1 / gamma)
        return profile
    white, primaries = (0.3127, 0.329), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
    if len(chunks.get(b"cHRM", b"")) == 32:
        values = [int.from_bytes(chunks[b"cHRM"][i : i + 4], "big") / 1e5 for i in range(0, 32, 4)]
        white, primaries = (values[0], values[1]), tuple(values[2:])  # type: ignore[assignment]
    profile = imagecodecs.cms_profile("rgb", gamma=1 / gamma, whitepoint=white, primaries=primaries)
    return profile


def _decode_tiff(data: bytes, max_pixels: int) -> Decoded:
    file = read_tiff(data, max_pixels=max_pixels)
    layout = file.layout.pages[0]
    found = embedded.Found(xmp=layout.xmp)
    dpi = None
    if layout.resolution is not None and layout.resolution_unit in (2, 3):
        scale = 1.0 if layout.resolution_unit == 2 else 2.54
        (a, b), (c, d) = layout.resolution
        dpi = (a / b * scale, c / d * scale)
    return Decoded(file.rasters, found, file.lossless, dpi, file.warnings, file.layout)


def _decode_webp(data: bytes, max_pixels: int) -> Decoded:
    header, found = embedded.read_webp(data)
    _check_pixels(header.width, header.height, max_pixels)
    image = WebPImagePlugin.WebPImageFile(io.BytesIO(data))
    image.load()
    samples, alpha = _split_alpha(np.asarray(image.convert(_plain_mode(image))))
    warnings = ("only the first frame of an animation is kept",) if header.frames > 1 else ()
    raster = Raster(samples, alpha, found.icc, _orientation(found.exif))
    return Decoded((raster,), found, header.lossless, None, warnings)


def _decode_bmp(data: bytes, max_pixels: int) -> Decoded:
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    _check_pixels(*image.size, max_pixels)
    image.load()
    samples, alpha = _split_alpha(np.asarray(image.convert(_plain_mode(image))))
    return Decoded((Raster(samples, alpha),), embedded.Found(), dpi=_dpi(image))


def _decode_gif(data: bytes, max_pixels: int) -> Decoded:
    image = GifImagePlugin.GifImageFile(io.BytesIO(data))
    _check_pixels(*image.size, max_pixels)
    image.load()
    samples, alpha = _split_alpha(np.asarray(image.convert(_plain_mode(image))))
    comment = image.info.get("comment")
    found = embedded.Found(
        xmp=image.info.get("xmp"),
        extra=embedded.text_chunks("Comment", [comment] if comment else []),
    )
    warnings = ("only the first frame of an animation is kept",) if image.is_animated else ()
    return Decoded((Raster(samples, alpha),), found, warnings=warnings)


def _plain_mode(image: Image.Image) -> str:
    if image.has_transparency_data:
        return "RGBA"
    return "L" if image.mode in ("1", "L") else "RGB"


def _decode_pnm(data: bytes, max_pixels: int) -> Decoded:
    header = pnm.read_header(data)
    _check_pixels(header.width, header.height, max_pixels)
    samples = pnm.read_samples(data, header)
    found = embedded.Found(extra=embedded.text_chunks("Comment", header.comments))
    more = ("only the first of its pictures was used",) if pnm.is_followed(data, header) else ()
    return Decoded((Raster(samples),), found, warnings=more)


# Called with the whole file and the pixel limit. Raise InputError, or what the codec raises.
DECODERS: dict[Format, Callable[[bytes, int], Decoded]] = {
    "jpeg": _decode_jpeg,
    "png": _decode_png,
    "tiff": _decode_tiff,
    "webp": _decode_webp,
    "bmp": _decode_bmp,
    "gif": _decode_gif,
    "pnm": _decode_pnm,
}
