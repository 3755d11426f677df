"""Lightness and metadata through every format: read, colored, written, read by another program."""

from __future__ import annotations

import io

import cv2
import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage.color import lab2rgb, rgb2lab

from tests.media.photo.photo_files import (
    XMP,
    dpx_bytes,
    exif_block,
    heif_bytes,
    jp2_bytes,
    pdf_bytes,
    psd_bytes,
    resource,
)
from tests.media.photo.photo_helpers import (
    COMPUTED,
    as_color,
    decoded,
    deep,
    encoded,
    gray_picture,
    saved,
    tiff_bytes,
)

GRAY = gray_picture(48, 64)
DEEP = deep(GRAY)
WITH = {"exif": exif_block(), "xmp": XMP}


def lab(pixels):
    return rgb2lab(as_color(pixels) / np.iinfo(pixels.dtype).max)


def colored(pixels):
    """The same lightness with one color, as the generator gives it."""
    top = np.iinfo(pixels.dtype).max
    rgb = lab2rgb(np.dstack([lab(pixels)[..., 0], np.full((*GRAY.shape, 2), (9.0, -14.0))]))
    return (rgb * top).round().astype(pixels.dtype)


def by_opencv(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]


def by_tifffile(data):
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return file.pages[0].asarray()


def psd(picture):
    described = resource(1060, XMP) + resource(1058, exif_block())
    return psd_bytes(picture[None], 1, resources=described)


# Name, file, reader of the result, most that lightness may move (mean), carries EXIF and XMP.
CASES = [
    (
        "a.jpg",
        saved(GRAY, "JPEG", quality=95, exif=b"Exif\0\0" + exif_block(), xmp=XMP),
        by_opencv,
        1.0,
        True,
    ),
    ("a.png", saved(GRAY, "PNG", exif=WITH["exif"]), by_opencv, 0.3, False),
    ("a.webp", saved(GRAY, "WEBP", lossless=True, **WITH), by_opencv, 0.3, True),
    ("b.webp", saved(GRAY, "WEBP", quality=95, **WITH), by_opencv, 2.0, True),
    ("a.bmp", saved(GRAY, "BMP"), by_opencv, 0.3, False),
    ("a.pgm", saved(GRAY, "PPM"), by_opencv, 0.3, False),
    ("a.gif", saved(GRAY, "GIF"), by_opencv, 0.3, False),
    ("a.tif", tiff_bytes(DEEP, compression="lzw"), by_tifffile, 0.01, False),
    ("b.tif", tiff_bytes(GRAY, compression="jpeg2000"), by_tifffile, 0.3, False),
    ("a.jp2", jp2_bytes(GRAY, metadata=True, reversible=True), by_opencv, 0.3, True),
    ("b.jp2", jp2_bytes(DEEP, metadata=True, reversible=True), by_opencv, 0.01, True),
    ("c.jp2", jp2_bytes(GRAY, metadata=True, level=45), by_opencv, 1.0, True),
    ("a.jxl", bytes(imagecodecs.jpegxl_encode(GRAY, lossless=True)), by_opencv, 0.3, False),
    ("a.avif", saved(GRAY, "AVIF", quality=95, **WITH), by_opencv, 0.3, True),
    ("a.heic", heif_bytes(GRAY, "L", **WITH), by_opencv, 1.0, True),
    ("b.heic", heif_bytes(np.dstack([DEEP] * 3), "RGB;16", **WITH), by_opencv, 0.3, True),
    ("a.psd", psd(GRAY), by_tifffile, 0.3, True),
    ("b.psd", psd(DEEP), by_tifffile, 0.01, True),
    ("a.tga", saved(GRAY, "TGA"), by_opencv, 0.3, False),
    ("a.pcx", saved(GRAY, "PCX"), by_opencv, 0.3, False),
    ("a.dpx", dpx_bytes(np.dstack([DEEP >> 6] * 3), "gbrp10le"), by_opencv, 0.01, False),
    ("a.pdf", pdf_bytes(GRAY), by_tifffile, 1.0, False),
]


@pytest.mark.parametrize(("name", "data", "read", "limit", "described"), CASES)
def test_lightness_and_metadata_of_every_format(name, data, read, limit, described):
    photo = decoded(data, name)
    assert not photo.warnings
    pixels = photo.pages[0].pixels
    assert np.abs(lab(pixels)[..., 0] - lab(GRAY)[..., 0]).mean() < 1.5
    result = encoded(photo, [colored(pixels)])
    written = read(result)
    assert written.dtype == pixels.dtype
    moved = np.abs(lab(written)[..., 0] - lab(pixels)[..., 0])
    assert moved.mean() <= limit
    assert np.abs(lab(written)[..., 2].mean() + 14) < 3
    assert COMPUTED.encode() in result
    if described:
        assert b"box 7" in result
        assert b"Leitz" in result
        with Image.open(io.BytesIO(result)) as image:
            if image.format != "JPEG2000":  # Pillow knows no EXIF there
                assert image.getexif()[271] == "Leitz"
