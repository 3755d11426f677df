"""Decoded samples on their way to upright sRGB: ICC profiles, orientation, alpha."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[Any]  # uint8 or uint16, full range

# The creation date of lcms2's built-in profile is today: a constant one keeps outputs equal from
# day to day.
_PROFILE_DATE = slice(24, 36)
_FIXED_DATE = bytes.fromhex("07d000010001000000000000")
_PROFILE_HEADER_BYTES = 128


def to_uint8(samples: Samples) -> NDArray[np.uint8]:
    """Any uint8 or uint16 samples as uint8."""
    if samples.dtype == np.uint8:
        return samples.astype(np.uint8, copy=False)
    # 65535 / 255 = 257 exactly.
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


@dataclass(frozen=True)
class Raster:
    """Samples as the file holds them, before color management.

    `samples` is HxW gray, HxWx3 RGB or HxWx4 CMYK (0 = no ink), uint8 or uint16 over the full
    range; `alpha` HxW of the same dtype.
    """

    samples: Samples
    alpha: Samples | None = None
    icc: bytes | None = None
    orientation: int = 1


@functools.cache
def srgb_profile() -> bytes:
    """The sRGB ICC profile that every output carries."""
    profile = bytearray(imagecodecs.cms_profile("srgb"))
    profile[_PROFILE_DATE] = _FIXED_DATE
    return bytes(profile)


def to_srgb(raster: Raster) -> tuple[Samples, tuple[str, ...]]:
    """Return gray HxW or RGB HxWx3 samples encoded as sRGB, dtype kept, with warnings.

    The profile that is embedded decides; without one, gray and RGB are taken as sRGB. Where the
    profile moves no color by 1/255 or more, samples are returned untouched, so that an sRGB scan
    comes back bit for bit. A profile that is broken or made for another kind of picture is passed
    over with a warning.
    """
    channels = raster.samples.shape[2] if raster.samples.ndim == 3 else 1
    if raster.icc is not None:
        space = raster.icc[16:20].strip().decode("latin-1")
        expected = {1: ("GRAY", "RGB"), 3: ("RGB",), 4: ("CMYK",)}[channels]
        if len(raster.icc) <= _PROFILE_HEADER_BYTES or space not in expected:
            warning = f"the embedded {space or 'empty'} profile does not fit and was passed over"
            return _without_profile(raster.samples, channels), (warning,)
        try:
            return _convert(raster.samples, channels, raster.icc, space), ()
        except imagecodecs.CmsError as error:
            warning = f"the embedded profile cannot be used and was passed over: {error}"
            return _without_profile(raster.samples, channels), (warning,)
    return _without_profile(raster.samples, channels), ()


def _without_profile(samples: Samples, channels: int) -> Samples:
    if channels != 4:
        return samples
    top = int(np.iinfo(samples.dtype).max)
    color = np.empty((*samples.shape[:2], 3), samples.dtype)
    for rows in _strips(samples):
        light = top - samples[rows].astype(np.uint32)
        color[rows] = (light[..., :3] * light[..., 3:] + top // 2) // top
    return color


def _strips(samples: Samples) -> Iterator[slice]:
    """Row ranges of about a million samples, so that wide intermediates stay small."""
    step = max(1, 2**20 // max(1, samples[:1].size))
    for start in range(0, len(samples), step):
        yield slice(start, start + step)


def _convert(samples: Samples, channels: int, icc: bytes, space: str) -> Samples:
    if channels == 1:
        return _through_gray_curve(samples, icc, space)
    if channels == 3 and _is_srgb(icc):
        return samples
    return _transform(samples, icc, space)


def _transform(samples: Samples, icc: bytes, space: str) -> Samples:
    flags: int = imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION
    if samples.dtype == np.uint16:
        # lcms2's own tables are off by up to 4 % of the range near black at 16 bit.
        flags |= imagecodecs.CMS.FLAGS.NOOPTIMIZE
    converted: Samples = imagecodecs.cms_transform(
        samples,
        icc,
        srgb_profile(),
        colorspace=space.lower(),
        outcolorspace="rgb",
        intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
        flags=flags,
    )
    return converted


def _is_srgb(icc: bytes) -> bool:
    axis = np.linspace(0, 65535, 9).astype(np.uint16)
    probe = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 9, 3)
    moved = np.abs(_transform(probe, icc, "RGB").astype(np.int64) - probe)
    return int(moved.max()) < 257


def _through_gray_curve(samples: Samples, icc: bytes, space: str) -> Samples:
    """Map gray samples through the tone curve of a gray or RGB profile, tabulated at 16 bit."""
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    if space == "RGB":
        ramp = np.repeat(ramp[..., None], 3, axis=2)
    green = _transform(ramp, icc, space)[..., 1].reshape(-1)
    if int(np.abs(green.astype(np.int64) - np.arange(65536)).max()) < 257:
        return samples
    if samples.dtype == np.uint16:
        return green[samples]
    table = ((green[::257].astype(np.uint32) + 128) // 257).astype(np.uint8)
    return table[samples]


def upright(array: Samples, orientation: int) -> Samples:
    """Turn HxW or HxWxC as EXIF orientation 1..8 says. Source: EXIF 2.32, tag 274."""
    if orientation in (2, 3):
        array = array[:, ::-1]
    if orientation in (3, 4):
        array = array[::-1]
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (6, 7):
        array = array[:, ::-1]
    if orientation in (7, 8):
        array = array[::-1]
    # Codecs hand out read-only views, and torch warns about those.
    return np.require(array, requirements=["C", "W"])


def swaps_sides(orientation: int) -> bool:
    """Whether width and height change places."""
    return orientation >= 5


def to_full_range(samples: Samples, bits: int) -> Samples:
    """Stretch samples of 1..16 bits to the full range of uint8 (up to 8 bits) or uint16."""
    dtype = np.uint8 if bits <= 8 else np.uint16
    if bits in (8, 16):
        return samples.astype(dtype, copy=False)
    top, full = (1 << bits) - 1, int(np.iinfo(dtype).max)
    wide = np.minimum(samples.astype(np.uint32), top)
    return ((wide * full + top // 2) // top).astype(dtype)


def unassociated(samples: Samples, alpha: Samples) -> Samples:
    """Divide color by alpha where a file stores it multiplied; full transparency stays 0."""
    top = int(np.iinfo(samples.dtype).max)
    color = np.empty_like(samples)
    for rows in _strips(samples):
        weight = alpha[rows].astype(np.uint32)
        if samples.ndim == 3:
            weight = weight[..., None]
        divided = (samples[rows].astype(np.uint32) * top + weight // 2) // np.maximum(weight, 1)
        color[rows] = np.minimum(divided, top)
    return color
