"""AVIF: pixels through libavif at their full depth, the rest through Pillow."""

from __future__ import annotations

import io
import re

import imagecodecs
import numpy as np
from PIL import AvifImagePlugin

from colorize_core.errors import UndecodableError
from colorize_core.media.photo.formats.base import (
    Decoded,
    check_pixels,
    orientation_of,
    split_alpha,
)
from colorize_core.media.photo.formats.code_points import profile_of
from colorize_core.media.photo.photo import EXIF_PREFIX, PhotoMetadata
from colorize_core.media.photo.raster import Raster, to_full_range

_HEAD = 1 << 16
# Configuration of the coder, and the colors by number (ISO/IEC 23000-22; 14496-12, 12.1.5).
_CONFIGURATION = re.compile(rb"av1C[\s\S]{2}([\s\S])")
_CODE_POINTS = re.compile(rb"colrnclx([\s\S]{2})([\s\S]{2})")


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    image = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
    check_pixels(*image.size, max_pixels, len(data))
    frames = image.n_frames
    exif = image.info.get("exif")
    metadata = PhotoMetadata(
        exif=exif.removeprefix(EXIF_PREFIX) if exif else None,
        xmp=image.info.get("xmp"),
        icc=image.info.get("icc_profile"),
    )
    stored = np.asarray(imagecodecs.avif_decode(data, index=0, numthreads=1))
    if stored.shape[:2] != (image.height, image.width):
        raise UndecodableError("an AVIF of odd layout", remedy="convert it to TIFF or PNG")
    samples, alpha = split_alpha(to_full_range(stored, _bits(data) if stored.itemsize > 1 else 8))
    if samples.ndim == 3 and (samples == samples[..., :1]).all():
        samples = np.ascontiguousarray(samples[..., 0])
    icc, warnings = metadata.icc, ("only the first frame of an animation is kept",) * (frames > 1)
    found = _CODE_POINTS.search(data, 0, _HEAD)
    if icc is None and found:
        primaries, transfer = (int.from_bytes(part, "big") for part in found.groups())
        icc, more = profile_of(primaries, transfer, is_gray=samples.ndim == 2)
        warnings += more
    raster = Raster(samples, alpha, icc, orientation_of(metadata.exif))
    return Decoded((raster,), metadata, lossless=False, warnings=warnings)


def _bits(data: bytes) -> int:
    found = _CONFIGURATION.search(data, 0, _HEAD)
    flags = found[1][0] if found else 0
    return 12 if flags & 0x20 else 10 if flags & 0x40 else 8
