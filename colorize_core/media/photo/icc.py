"""Color management: samples with their ICC profile to sRGB."""

from __future__ import annotations

import functools

import imagecodecs
import numpy as np

from colorize_core.media.photo.raster import Raster, Samples, strips, to_uint8

# The creation date of lcms2's built-in profile is today: a constant one keeps outputs equal from
# day to day.
_PROFILE_DATE = slice(24, 36)
_FIXED_DATE = bytes.fromhex("07d000010001000000000000")
_PROFILE_HEADER_BYTES = 128


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
    for rows in strips(samples):
        light = top - samples[rows].astype(np.uint32)
        color[rows] = (light[..., :3] * light[..., 3:] + top // 2) // top
    return color


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
    return to_uint8(green[::257])[samples]
