"""TIFF in its many layouts, in and out, checked with Pillow, OpenCV (libtiff) and tifffile."""

from __future__ import annotations

import io
import random
import struct
import time

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from colorize_core.errors import InputError, TooLargeError, UnsupportedError
from colorize_core.media.photo import ifd
from tests.media.photo.photo_helpers import (
    as_color,
    color_picture,
    decoded,
    deep,
    encoded,
    gray_picture,
    saved,
    tiff_bytes,
    tinted,
)

GRAY, COLOR = gray_picture(), color_picture()
ALPHA = np.linspace(0, 255, GRAY.size).astype(np.uint8).reshape(GRAY.shape)


def pages_of(data):
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return [(page.asarray(), page) for page in file.pages]


def only(data):
    (page,) = decoded(data).pages
    return page


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "lzma", "zstd"])
@pytest.mark.parametrize("picture", [GRAY, COLOR, deep(GRAY), deep(COLOR)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_depth_pixels_compression_and_byte_order_are_kept(compression, picture, order):
    data = tiff_bytes(picture, compression=compression, order=order)
    photo = decoded(data)
    assert photo.bit_depth == picture.dtype.itemsize * 8
    assert photo.lossless
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    result = encoded(photo)
    ((pixels, page),) = pages_of(result)
    np.testing.assert_array_equal(pixels, tinted(photo)[0])
    assert page.compression == pages_of(data)[0][1].compression
    assert page.parent.byteorder == order
    np.testing.assert_array_equal(decoded(result).pages[0].pixels, pixels)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_files_of_pillow_are_read_and_ours_are_read_by_pillow_and_opencv(compression):
    photo = decoded(saved(COLOR, "TIFF", compression=compression))
    np.testing.assert_array_equal(photo.pages[0].pixels, COLOR)
    result = encoded(photo)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(result))), tinted(photo)[0])
    by_opencv = cv2.imdecode(np.frombuffer(result, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(by_opencv[..., ::-1], tinted(photo)[0])


def test_16_bit_result_is_read_by_opencv():
    photo = decoded(tiff_bytes(deep(GRAY), compression="lzw", predictor=True))
    by_opencv = cv2.imdecode(np.frombuffer(encoded(photo), np.uint8), cv2.IMREAD_UNCHANGED)
    assert by_opencv.dtype == np.uint16
    np.testing.assert_array_equal(by_opencv[..., ::-1], tinted(photo)[0])


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "raw"])
def test_bilevel_comes_back_in_color_with_a_compression_that_holds_it(compression):
    image = Image.fromarray(GRAY).convert("1")
    photo = decoded(saved(image, "TIFF", compression=compression))
    np.testing.assert_array_equal(photo.pages[0].pixels, np.asarray(image) * np.uint8(255))
    ((pixels, page),) = pages_of(encoded(photo))
    np.testing.assert_array_equal(pixels, tinted(photo)[0])
    assert page.compression in ({1} if compression == "raw" else {8})


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16])
def test_min_is_white(dtype):
    stored = {bool: GRAY > 90, np.uint8: GRAY, np.uint16: deep(GRAY)}[dtype]
    pixels = only(tiff_bytes(stored, photometric="miniswhite")).pixels
    top = np.iinfo(pixels.dtype).max
    expected = ~stored * np.uint8(255) if dtype is bool else top - stored
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize(("bits", "top"), [(2, 3), (4, 15), (12, 4095), (14, 16383)])
def test_unusual_depths_are_stretched_to_the_full_range(bits, top):
    values = np.array([[0, 1, top // 2, top]], np.uint16)
    packed = np.unpackbits(values.astype(">u2").view(np.uint8).reshape(-1, 2), axis=1)
    body = np.packbits(packed[:, 16 - bits :].reshape(-1)).tobytes()
    # tifffile does not write packed samples: an eight-bit file is given another depth and width.
    data = bytearray(tiff_bytes(np.frombuffer(body, np.uint8)[None]))
    for tag, kind, value in ((256, "I", 4), (258, "H", bits)):
        place = data.index(struct.pack("<H", tag), 8)
        struct.pack_into("<" + kind, data, place + 8, value)
    pixels = only(bytes(data)).pixels
    full = 255 if bits <= 8 else 65535
    np.testing.assert_array_equal(pixels, np.round(values * (full / top)))


def test_palette_in_color_and_in_gray():
    image = Image.fromarray(COLOR).convert("P")
    np.testing.assert_array_equal(
        only(saved(image, "TIFF")).pixels, np.asarray(image.convert("RGB"))
    )
    grays = tiff_bytes(GRAY, photometric="palette", colormap=np.stack([np.arange(256) * 257] * 3))
    np.testing.assert_array_equal(only(grays).pixels, GRAY)
    eight_bit = tiff_bytes(GRAY, photometric="palette", colormap=np.stack([np.arange(256)] * 3))
    np.testing.assert_array_equal(only(eight_bit).pixels, GRAY)


@pytest.mark.parametrize("picture", [COLOR, deep(COLOR)])
@pytest.mark.parametrize("tile", [None, (16, 32)])
def test_separate_planes_and_tiles(picture, tile):
    planes = np.moveaxis(picture, -1, 0)
    data = tiff_bytes(
        planes, photometric="rgb", planarconfig="separate", tile=tile, compression="lzw"
    )
    photo = decoded(data)
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    ((pixels, page),) = pages_of(encoded(photo))
    np.testing.assert_array_equal(pixels, tinted(photo)[0])
    assert page.is_tiled == (tile is not None)


@pytest.mark.parametrize("picture", [GRAY, COLOR])
@pytest.mark.parametrize("kind", ["unassalpha", "unspecified"])
def test_alpha_is_kept_with_its_kind(picture, kind):
    stored = np.dstack([picture, ALPHA])
    photometric = "rgb" if picture.ndim == 3 else "minisblack"
    photo = decoded(tiff_bytes(stored, photometric=photometric, extrasamples=[kind]))
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    np.testing.assert_array_equal(photo.pages[0].alpha, ALPHA)
    ((pixels, page),) = pages_of(encoded(photo))
    np.testing.assert_array_equal(pixels, np.dstack([tinted(photo)[0], ALPHA]))
    assert page.extrasamples[0].name.lower() == kind


def test_color_multiplied_by_alpha_is_divided_again():
    alpha = np.full(GRAY.shape, 128, np.uint8)
    stored = np.dstack([np.round(COLOR * (128 / 255)).astype(np.uint8), alpha])
    page = only(tiff_bytes(stored, photometric="rgb", extrasamples=["assocalpha"]))
    assert np.abs(page.pixels.astype(int) - COLOR).max() <= 1
    np.testing.assert_array_equal(page.alpha, alpha)


def test_channels_beyond_alpha_are_dropped_and_named():
    stored = np.dstack([GRAY, ALPHA, GRAY, GRAY])
    photo = decoded(
        tiff_bytes(stored, photometric="minisblack", planarconfig="contig", extrasamples=[2, 0, 0])
    )
    np.testing.assert_array_equal(photo.pages[0].alpha, ALPHA)
    assert any("extra channels" in warning for warning in photo.warnings)


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_jpeg_inside_tiff_stays_jpeg_at_full_chroma(subsampling):
    data = tiff_bytes(COLOR, photometric="rgb", compression="jpeg", subsampling=subsampling)
    photo = decoded(data)
    assert not photo.lossless
    by_pillow = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    assert np.abs(photo.pages[0].pixels.astype(int) - by_pillow).max() <= 3
    result = encoded(photo)
    ((pixels, page),) = pages_of(result)
    assert (page.compression, page.subsampling) == (7, (1, 1))
    assert np.abs(pixels.astype(int) - tinted(photo)[0]).max() <= 8
    by_pillow = np.asarray(Image.open(io.BytesIO(result)).convert("RGB"))
    assert np.abs(by_pillow.astype(int) - tinted(photo)[0]).max() <= 8


@pytest.mark.parametrize("orientation", range(1, 9))
def test_subsampled_chroma_outside_jpeg_in_every_orientation(orientation):
    ycbcr = Image.fromarray(COLOR).convert("YCbCr")
    data = saved(ycbcr, "TIFF", compression="tiff_lzw", tiffinfo={274: orientation})
    upright = only(data).pixels
    plain = only(saved(COLOR, "TIFF", tiffinfo={274: orientation})).pixels
    assert np.abs(upright.astype(int) - plain).max() <= 4


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_cmyk(compression, dtype):
    top = np.iinfo(dtype).max
    inks = np.dstack([255 - COLOR, np.zeros_like(GRAY)]).astype(dtype) * (top // 255)
    page = only(tiff_bytes(inks, photometric="separated", compression=compression))
    np.testing.assert_array_equal(page.pixels, top - inks[..., :3])


def test_pages_of_different_size_and_kind_stay_what_they_are():
    pages = [GRAY, deep(gray_picture(9, 70)), color_picture(31, 8), GRAY > 90]
    data = tiff_bytes(*pages, compression="zlib")
    photo = decoded(data)
    assert [page.pixels.shape[:2] for page in photo.pages] == [p.shape[:2] for p in pages]
    assert photo.bit_depth == 16
    results = pages_of(encoded(photo))
    for (pixels, page), expected in zip(results, tinted(photo), strict=True):
        assert pixels.dtype == expected.dtype
        np.testing.assert_array_equal(pixels, expected)
        assert page.tags[34675].value[16:20] == b"RGB "
    assert [pixels.dtype for pixels, _ in results] == [np.uint8, np.uint16, np.uint8, np.uint8]


def pyramid(*levels, below):
    """A page of 64x96 with reduced copies, in sub-directories or behind it; EXIF in the page."""
    base = deep(gray_picture(64, 96))
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        plain = {"metadata": None, "software": False}
        writer.write(base, subifds=len(levels) if below else None, **plain)
        for step in levels:
            writer.write(base[::step, ::step], subfiletype=1, **plain)
        writer.write(gray_picture(10, 12), **plain)
    return buffer.getvalue()


@pytest.mark.parametrize("below", [True, False])
def test_pyramid_levels_are_made_anew_in_color(below):
    photo = decoded(pyramid(2, 4, below=below))
    assert len(photo.pages) == 2
    assert not photo.warnings
    with tifffile.TiffFile(io.BytesIO(encoded(photo))) as file:
        page = file.pages[0]
        copies = list(page.pages) if below else list(file.pages[1:3])
        assert [copy.shape for copy in copies] == [(32, 48, 3), (16, 24, 3)]
        assert all(copy.subfiletype == 1 for copy in copies)
        full = page.asarray().astype(float)
        for copy, step in zip(copies, (2, 4), strict=True):
            mean = full.reshape(64 // step, step, 96 // step, step, 3).mean(axis=(1, 3))
            assert np.abs(copy.asarray() - mean).max() <= 1
        assert file.pages[-1].shape == (10, 12, 3)


def test_reduced_copies_of_a_turned_page_lie_as_it_does():
    plain = {"metadata": None, "software": False}
    turned = {**plain, "extratags": [(274, 3, 1, 6, True)]}
    data = tiff_bytes((deep(gray_picture(64, 96)), turned), (GRAY[:8, :12], {"subfiletype": 1}))
    with tifffile.TiffFile(io.BytesIO(encoded(decoded(data)))) as file:
        assert [page.shape for page in file.pages] == [(96, 64, 3), (12, 8, 3)]


def test_a_reduced_copy_that_is_larger_than_its_page_is_left_out():
    photo = decoded(tiff_bytes(GRAY, (gray_picture(640, 960), {"subfiletype": 1})))
    assert any("reduced copy" in warning for warning in photo.warnings)
    with tifffile.TiffFile(io.BytesIO(encoded(photo))) as file:
        assert len(file.pages) == 1


@pytest.mark.parametrize("infrared", [deep(GRAY), GRAY, GRAY > 99])
def test_infrared_and_mask_pages_are_kept_as_they_are(infrared):
    data = bytearray(tiff_bytes(COLOR, (infrared, {"subfiletype": 2}), GRAY))
    flavor, _ = ifd.read_header(bytes(data))
    entries, _ = ifd.read_ifd(bytes(data), flavor, ifd.directory_offsets(bytes(data), most=9)[0][1])
    ifd.write_integer(data, flavor, entries[254], 4)
    photo = decoded(bytes(data))
    assert len(photo.pages) == 2
    assert not photo.warnings
    with tifffile.TiffFile(io.BytesIO(encoded(photo))) as file:
        assert [page.subfiletype for page in file.pages] == [0, 4, 0]
        np.testing.assert_array_equal(file.pages[1].asarray(), infrared)


def test_a_fourth_channel_without_a_name_is_not_called_transparency():
    data = bytearray(tiff_bytes(np.dstack([deep(COLOR), deep(GRAY)]), photometric="rgb"))
    flavor, offset = ifd.read_header(bytes(data))
    entry = ifd.read_ifd(bytes(data), flavor, offset)[0][338]
    data[entry.entry_position : entry.entry_position + 2] = struct.pack("<H", 337)
    with tifffile.TiffFile(io.BytesIO(encoded(decoded(bytes(data))))) as file:
        assert file.pages[0].extrasamples == (0,)
        np.testing.assert_array_equal(file.asarray()[..., 3], deep(GRAY))


@pytest.mark.parametrize("picture", [GRAY, deep(GRAY), COLOR])
def test_jpeg_2000_inside_tiff(picture):
    photo = decoded(tiff_bytes(picture, compression="jpeg2000", tile=(16, 16)))
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    np.testing.assert_array_equal(pages_of(encoded(photo))[0][0], tinted(photo)[0])


def test_thousands_of_pages_take_their_time_once():
    started = time.process_time()
    photo = decoded(tiff_bytes(*[GRAY[:4, :4]] * 1000))
    assert len(photo.pages) == 1000
    assert time.process_time() - started < 5  # 0.5 s; quadratic: 4,000 pages took 9 s


@pytest.mark.parametrize("order", ["<", ">"])
def test_bigtiff_stays_bigtiff(order):
    photo = decoded(tiff_bytes(deep(GRAY), big=True, order=order))
    result = encoded(photo)
    ((pixels, page),) = pages_of(result)
    assert page.parent.is_bigtiff
    np.testing.assert_array_equal(pixels, tinted(photo)[0])


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (GRAY.astype(np.float32) / 255, "32-bit float"),
        (GRAY.astype(np.uint32), "32-bit unsigned"),
        (GRAY.astype(np.int16), "16-bit signed"),
    ],
)
def test_samples_that_are_no_photo_are_named_with_a_remedy(array, reason):
    with pytest.raises(UnsupportedError, match=reason) as caught:
        decoded(tiff_bytes(array), "x.tif")
    assert "unsigned integers" in caught.value.remedy


def test_lab_and_volumes_are_named():
    with pytest.raises(UnsupportedError, match="photometric"):
        decoded(saved(Image.fromarray(COLOR).convert("LAB"), "TIFF"))
    volume = np.stack([GRAY[:16, :16]] * 16)
    with pytest.raises(UnsupportedError, match="volume"):
        decoded(tiff_bytes(volume, volumetric=True, tile=(16, 16, 16), photometric="minisblack"))


def test_many_channels_or_a_giant_tile_do_not_pass_the_pixel_limit():
    channels = np.zeros((10, 10, 8), np.uint8)
    data = tiff_bytes(channels, photometric="minisblack", planarconfig="contig")
    with pytest.raises(TooLargeError):
        decoded(data, limit=100)
    tile = bytearray(tiff_bytes(GRAY, tile=(16, 16)))
    for tag in (322, 323):
        place = tile.index(struct.pack("<H", tag), 8)
        struct.pack_into("<HII", tile, place + 2, 4, 1, 1 << 20)
    with pytest.raises(TooLargeError):
        decoded(bytes(tile))


def test_damaged_lzw_is_refused_and_kills_nothing():
    data = bytearray(saved(np.tile(GRAY, (4, 4)), "TIFF", compression="tiff_lzw"))
    generator = random.Random(4)
    outcomes = []
    for _ in range(300):
        damaged = bytearray(data)
        for place in (generator.randrange(8, len(data) - 200) for _ in range(6)):
            damaged[place] ^= 1 << generator.randrange(8)
        try:
            outcomes.append(decoded(bytes(damaged)).pages[0].pixels.shape)
        except InputError:
            outcomes.append(None)
    assert None in outcomes


def test_pages_that_go_round_in_a_circle_are_refused():
    data = bytearray(tiff_bytes(GRAY, COLOR))
    first, second = (page.offset for _, page in pages_of(bytes(data)))
    struct.pack_into("<I", data, second + 2 + 12 * struct.unpack_from("<H", data, second)[0], first)
    with pytest.raises(InputError, match="repeats"):
        decoded(bytes(data))


def test_a_list_of_pages_that_breaks_off_is_named():
    data = bytearray(tiff_bytes(GRAY, COLOR))
    first = pages_of(bytes(data))[0][1].offset
    next_page = first + 2 + 12 * struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, next_page, len(data) + 100)
    photo = decoded(bytes(data))
    assert len(photo.pages) == 1
    assert any("breaks off" in warning for warning in photo.warnings)


def test_a_page_that_cannot_be_read_fails_the_file():
    whole = tiff_bytes(GRAY, COLOR, compression="zlib")
    strip = bytearray(whole)
    start = pages_of(whole)[1][1].dataoffsets[0]
    strip[start : start + 30] = bytes(30)
    with pytest.raises(InputError):
        decoded(bytes(strip))
    assert as_color(decoded(whole).pages[0].pixels).shape == COLOR.shape


def test_old_style_jpeg_comes_back_as_jpeg():
    stream = saved(color_picture(32, 48), "JPEG", quality=95)
    samples = struct.pack("<4H", 8, 8, 8, 0)
    tags = [(256, 4, 48), (257, 4, 32), (258, 3, -1), (259, 3, 6), (262, 3, 6), (273, 4, -2)]
    tags += [(277, 3, 3), (278, 4, 32), (279, 4, len(stream)), (513, 4, -2), (514, 4, len(stream))]
    places = {-1: 8 + 2 + 12 * len(tags) + 4, -2: 8 + 2 + 12 * len(tags) + 4 + len(samples)}
    entries = b"".join(
        struct.pack("<HHII", tag, kind, 3 if tag == 258 else 1, places.get(value, value))
        for tag, kind, value in tags
    )
    head = b"II*\0" + struct.pack("<IH", 8, len(tags))
    photo = decoded(head + entries + bytes(4) + samples + stream)
    assert np.abs(photo.pages[0].pixels.astype(int) - color_picture(32, 48)).max() <= 10
    assert pages_of(encoded(photo))[0][1].compression == 7
