"""PNG: read and written through libpng, which knows 16-bit RGB and every `tRNS`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace

import imagecodecs
from PIL import Image, PngImagePlugin

from colorize_core.errors import UndecodableError
from colorize_core.media.photo.formats import png_chunks, png_damage
from colorize_core.media.photo.formats.base import (
    Decoded,
    check_pixels,
    orientation_of,
    split_alpha,
    written_metadata,
)
from colorize_core.media.photo.formats.frames import read_frames
from colorize_core.media.photo.photo import Animation, Photo
from colorize_core.media.photo.raster import Raster, Samples
from colorize_core.media.picture.note import ComputedColorNote

_HINTS = frozenset({b"sRGB", b"gAMA", b"cHRM", b"pHYs", b"acTL"})
_LEVEL = 4  # 30 % faster than 6 and 0.1 % larger


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    first = next(png_chunks.png_chunks(data), (b"", b""))
    if first[0] != b"IHDR" or len(first[1]) != 13:
        raise UndecodableError("no PNG header", remedy="copy it again from its origin")
    header = png_damage.Header.of(first[1])
    check_pixels(header.width, header.height, max_pixels)
    png_damage.require_enough_data(data, header)
    chunks = png_damage.read_chunks(data)
    damage, note, sound = "", "", data
    if chunks.wrong or not chunks.is_whole:
        sound, damage, note = png_damage.repaired(chunks, header)
    stored = imagecodecs.png_decode(sound)
    samples, alpha = split_alpha(stored)
    metadata = png_chunks.read_metadata(data)
    hints: dict[bytes, bytes] = {}
    for kind, body in png_chunks.png_chunks(data):
        if kind in _HINTS:
            hints.setdefault(kind, body)
    icc = metadata.icc
    if icc is None and b"sRGB" not in hints and b"gAMA" in hints:
        icc = _gamma_profile(hints, samples.ndim == 2)
    density = hints.get(b"pHYs", b"")
    dpi = None
    if len(density) == 9 and density[8] == 1:
        across, down = (int.from_bytes(density[i : i + 4], "big") for i in (0, 4))
        dpi = (across * 0.0254, down * 0.0254) if across and down else None
    warnings: tuple[str, ...] = ()
    if b"acTL" in hints:
        if header.bits <= 8 and not damage:
            image = PngImagePlugin.PngImageFile(io.BytesIO(data))
            turn = orientation_of(metadata.exif)
            lost: tuple[str, ...] = ()
            rasters, animation = read_frames(image, max_pixels, icc, turn)
            # Of a damaged animation, Pillow shows the picture that stands for it.
            missing = int.from_bytes(hints[b"acTL"][:4], "big") - len(rasters)
            if missing > 0:
                lost = (f"{missing} frames of the animation are missing",)
            return Decoded(
                rasters,
                replace(metadata, dpi=dpi),
                damage=lost,
                notes=(note,) if note else (),
                animation=animation,
            )
        warnings = ("only the first frame of an animation is kept",)
    raster = Raster(samples, alpha, icc, orientation_of(metadata.exif))
    return Decoded(
        (raster,),
        replace(metadata, dpi=dpi),
        warnings=warnings,
        damage=(damage,) if damage else (),
        notes=(note,) if note else (),
    )


def encode(
    pages: Sequence[Samples],
    photo: Photo,
    note: ComputedColorNote,
    quality: int,  # noqa: ARG001 - of lossy formats
) -> bytes:
    """See `base.Encoder`."""
    if photo.animation is not None:
        encoded = _animated(pages, photo.animation)
    else:
        encoded = bytes(imagecodecs.png_encode(pages[0], _LEVEL))
    return png_chunks.with_metadata(encoded, written_metadata(photo, note))


def _animated(pages: Sequence[Samples], animation: Animation) -> bytes:
    frames = [Image.fromarray(page) for page in pages]
    buffer = io.BytesIO()
    delays = list(animation.delays)
    frames[0].save(
        buffer,
        "PNG",
        save_all=True,
        append_images=frames[1:],
        duration=delays[1:] if animation.starts_later else delays,
        loop=animation.loops,
        default_image=animation.starts_later,
        disposal=0,
        blend=0,
        compress_level=_LEVEL,
    )
    return buffer.getvalue()


def _gamma_profile(chunks: dict[bytes, bytes], gray: bool) -> bytes | None:
    """A profile for a PNG that states its gamma by number; None where sRGB is as good."""
    gamma = int.from_bytes(chunks[b"gAMA"], "big") / 100000
    if gamma <= 0 or abs(gamma - 1 / 2.2) < 0.02:
        return None
    if gray:
        return bytes(imagecodecs.cms_profile("gray", gamma=1 / gamma))
    white, primaries = (0.3127, 0.329), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
    if len(chunks.get(b"cHRM", b"")) == 32:
        values = [int.from_bytes(chunks[b"cHRM"][i : i + 4], "big") / 1e5 for i in range(0, 32, 4)]
        white, primaries = (values[0], values[1]), tuple(values[2:])  # type: ignore[assignment]
    return bytes(
        imagecodecs.cms_profile("rgb", gamma=1 / gamma, whitepoint=white, primaries=primaries)
    )
