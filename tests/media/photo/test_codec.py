"""Photos in every format we read: decoded right, encoded right, hostile ones refused with a reason.

Files are written by one library and checked by another wherever two of them know the format.
"""

from __future__ import annotations

import io
import pickle
import random
import struct
import tracemalloc

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageOps

from colorize_core.errors import InputError, TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.photo.formats import pnm
from colorize_core.media.picture.names import PHOTO_SUFFIXES, output_path
from colorize_core.media.picture.sniff import sniff
from tests.media.photo.photo_helpers import (
    LIMIT,
    as_color,
    color_picture,
    decoded,
    deep,
    encoded,
    gray_picture,
    png_bytes,
    png_chunk,
    saved,
    tiff_bytes,
    tinted,
)

GRAY, COLOR = gray_picture(), color_picture()
FULL_ALPHA = np.linspace(0, 255, GRAY.size).astype(np.uint8).reshape(GRAY.shape)


def cv2_read(data):
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if picture.ndim == 3:
        order = [2, 1, 0, 3][: picture.shape[2]]
        picture = picture[..., order]
    return picture


def cv2_write(suffix, picture):
    ok, data = cv2.imencode(suffix, picture[..., ::-1] if picture.ndim == 3 else picture)
    assert ok
    return data.tobytes()


def distance(a, b):
    return int(np.abs(a.astype(np.int64) - b.astype(np.int64)).max())


SAMPLES = {
    "jpeg": saved(GRAY, "JPEG", quality=95),
    "progressive": saved(COLOR, "JPEG", quality=95, progressive=True),
    "cmyk": saved(Image.fromarray(COLOR).convert("CMYK"), "JPEG", quality=95),
    "png": saved(GRAY, "PNG"),
    "png16": cv2_write(".png", deep(COLOR)),
    "palette": saved(Image.fromarray(COLOR).convert("P"), "PNG", transparency=3),
    "tiff": tiff_bytes(GRAY, COLOR, compression="lzw"),
    "tiff-tiles": tiff_bytes(deep(GRAY), tile=(16, 16), compression="zlib", order=">"),
    "tiff-jpeg": tiff_bytes(GRAY, compression="jpeg"),
    "tiff-fax": saved(Image.fromarray(GRAY).convert("1"), "TIFF", compression="group4"),
    "tiff-packbits": tiff_bytes(GRAY, compression="packbits", rowsperstrip=5),
    "webp": saved(COLOR, "WEBP", quality=90),
    "webp-lossless": saved(COLOR, "WEBP", lossless=True),
    "bmp": saved(GRAY, "BMP"),
    "pgm": saved(GRAY, "PPM"),
    "ppm16": cv2_write(".ppm", deep(COLOR)),
    "gif": saved(GRAY, "GIF"),
}


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"\xff\xd8\xff\xe0", "jpeg"),
        (b"\x89PNG\r\n\x1a\n", "png"),
        (b"II*\0", "tiff"),
        (b"MM\0*", "tiff"),
        (b"II+\0", "tiff"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "webp"),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (SAMPLES["bmp"][:64], "bmp"),
        (b"BMW is a car maker, and this is a text", None),
        (b"P5\n3 2\n255\n", "pnm"),
        (b"P1#x\n", "pnm"),
        (b"P5", None),
        (b"P7\nWIDTH 3", None),
        (b"GIF89a", "gif"),
        (b"", None),
        (b"\xff\xd8", None),
        (b"hello", None),
    ],
)
def test_content_decides_the_format(head, expected):
    assert sniff(head) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/b.jpg", "a/b.jpg"),
        ("scan.gif", "scan.gif.png"),
        ("x.PGM", "x.PGM.png"),
        ("é -\n.tif", "é -\n.tif"),
        ("archive.gif/photo.tiff", "archive.gif/photo.tiff"),
        ("no-suffix", "no-suffix"),
    ],
)
def test_output_path_adds_a_suffix_only_where_the_format_changes(path, expected):
    assert output_path(path) == expected


def test_every_suffix_keeps_or_changes_its_path_into_one_we_read():
    for suffix in PHOTO_SUFFIXES:
        assert suffix == suffix.lower()
        assert "." + output_path("x" + suffix).rpartition(".")[2] in PHOTO_SUFFIXES


@pytest.mark.parametrize("name", ["jpeg", "progressive"])
def test_jpeg_decodes_as_opencv_does(name):
    photo = decoded(SAMPLES[name])
    assert photo.format == "jpeg"
    assert not photo.lossless
    assert distance(photo.pages[0].pixels, cv2_read(SAMPLES[name])) <= 1


def test_gray_stays_one_channel_and_color_three():
    assert decoded(SAMPLES["jpeg"]).pages[0].pixels.shape == GRAY.shape
    assert decoded(SAMPLES["progressive"]).pages[0].pixels.shape == COLOR.shape


def test_cmyk_jpeg_is_read_with_inks_the_right_way_round():
    assert distance(decoded(SAMPLES["cmyk"]).pages[0].pixels, COLOR) < 16


def test_ycck_jpeg():
    inks = 255 - np.dstack([COLOR, np.full(GRAY.shape, 255, np.uint8)])  # no black
    data = imagecodecs.jpeg8_encode(
        255 - inks, 98, colorspace="cmyk", outcolorspace="ycck", subsampling="444"
    )
    assert distance(decoded(data).pages[0].pixels, COLOR) < 10


def test_truncated_jpeg_gives_what_there_is_and_says_so():
    whole = saved(color_picture(96, 64), "JPEG", quality=95)
    scan = whole.index(b"\xff\xda")
    photo = decoded(whole[: scan + (len(whole) - scan) * 2 // 3])
    assert any("cut short" in warning for warning in photo.warnings)
    reference = decoded(whole).pages[0].pixels
    assert distance(photo.pages[0].pixels[:32], reference[:32]) == 0
    assert distance(photo.pages[0].pixels, reference) > 20
    assert not decoded(whole).warnings


def test_jpeg_cut_before_any_pixel_fails():
    data = SAMPLES["progressive"]
    scan = data.index(b"\xff\xda")
    for length in (3, 20, scan - 5, scan + 4):
        with pytest.raises(UndecodableError):
            decoded(data[:length])


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("interlaced", [False, True])
def test_png_gray_of_every_depth(bits, interlaced):
    top = (1 << bits) - 1
    samples = (np.arange(13 * 11).reshape(13, 11) * 7) % (top + 1)
    photo = decoded(png_bytes(samples[..., None], bits, 0, interlaced=interlaced))
    full = 65535 if bits == 16 else 255
    assert photo.bit_depth == (16 if bits == 16 else 8)
    np.testing.assert_array_equal(photo.pages[0].pixels, samples * full // top)
    assert photo.pages[0].alpha is None


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_png_transparent_gray_value_becomes_alpha(bits):
    samples = np.arange(12).reshape(3, 4) % 4
    data = png_bytes(samples[..., None], bits, 0, png_chunk(b"tRNS", struct.pack(">H", 2)))
    page = decoded(data).pages[0]
    assert page.alpha is not None
    np.testing.assert_array_equal(page.alpha == 0, samples == 2)
    assert page.alpha.dtype == page.pixels.dtype


def test_png_gray_with_alpha_comes_back_as_color_with_the_same_alpha():
    photo = decoded(saved(Image.fromarray(np.dstack([GRAY, FULL_ALPHA])), "PNG"))
    np.testing.assert_array_equal(photo.pages[0].pixels, GRAY)
    np.testing.assert_array_equal(photo.pages[0].alpha, FULL_ALPHA)
    result = cv2_read(encoded(photo))
    np.testing.assert_array_equal(result, np.dstack([tinted(photo)[0], FULL_ALPHA]))


def test_png_palette_with_alpha():
    image = Image.fromarray(COLOR).convert("P")
    photo = decoded(saved(image, "PNG", transparency=bytes([0, 128])))
    indices = np.asarray(image)
    expected = np.where(indices == 0, 0, np.where(indices == 1, 128, 255))
    np.testing.assert_array_equal(photo.pages[0].alpha, expected)
    np.testing.assert_array_equal(photo.pages[0].pixels, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("picture", [deep(GRAY), deep(COLOR)], ids=["gray", "color"])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_16_bit_png_in_is_16_bit_png_out_exactly(picture, with_alpha):
    stored = np.dstack([picture, deep(FULL_ALPHA)]) if with_alpha else picture
    color_type = {1: 0, 2: 4, 3: 2, 4: 6}[1 if stored.ndim == 2 else stored.shape[2]]
    photo = decoded(png_bytes(stored.reshape(*GRAY.shape, -1), 16, color_type))
    assert (photo.format, photo.bit_depth) == ("png", 16)
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    result = cv2_read(encoded(photo))
    assert result.dtype == np.uint16
    np.testing.assert_array_equal(result[..., :3], tinted(photo)[0])
    if with_alpha:
        np.testing.assert_array_equal(result[..., 3], deep(FULL_ALPHA))


@pytest.mark.parametrize("name", ["png", "tiff", "webp-lossless", "bmp", "pgm", "gif"])
def test_lossless_sources_give_back_the_very_pixels_they_are_given(name):
    photo = decoded(SAMPLES[name])
    assert photo.lossless
    result = np.asarray(Image.open(io.BytesIO(encoded(photo))).convert("RGB"))
    np.testing.assert_array_equal(result, tinted(photo)[0])


def test_webp_stays_lossy_or_lossless():
    for name, chunk in (("webp", b"VP8 "), ("webp-lossless", b"VP8L")):
        photo = decoded(SAMPLES[name])
        assert photo.lossless == (name == "webp-lossless")
        assert distance(photo.pages[0].pixels, cv2_read(SAMPLES[name])) <= 1
        result = encoded(photo)
        assert chunk in result
        assert distance(cv2_read(result), tinted(photo)[0]) <= (0 if photo.lossless else 24)


def test_webp_alpha_is_kept():
    photo = decoded(saved(np.dstack([COLOR, FULL_ALPHA]), "WEBP", lossless=True, exact=True))
    np.testing.assert_array_equal(photo.pages[0].alpha, FULL_ALPHA)
    expected = np.dstack([tinted(photo)[0], FULL_ALPHA])
    np.testing.assert_array_equal(cv2_read(encoded(photo)), expected)


def test_of_a_gif_that_says_of_no_loop_the_first_frame_is_kept_and_the_loss_is_named():
    frames = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)
    photo = decoded(data, "x.gif")
    assert any("first frame" in warning for warning in photo.warnings)
    assert (len(photo.pages), photo.encoded_format) == (1, "png")
    assert distance(as_color(photo.pages[0].pixels)[..., 0], GRAY) <= 12


def test_gif_transparency_and_comment_reach_the_png():
    image = Image.fromarray((GRAY // 32).astype(np.uint8)).convert("P")
    photo = decoded(saved(image, "GIF", transparency=2, comment=b"by the river"), "x.gif")
    assert photo.encoded_format == "png"
    np.testing.assert_array_equal(photo.pages[0].alpha == 0, np.asarray(image) == 2)
    result = Image.open(io.BytesIO(encoded(photo)))
    assert result.format == "PNG"
    assert result.text["Comment"] == "by the river"


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_bmp_of_every_kind(mode):
    image = Image.fromarray(COLOR).convert(mode)
    photo = decoded(saved(image, "BMP"))
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(as_color(photo.pages[0].pixels), expected)
    result = encoded(photo)
    assert result[:2] == b"BM"
    np.testing.assert_array_equal(cv2_read(result), tinted(photo)[0])


def test_bmp_keeps_alpha_and_carries_the_note_behind_its_pixels():
    photo = decoded(cv2.imencode(".bmp", np.dstack([COLOR, FULL_ALPHA]))[1].tobytes())
    np.testing.assert_array_equal(photo.pages[0].alpha, FULL_ALPHA)
    result = encoded(photo)
    expected = np.dstack([tinted(photo)[0], FULL_ALPHA])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(result))), expected)
    assert result.index(b"<?xpacket begin=") > len(expected.tobytes())
    assert struct.unpack_from("<I", result, 2)[0] == len(result)


PNM = {
    "P1": (b"P1\n# made by hand\n3 2\n101\n0 1 0\n", [[0, 255, 0], [255, 0, 255]], 8),
    "P2": (b"P2 3 1 15\n0 5\n15\n", [[0, 85, 255]], 8),
    "P3": (b"P3\n1 1\n255\n1 2 3\n", [[[1, 2, 3]]], 8),
    "P4": (b"P4\n9 1\n\x80\x80", [[0, 255, 255, 255, 255, 255, 255, 255, 0]], 8),
    "P5": (b"P5\n2 1\n# a\n255\n\x07\x09", [[7, 9]], 8),
    "P5 10 bit": (b"P5\n3 1\n1023\n\x00\x00\x02\x00\x03\xff", [[0, 32800, 65535]], 16),
    "P6 16 bit": (b"P6\n1 1\n65535\n\x00\x01\x02\x03\xff\xff", [[[1, 515, 65535]]], 16),
}


@pytest.mark.parametrize("name", PNM)
def test_pnm_of_every_kind_and_maxval(name):
    data, expected, depth = PNM[name]
    photo = decoded(data)
    assert (photo.format, photo.encoded_format, photo.bit_depth) == ("pnm", "png", depth)
    np.testing.assert_array_equal(photo.pages[0].pixels, expected)
    np.testing.assert_array_equal(cv2_read(encoded(photo)), tinted(photo)[0])


@pytest.mark.parametrize("name", ["pgm", "ppm16"])
def test_pnm_written_by_other_libraries(name):
    expected = GRAY if name == "pgm" else deep(COLOR)
    np.testing.assert_array_equal(decoded(SAMPLES[name]).pages[0].pixels, expected)


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 64])
@pytest.mark.parametrize(
    "text", ["12 # one 9\n3#two\n\n 456 7#end", "12\r3 # 8 8\r#9 9\r\n456\t7", "12 3 456 7 # 8"]
)
def test_ascii_pnm_is_cut_between_numbers_only(monkeypatch, piece, text):
    monkeypatch.setattr(pnm, "_PIECE_BYTES", piece)
    data = f"P2 2 2 1000\n{text}".encode()
    assert pnm.read_samples(data, pnm.read_header(data)).tolist() == [
        [(n * 65535 + 500) // 1000 for n in row] for row in ((12, 3), (456, 7))
    ]


def test_ascii_pnm_takes_no_more_memory_than_its_pixels():
    side = 1000
    data = b"P2 %d %d 255\n" % (side, side) + b"200 " * side**2
    header = pnm.read_header(data)
    tracemalloc.start()
    try:
        samples = pnm.read_samples(data, header)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (samples.shape, samples.min(), samples.max()) == ((side, side), 200, 200)
    assert peak < 16 * side**2


@pytest.mark.parametrize("name", PNM)
def test_pnm_of_several_pictures_gives_the_first_with_a_warning(name):
    data, expected, _ = PNM[name]
    assert decoded(data).warnings == ()
    photo = decoded(data + data)
    assert photo.pages[0].pixels.tolist() == expected
    assert photo.warnings == ("only the first of its pictures was used",)


@pytest.mark.parametrize(
    "data",
    [
        b"P5\n2 2\n255\n\x01\x02\x03",
        b"P5\n2",
        b"P2\n1 1\n15\n16\n",
        b"P2\n2 1\n9\n1 x\n",
        b"P5\n0 2\n255\n",
        b"P5\n1 1\n70000\n\0\0",
        b"P2\n1 1\n15\n-1\n",
        b"P1\n2 2\n101\n",
    ],
)
def test_broken_pnm_is_refused(data):
    with pytest.raises(UndecodableError):
        decoded(data)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_orientation_is_applied_once_and_reset(kind, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    options = {"JPEG": {"quality": 98}, "WEBP": {"lossless": True}}.get(kind, {})
    data = saved(COLOR, kind, exif=exif, **options)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    photo = decoded(data)
    assert distance(photo.pages[0].pixels, expected) <= 1
    assert distance(expected, COLOR if orientation == 1 else expected) <= 8
    result = Image.open(io.BytesIO(encoded(photo)))
    assert result.getexif().get(274, 1) == 1
    assert result.size == expected.shape[1::-1]
    assert distance(np.asarray(result.convert("RGB")), tinted(photo)[0]) <= 8


def test_jpeg_is_written_without_chroma_subsampling():
    data = encoded(decoded(SAMPLES["jpeg"]))
    frame = data.index(b"\xff\xc0") + 2
    count = data[frame + 7]
    factors = [data[frame + 9 + 3 * i] for i in range(count)]
    assert factors == [0x11, 0x11, 0x11]


def test_jpeg_quality_is_obeyed():
    photo = decoded(SAMPLES["progressive"])
    assert len(encoded(photo, quality=40)) < len(encoded(photo, quality=98))


def test_encoding_is_repeatable():
    for data in SAMPLES.values():
        assert encoded(decoded(data)) == encoded(decoded(data))


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1)])
def test_smallest_and_thinnest_pictures(name, shape):
    makers = {
        "jpeg": lambda: saved(gray_picture(*shape), "JPEG"),
        "png": lambda: saved(gray_picture(*shape), "PNG"),
        "png16": lambda: cv2_write(".png", deep(color_picture(*shape))),
        "tiff": lambda: tiff_bytes(gray_picture(*shape), compression="lzw"),
        "tiff-tiles": lambda: tiff_bytes(gray_picture(*shape), tile=(16, 16)),
        "tiff-jpeg": lambda: tiff_bytes(gray_picture(*shape), compression="jpeg"),
        "webp": lambda: saved(color_picture(*shape), "WEBP"),
        "bmp": lambda: saved(gray_picture(*shape), "BMP"),
        "pgm": lambda: saved(gray_picture(*shape), "PPM"),
        "gif": lambda: saved(gray_picture(*shape), "GIF"),
    }
    if name not in makers:
        name = "png"
    photo = decoded(makers[name]())
    assert photo.pages[0].pixels.shape[:2] == shape
    again = decoded(encoded(photo))
    assert again.pages[0].pixels.shape == (*shape, 3)


@pytest.mark.parametrize("name", SAMPLES)
def test_pixels_can_be_written_to_and_photos_cross_processes(name):
    photo = pickle.loads(pickle.dumps(decoded(SAMPLES[name])))
    for page in photo.pages:
        assert page.pixels.flags.writeable
        assert page.pixels.flags.c_contiguous
    assert encoded(photo) == encoded(decoded(SAMPLES[name]))


def bomb(kind, side=60000):
    if kind == "png":
        data = png_bytes(np.zeros((1, 1, 1), int), 8, 0)
        header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
        return data[:8] + png_chunk(b"IHDR", header) + data[33:]
    if kind == "jpeg":
        data = SAMPLES["jpeg"]
        frame = data.index(b"\xff\xc0") + 5
        return data[:frame] + struct.pack(">HH", side, side) + data[frame + 4 :]
    if kind == "webp":
        corner = (side - 1).to_bytes(3, "little") * 2
        chunks = b"VP8X\x0a\0\0\0\0\0\0\0" + corner + SAMPLES["webp"][12:]
        return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
    if kind == "bmp":
        return SAMPLES["bmp"][:18] + struct.pack("<ii", side, side) + SAMPLES["bmp"][26:]
    if kind == "gif":
        return SAMPLES["gif"][:6] + struct.pack("<HH", side, side) + SAMPLES["gif"][10:]
    if kind == "tiff":
        data = bytearray(tiff_bytes(GRAY))
        for tag in (256, 257):  # width and height, both stored as LONG by tifffile or SHORT
            place = data.index(struct.pack("<H", tag), 8)
            struct.pack_into("<HII", data, place + 2, 4, 1, side)
        return bytes(data)
    return b"P5\n%d %d\n255\n" % (side, side)


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "bmp", "gif", "tiff", "pnm"])
def test_a_bomb_is_refused_by_its_header(kind):
    data = bomb(kind)
    tracemalloc.start()
    try:
        with pytest.raises(TooLargeError, match=r"3600000000|60000x60000") as caught:
            decoded(data, "bomb", limit=250_000_000)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()
    assert "max_pixels" in caught.value.remedy


def test_the_limit_is_inclusive_and_counts_all_pages():
    data = saved(GRAY, "PNG")
    assert decoded(data, limit=GRAY.size).pages
    with pytest.raises(TooLargeError):
        decoded(data, limit=GRAY.size - 1)
    two_pages = tiff_bytes(GRAY, GRAY)
    assert decoded(two_pages, limit=2 * GRAY.size).pages
    with pytest.raises(TooLargeError):
        decoded(two_pages, limit=2 * GRAY.size - 1)


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"", UndecodableError, "empty"),
        (b"just a text file, renamed", UndecodableError, "not a picture"),
        (b"\0" * 5000, UndecodableError, "not a picture"),
        (b"\0\0\0\x18ftypheic", UndecodableError, "HEIF"),
        (b"\0\0\0\x18ftypisom", UnsupportedError, "video"),
        (b"8BPS\0\1", UndecodableError, "header"),
        (b"\x89PNG\r\n\x1a\n", UndecodableError, "PNG"),
        (b"\xff\xd8\xff", UndecodableError, "JPEG"),
        (b"GIF89a", UndecodableError, "GIF"),
        (b"II*\0\x08\0\0\0\0\0", UndecodableError, "without pixels"),
    ],
)
def test_what_is_no_photo_is_refused_with_name_reason_and_remedy(data, error, reason):
    with pytest.raises(error, match=reason) as caught:
        decoded(data, "bilder/übung\n1.jpg")
    assert caught.value.message.startswith("bilder/übung\n1.jpg: ")
    assert caught.value.remedy


def test_12_bit_and_lossless_jpeg_are_named_as_unsupported():
    twelve = imagecodecs.jpeg8_encode(deep(GRAY) >> 4, 90, bitspersample=12)
    lossless = imagecodecs.jpeg8_encode(GRAY, lossless=True, predictor=1)
    for data in (twelve, lossless):
        with pytest.raises(UnsupportedError, match="JPEG"):
            decoded(data)


def test_wrong_suffix_keeps_the_format_of_the_content():
    photo = decoded(SAMPLES["png"], "holiday.jpg")
    assert photo.format == photo.encoded_format == "png"
    assert sniff(encoded(photo)) == "png"


@pytest.mark.parametrize("name", ["jpeg", "webp", "bmp", "cmyk"])
def test_what_lands_on_a_png_path_is_a_png(name):
    photo = decoded(SAMPLES[name], "called.gif")
    assert output_path("called.gif") == "called.gif.png"
    assert sniff(encoded(photo)) == "png"


def test_pages_that_do_not_fit_are_refused():
    photo = decoded(SAMPLES["png"])
    good = tinted(photo)[0]
    for pages in ([], [good, good], [good[:-1]], [good[..., 0]], [good.astype(np.uint16)]):
        with pytest.raises(ValueError, match="page"):
            encoded(photo, pages or [good[:0]])


def damaged(generator, data):
    """One of four kinds of damage at a random place."""
    kind = generator.randrange(4)
    place = generator.randrange(len(data))
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[:place] + data[place + generator.randrange(1, 100) :]
    changed = bytearray(data)
    for _ in range(generator.choice([1, 4, 12])):
        place = generator.randrange(len(data) if kind == 2 else min(len(data), 300))
        changed[place] ^= 1 << generator.randrange(8)
    return bytes(changed)


@pytest.mark.parametrize("name", SAMPLES)
def test_damage_ends_in_a_picture_or_in_an_input_error(name):
    generator = random.Random(name)
    refused = 0
    for _ in range(40):
        data = damaged(generator, SAMPLES[name])
        try:
            photo = decoded(data, name, LIMIT)
        except InputError as error:
            refused += error.message.startswith(name)
            continue
        assert sniff(encoded(photo)) == photo.encoded_format
    assert refused
