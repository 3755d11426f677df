"""ICC profiles: what leaves the decoder is sRGB, whatever the file was encoded in."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from colorize_core.media.photo.icc import srgb_profile
from tests.media.photo.photo_helpers import (
    color_picture,
    decoded,
    deep,
    encoded,
    gray_picture,
    png_bytes,
    png_chunk,
    saved,
    tiff_bytes,
)

GRAY, COLOR = gray_picture(), color_picture()
GAMMA = 1.8
GRAY_PROFILE = imagecodecs.cms_profile("gray", gamma=GAMMA)
LINEAR_GRAY = imagecodecs.cms_profile("gray", gamma=1.0)
WIDE = imagecodecs.cms_profile("adobergb")


def srgb_encoded(linear):
    """IEC 61966-2-1."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def adobe_to_srgb(encoded_values):
    """Adobe RGB (1998), gamma 563/256, through XYZ at D65 to sRGB; both white points are D65."""
    to_xyz = np.array(
        [
            [0.5766690, 0.1855582, 0.1882286],
            [0.2973450, 0.6273636, 0.0752915],
            [0.0270314, 0.0706889, 0.9913375],
        ]
    )
    to_srgb = np.array(
        [
            [3.2404542, -1.5371385, -0.4985314],
            [-0.9692660, 1.8760108, 0.0415560],
            [0.0556434, -0.2040259, 1.0572252],
        ]
    )
    return srgb_encoded(encoded_values ** (563 / 256) @ (to_srgb @ to_xyz).T)


def cmyk_profile():
    """A printer profile in 2^4 nodes whose Lab comes from a formula: enough to tell it is used."""
    nodes = []
    for node in range(16):
        c, m, y, k = (node >> shift & 1 for shift in (3, 2, 1, 0))
        light = 100 * (1 - k) * (1 - 0.3 * (c + m + y))
        a, b = 20 * (m - c) * (1 - k), 30 * (y - (c + m) / 2) * (1 - k)
        nodes.append([light * 652.8, (a + 128) * 256, (b + 128) * 256])
    table = np.array(nodes).round().astype(">u2").tobytes()
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ends = struct.pack(">2H", 0, 65535)
    lut = b"mft2\0\0\0\0" + struct.pack(">4B", 4, 3, 2, 0) + identity + struct.pack(">2H", 2, 2)
    lut += ends * 4 + table + ends * 3
    lut += bytes(-len(lut) % 4)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    header = bytearray(128)
    start = 128 + 4 + 2 * 12
    struct.pack_into(">I", header, 0, start + len(lut) + len(white))
    header[8:12] = b"\x02\x40\0\0"
    header[12:24] = b"prtrCMYKLab "
    header[36:40] = b"acsp"
    struct.pack_into(">3i", header, 68, 63190, 65536, 54061)
    tags = struct.pack(">I4sII", 2, b"A2B0", start, len(lut))
    tags += struct.pack(">4sII", b"wtpt", start + len(lut), len(white))
    return bytes(header) + tags + lut + white


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "JPEG"])
def test_gray_profile_is_undone(kind):
    options = {"quality": 100} if kind == "JPEG" else {}
    pixels = decoded(saved(GRAY, kind, icc_profile=GRAY_PROFILE, **options)).pages[0].pixels
    expected = 255 * srgb_encoded((GRAY / 255) ** GAMMA)
    assert pixels.shape == GRAY.shape
    assert np.abs(pixels - expected).max() <= (1.5 if kind == "JPEG" else 0.6)


def test_16_bit_gray_keeps_its_depth_through_the_profile():
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    pixels = decoded(tiff_bytes(ramp, iccprofile=GRAY_PROFILE)).pages[0].pixels
    expected = 65535 * srgb_encoded((ramp / 65535) ** GAMMA)
    assert pixels.dtype == np.uint16
    assert np.abs(pixels - expected).max() <= 1.5
    assert np.unique(pixels).size > 50_000


def test_16_bit_color_through_a_wide_profile():
    picture = deep(COLOR // 2 + 60)
    pixels = decoded(tiff_bytes(picture, iccprofile=WIDE)).pages[0].pixels
    expected = 65535 * adobe_to_srgb(picture / 65535)
    assert pixels.dtype == np.uint16
    assert np.abs(pixels - expected).max() < 10
    assert np.abs(pixels.astype(int) - picture).max() > 2000


def test_8_bit_color_agrees_with_pillow():
    image = Image.fromarray(COLOR)
    pixels = decoded(saved(image, "PNG", icc_profile=WIDE)).pages[0].pixels
    reference = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(WIDE)),
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    assert np.abs(pixels.astype(int) - np.asarray(reference)).max() <= 2


def test_gray_picture_with_an_rgb_profile():
    pixels = decoded(saved(GRAY, "PNG", icc_profile=WIDE)).pages[0].pixels
    expected = 255 * adobe_to_srgb(np.repeat(GRAY[..., None] / 255, 3, axis=2))[..., 1]
    assert pixels.shape == GRAY.shape
    assert np.abs(pixels - expected).max() <= 1


@pytest.mark.parametrize("picture", [GRAY, COLOR, deep(GRAY), deep(COLOR)])
def test_an_srgb_profile_moves_nothing(picture):
    for profile in (srgb_profile(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))):
        icc = profile if isinstance(profile, bytes) else profile.tobytes()
        pixels = decoded(tiff_bytes(picture, iccprofile=icc)).pages[0].pixels
        np.testing.assert_array_equal(pixels, picture)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_cmyk_goes_through_its_profile(dtype):
    top = np.iinfo(dtype).max
    inks = np.array([[[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [1, 0, 0, 0]]], dtype) * top
    data = tiff_bytes(inks, photometric="separated", iccprofile=cmyk_profile())
    photo = decoded(data)
    assert not photo.warnings
    white, black, yellow, cyan = photo.pages[0].pixels[0] / top * 255
    assert photo.pages[0].pixels.dtype == dtype
    assert white.min() > 253
    assert black.max() < 3
    assert yellow[2] < yellow[0] - 40  # Lab 70, 0, 30 by the profile, not (255, 255, 0)
    assert 100 < yellow[0] < 220
    assert cyan[0] < cyan[2]


def test_cmyk_jpeg_goes_through_its_profile():
    image = Image.new("CMYK", (16, 16), (0, 0, 255, 0))
    data = saved(image, "JPEG", quality=95, icc_profile=cmyk_profile())
    red, _, blue = decoded(data).pages[0].pixels[8, 8]
    assert 100 < red < 220
    assert blue < red - 40


@pytest.mark.parametrize(
    ("picture", "profile"),
    [
        (COLOR, GRAY_PROFILE),
        (GRAY, cmyk_profile()),
        (GRAY, b"not a profile at all"),
        (GRAY, GRAY_PROFILE[:140]),
        (COLOR, WIDE[:200] + bytes(len(WIDE) - 200)),
    ],
)
def test_a_profile_that_does_not_fit_is_passed_over_with_a_warning(picture, profile):
    photo = decoded(saved(picture, "PNG", icc_profile=profile))
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    assert any("passed over" in warning for warning in photo.warnings)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("profile", [None, GRAY_PROFILE])
def test_the_result_carries_an_rgb_profile_never_the_gray_one(kind, profile):
    options = {} if profile is None or kind == "WEBP" else {"icc_profile": profile}
    result = Image.open(io.BytesIO(encoded(decoded(saved(GRAY, kind, **options)))))
    icc = result.info["icc_profile"]
    assert icc[16:20] == b"RGB "
    name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc)))
    assert "sRGB" in name


def test_png_that_states_its_gamma_by_number():
    def with_gamma(value, *more):
        chunk = png_chunk(b"gAMA", struct.pack(">I", value))
        return png_bytes(GRAY[..., None], 8, 0, chunk, *more)

    linear = decoded(with_gamma(100_000)).pages[0].pixels
    assert np.abs(linear - 255 * srgb_encoded(GRAY / 255)).max() <= 1
    np.testing.assert_array_equal(decoded(with_gamma(45_455)).pages[0].pixels, GRAY)
    srgb = png_chunk(b"sRGB", b"\0")
    np.testing.assert_array_equal(decoded(with_gamma(100_000, srgb)).pages[0].pixels, GRAY)
    primaries = png_chunk(
        b"cHRM", struct.pack(">8I", 31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)
    )
    gamma = png_chunk(b"gAMA", struct.pack(">I", 100_000))
    color = decoded(png_bytes(COLOR, 8, 2, gamma, primaries)).pages[0].pixels
    assert np.abs(color - 255 * srgb_encoded(COLOR / 255)).max() <= 2


def test_alpha_does_not_go_through_the_profile():
    stored = np.dstack([GRAY, GRAY])
    page = decoded(saved(Image.fromarray(stored), "PNG", icc_profile=LINEAR_GRAY)).pages[0]
    np.testing.assert_array_equal(page.alpha, GRAY)
    assert (page.pixels != GRAY).any()
