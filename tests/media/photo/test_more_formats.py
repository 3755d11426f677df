"""Formats beyond those of the web: read as another program reads them, written so that one can."""

from __future__ import annotations

import io
import struct

import av
import cv2
import imagecodecs
import numpy as np
import pypdfium2
import pytest
import tifffile
from PIL import Image, ImageDraw
from skimage.color import rgb2lab

from colorize_core.archive.records.work import ItemId, ItemReport
from colorize_core.errors import InputError, NoScanError, TooLargeError, UnsupportedError
from colorize_core.media.picture.names import output_path
from colorize_core.media.picture.sniff import HEAD_BYTES
from tests.media.photo.photo_files import (
    XMP,
    box,
    dpx_bytes,
    exif_block,
    heif_bytes,
    jp2_bytes,
    motion_photo,
    mp4_bytes,
    pdf_bytes,
    psd_bytes,
    resource,
)
from tests.media.photo.photo_helpers import (
    COMPUTED,
    SOURCE_TYPE,
    as_color,
    color_picture,
    decoded,
    deep,
    encoded,
    gray_picture,
    saved,
    tinted,
    xmp_properties,
)

GRAY, COLOR = gray_picture(48, 64), color_picture(48, 64)


def name_of(path, data):
    return output_path(path, lambda: data[:HEAD_BYTES])


def lightness(pixels):
    return rgb2lab(as_color(pixels) / np.iinfo(pixels.dtype).max)[..., 0]


def opencv(data):
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return picture[..., ::-1] if picture.ndim == 3 else picture


@pytest.mark.parametrize("picture", [GRAY, deep(GRAY), COLOR, deep(COLOR)])
def test_jpeg_2000_comes_back_as_jpeg_2000(picture):
    data = jp2_bytes(picture, metadata=True, reversible=True)
    photo = decoded(data, "scan.jp2")
    assert (photo.format, photo.lossless, photo.warnings) == ("jp2", True, ())
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    assert photo.metadata.dpi == pytest.approx((300, 300), abs=0.1)
    result = encoded(photo)
    np.testing.assert_array_equal(opencv(result), tinted(photo)[0])
    with Image.open(io.BytesIO(result)) as image:
        assert image.format == "JPEG2000"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert b"colr\2\0\0" in result
    assert b"Leitz" in result
    packet = result[result.index(b"<?xpacket begin") :]
    properties = xmp_properties(packet[: packet.index(b'<?xpacket end="w"?>') + 19])
    assert properties["{http://purl.org/dc/elements/1.1/}source"] == "box 7"
    assert properties[SOURCE_TYPE] == COMPUTED
    assert name_of("scan.jp2", data) == "scan.jp2"
    assert name_of("scan.tif", data) == "scan.tif.jp2"


def test_lossy_jpeg_2000_of_12_bits():
    picture = (deep(GRAY) >> 4).astype(np.uint16)
    photo = decoded(jp2_bytes(picture, bitspersample=12, reversible=True))
    assert photo.bit_depth == 16
    assert np.abs(photo.pages[0].pixels / 65535 - picture / 4095).max() < 1e-4
    lossy = decoded(jp2_bytes(COLOR, level=45))
    assert not lossy.lossless
    assert np.abs(lightness(opencv(encoded(lossy))) - lightness(tinted(lossy)[0])).mean() < 0.7


def srgb(light):
    """The curve of IEC 61966-2-1: imagecodecs calls JPEG XL of more than 8 bits linear."""
    return np.where(light < 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("picture", [GRAY, COLOR, deep(GRAY), deep(COLOR)])
@pytest.mark.parametrize("container", [False, True])
def test_jpeg_xl_becomes_png(picture, container):
    data = bytes(imagecodecs.jpegxl_encode(picture, lossless=True, usecontainer=container))
    if container:
        data += box(b"xml ", XMP) + box(b"Exif", b"\0\0\0\0" + exif_block(6))
    photo = decoded(data, "a.jxl")
    if picture.dtype == np.uint8:
        np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    else:
        assert np.abs(photo.pages[0].pixels / 65535 - srgb(picture / 65535)).max() < 1e-3
    result = encoded(photo)
    np.testing.assert_array_equal(opencv(result), tinted(photo)[0])
    assert name_of("a.jxl", data) == "a.jxl.png"
    if container:
        with Image.open(io.BytesIO(result)) as image:
            assert image.getexif()[271] == "Leitz"
            assert image.getexif()[274] == 1


def test_jpeg_xl_of_10_bits_fills_the_range():
    picture = (deep(GRAY) >> 6).astype(np.uint16)
    photo = decoded(bytes(imagecodecs.jpegxl_encode(picture, lossless=True, bitspersample=10)))
    assert np.abs(photo.pages[0].pixels / 65535 - srgb(picture / 1023)).max() < 1e-3


@pytest.mark.parametrize("orientation", [1, 6])
def test_avif_becomes_png(orientation):
    data = saved(COLOR, "AVIF", quality=95, exif=exif_block(orientation), xmp=XMP)
    photo = decoded(data, "a.avif")
    with Image.open(io.BytesIO(data)) as image:
        seen = np.asarray(image)
    expected = seen if orientation == 1 else np.rot90(seen, -1)
    assert np.abs(lightness(photo.pages[0].pixels) - lightness(expected)).max() < 1.0
    result = encoded(photo)
    np.testing.assert_array_equal(opencv(result), tinted(photo)[0])
    assert name_of("a.avif", data) == "a.avif.png"
    with Image.open(io.BytesIO(result)) as image:
        assert image.getexif()[271] == "Leitz"


def test_avif_of_10_bits_is_deep():
    picture = (deep(COLOR) >> 6).astype(np.uint16)
    data = bytes(imagecodecs.avif_encode(picture, level=100, bitspersample=10))
    photo = decoded(data)
    assert photo.bit_depth == 16
    assert np.abs(photo.pages[0].pixels / 65535 - picture / 1023).max() < 0.02


def test_heic_of_8_bits_becomes_jpeg_with_its_metadata():
    data = heif_bytes(COLOR, "RGB", exif=b"Exif\0\0" + exif_block(6), xmp=XMP)
    photo = decoded(data, "scan.heic")
    with Image.open(io.BytesIO(encoded(photo))) as image:
        assert image.format == "JPEG"
        assert image.getexif()[271] == "Leitz"
        assert image.getexif()[274] == 1
        assert image.size == photo.pages[0].pixels.shape[1::-1]
        written = np.asarray(image)
    assert np.abs(lightness(written) - lightness(tinted(photo)[0])).mean() < 1.0
    assert name_of("scan.heic", data) == "scan.heic.jpg"
    assert name_of("scan.jpg", data) == "scan.jpg"  # it is one


def test_heic_of_10_bits_becomes_png():
    data = heif_bytes(deep(COLOR), "RGB;16")
    photo = decoded(data, "scan.heic")
    assert (photo.bit_depth, photo.encoded_format) == (16, "png")
    assert np.abs(photo.pages[0].pixels / 65535 - deep(COLOR) / 65535).mean() < 0.02
    np.testing.assert_array_equal(opencv(encoded(photo)), tinted(photo)[0])
    assert name_of("scan.heic", data) == "scan.heic.png"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("picture", [GRAY, deep(GRAY), COLOR, deep(COLOR)])
@pytest.mark.parametrize("large", [False, True])
def test_photoshop_becomes_tiff(packed, picture, large):
    planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, -1, 0)
    described = resource(1005, struct.pack(">IHHIHH", 300 << 16, 1, 1, 300 << 16, 1, 1))
    described += resource(1060, XMP) + resource(1058, exif_block()) + resource(1028, b"\x1c\2\0\0")
    mode = 1 if picture.ndim == 2 else 3
    data = psd_bytes(planes, mode, packed=packed, resources=described, large=large)
    if picture.dtype == np.uint8 and not large:
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), picture)
    photo = decoded(data, "a.psd")
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    with tifffile.TiffFile(io.BytesIO(encoded(photo))) as file:
        page = file.pages[0]
        np.testing.assert_array_equal(page.asarray(), tinted(photo)[0])
        assert page.tags[271].value == "Leitz"
        assert page.tags["ExifTag"].value["DateTimeOriginal"] == "1931:05:04 10:00:00"
        assert page.tags["XResolution"].value == (300, 1)
        assert b"\x1c\2\0\0" in page.tags[34377].value
        properties = xmp_properties(page.tags[700].value)
    assert properties["{http://purl.org/dc/elements/1.1/}source"] == "box 7"
    assert name_of("a.psd", data) == "a.psd.tif"


def test_transparent_parts_of_photoshop_files_are_taken_off_their_white():
    alpha = np.linspace(60, 255, GRAY.size).round().astype(np.uint8).reshape(GRAY.shape)
    part = alpha / 255
    blended = (GRAY * part + 255 * (1 - part)).round().astype(np.uint8)
    layers = struct.pack(">Ih", 2, -1) + bytes(2)
    photo = decoded(psd_bytes(np.stack([blended, alpha]), 1, layers=layers))
    np.testing.assert_array_equal(photo.pages[0].alpha, alpha)
    assert np.abs(photo.pages[0].pixels.astype(int) - GRAY).max() <= 3


def test_photoshop_in_inks_and_without_a_composite():
    inks = np.asarray(Image.fromarray(COLOR).convert("CMYK"))
    photo = decoded(psd_bytes(255 - np.moveaxis(inks, -1, 0), 4))
    expected = np.asarray(Image.fromarray(inks, "CMYK").convert("RGB"))
    assert np.abs(photo.pages[0].pixels.astype(int) - expected).max() <= 2
    blank = resource(1057, struct.pack(">IB", 1, 0) + bytes(8))
    layers = struct.pack(">Ih", 2, 0) + bytes(2)
    with pytest.raises(UnsupportedError, match="composite"):
        decoded(psd_bytes(GRAY[None], 1, resources=blank, layers=layers))


@pytest.mark.parametrize(
    ("kind", "suffix", "options"),
    [("TGA", ".tga", {}), ("TGA", ".tga", {"compression": "tga_rle"}), ("PCX", ".pcx", {})],
)
@pytest.mark.parametrize("picture", [GRAY, COLOR])
def test_old_formats_become_png(kind, suffix, options, picture):
    data = saved(picture, kind, **options)
    photo = decoded(data, f"old{suffix}")
    np.testing.assert_array_equal(photo.pages[0].pixels, picture)
    np.testing.assert_array_equal(opencv(encoded(photo)), tinted(photo)[0])
    assert name_of(f"old{suffix}", data) == f"old{suffix}.png"


@pytest.mark.parametrize(
    ("picture", "pixel_format", "top"),
    [
        (COLOR, "rgb24", 255),
        (deep(COLOR), "rgb48be", 65535),
        ((deep(COLOR) >> 6).astype(np.uint16), "gbrp10le", 1023),
        ((deep(COLOR) >> 4).astype(np.uint16), "gbrp12le", 4095),
        (GRAY, "gray", 255),
    ],
)
def test_a_single_dpx_becomes_png(picture, pixel_format, top):
    data = dpx_bytes(picture, pixel_format)
    photo = decoded(data, "frame.dpx")
    pixels = photo.pages[0].pixels
    assert np.abs(pixels / np.iinfo(pixels.dtype).max - picture / top).max() < 1e-4
    np.testing.assert_array_equal(opencv(encoded(photo)), tinted(photo)[0])
    assert name_of("frame.dpx", data) == "frame.dpx.png"


def test_a_pdf_of_scans_becomes_a_tiff_with_pages():
    fax = Image.fromarray(GRAY).convert("1")
    data = pdf_bytes(GRAY, COLOR, fax, resolution=300, title="Album", author="Erna")
    photo = decoded(data, "album.pdf")
    assert [page.pixels.shape for page in photo.pages] == [GRAY.shape, COLOR.shape, GRAY.shape]
    assert np.abs(lightness(photo.pages[0].pixels) - lightness(GRAY)).mean() < 1
    np.testing.assert_array_equal(photo.pages[2].pixels, np.asarray(fax) * np.uint8(255))
    with tifffile.TiffFile(io.BytesIO(encoded(photo))) as file:
        for page, expected in zip(file.pages, tinted(photo), strict=True):
            limit = 1.5 if page.compression == 7 else 0
            assert np.abs(lightness(page.asarray()) - lightness(expected)).mean() <= limit
            across, per = page.tags["XResolution"].value
            assert across / per == pytest.approx(300, abs=1)
        assert file.pages[0].tags["DocumentName"].value == "Album"
        assert file.pages[0].tags["Artist"].value == "Erna"
    assert name_of("album.pdf", data) == "album.pdf.tif"


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_turned_page_of_a_pdf_is_upright(turn):
    document = pypdfium2.PdfDocument(pdf_bytes(Image.fromarray(GRAY).convert("1")))
    document[0].set_rotation(turn)
    buffer = io.BytesIO()
    document.save(buffer)
    shown = document[0].render(scale=1).to_numpy()
    pixels = decoded(buffer.getvalue()).pages[0].pixels
    assert pixels.shape == shown.shape[:2]
    expected = np.rot90(np.asarray(Image.fromarray(GRAY).convert("1")), -turn // 90)
    np.testing.assert_array_equal(pixels > 0, expected)


def test_drawn_pages_of_a_pdf_are_refused():
    document = pypdfium2.PdfDocument.new()
    document.new_page(200, 200)
    buffer = io.BytesIO()
    document.save(buffer)
    with pytest.raises(NoScanError, match="page 1 is no scan") as raised:
        decoded(buffer.getvalue())
    report = ItemReport.of_error(ItemId("0" * 16, "photo", "letter.pdf"), raised.value)
    assert report.status == "skipped"
    assert "page 1 is no scan" in report.reason
    assert report.remedy
    with pytest.raises(TooLargeError):
        decoded(pdf_bytes(GRAY, GRAY), limit=GRAY.size + 1)


FRAMES = [np.roll(GRAY, step, axis=1) for step in (0, 9, 18)]
DELAYS = [80, 120, 400]


@pytest.mark.parametrize(
    ("kind", "suffix", "result"),
    [("GIF", ".gif", ".gif.webp"), ("PNG", ".png", ".png"), ("WEBP", ".webp", ".webp")],
)
def test_animations_stay_animated(kind, suffix, result):
    images = [Image.fromarray(frame) for frame in FRAMES]
    more = {"lossless": True} if kind == "WEBP" else {}
    data = saved(
        images[0], kind, save_all=True, append_images=images[1:], duration=DELAYS, loop=0, **more
    )
    photo = decoded(data, f"x{suffix}")
    assert not photo.warnings
    assert len(photo.pages) == 3
    assert name_of(f"x{suffix}", data) == f"x{result}"
    with Image.open(io.BytesIO(encoded(photo))) as image:
        assert image.format == ("PNG" if kind == "PNG" else "WEBP")
        assert (image.n_frames, image.info["loop"]) == (3, 0)
        for index, expected in enumerate(tinted(photo)):
            image.seek(index)
            image.load()
            assert image.info["duration"] == DELAYS[index]
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), expected)


def test_a_still_gif_keeps_the_name_of_the_first_version():
    data = saved(GRAY, "GIF")
    assert name_of("x.gif", data) == "x.gif.png"
    assert decoded(data, "x.gif").encoded_format == "png"


def test_a_motion_photo_keeps_its_film():
    film = mp4_bytes()
    photo = decoded(motion_photo(film), "PXL.MP.jpg")
    assert not photo.warnings
    assert any("film" in note for note in photo.notes)
    result = encoded(photo)
    with Image.open(io.BytesIO(result)) as image:
        packet = image.info["xmp"].decode()
    offset = int(packet.partition('MicroVideoOffset="')[2].partition('"')[0])
    with av.open(io.BytesIO(result[len(result) - offset :])) as container:
        assert len(list(container.decode(video=0))) == 3


def test_where_the_film_is_lost_nothing_promises_it():
    data = motion_photo(b"")
    with Image.open(io.BytesIO(encoded(decoded(data)))) as image:
        assert b"MicroVideo" not in image.info["xmp"]


def test_the_second_picture_of_an_mpo_is_kept_and_found():
    data = saved(
        Image.fromarray(GRAY), "MPO", save_all=True, append_images=[Image.fromarray(255 - GRAY)]
    )
    result = encoded(decoded(data, "a.mpo"))
    with Image.open(io.BytesIO(result)) as image, Image.open(io.BytesIO(data)) as source:
        assert image.n_frames == 2
        assert image.size == source.size
        image.seek(1)
        source.seek(1)
        np.testing.assert_array_equal(np.asarray(image), np.asarray(source))


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"II*\0\x10\0\0\0CR\2\0" + bytes(40), "camera raw"),
        (b"IIU\0" + bytes(60), "camera raw"),
        (b"FUJIFILMCCD-RAW " + bytes(60), "camera raw"),
        (b"\0\0\0\x18ftypcrx " + bytes(60), "camera raw"),
        (b"\x76\x2f\x31\x01" + bytes(60), "OpenEXR"),
    ],
)
def test_what_is_not_read_is_named(head, what):
    with pytest.raises(UnsupportedError, match=what):
        decoded(head)


def test_a_header_alone_never_fills_the_memory():
    heads = {
        "a.jp2": jp2_bytes(GRAY, reversible=True)[:200],
        "a.jxl": bytes(imagecodecs.jpegxl_encode(GRAY))[:20],
        "a.psd": psd_bytes(GRAY[None], 1)[:60],
        "a.dpx": dpx_bytes(np.tile(GRAY, (4, 4)), "gray")[:2100],
        "a.tga": saved(GRAY, "TGA")[:40],
        "a.pdf": pdf_bytes(GRAY)[:300],
    }
    for name, head in heads.items():
        with pytest.raises(InputError) as raised:
            decoded(head, name)
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["a.tga", "rle.tga", "a.pcx", "a.dpx"])
def test_what_is_there_of_a_file_cut_short_is_kept(name):
    data = {
        "a.tga": lambda: saved(COLOR, "TGA"),
        "rle.tga": lambda: saved(COLOR, "TGA", compression="tga_rle"),
        "a.pcx": lambda: saved(COLOR, "PCX"),
        "a.dpx": lambda: dpx_bytes(GRAY, "gray"),
    }[name]()
    whole = decoded(data, name).pages[0].pixels
    photo = decoded(data[: len(data) * 3 // 4], name)
    cut = photo.pages[0].pixels
    assert photo.is_damaged
    assert "% of its rows are missing and black" in photo.warnings[0]
    assert cut.shape == whole.shape
    same = (cut == whole).reshape(len(whole), -1).all(1)
    assert 0.4 < same.mean() < 0.95


def test_titles_of_a_page_do_not_hide_that_it_is_drawn_on():
    image = Image.fromarray(GRAY)
    ImageDraw.Draw(image).line((0, 0, 9, 9), fill=0)
    assert len(decoded(pdf_bytes(image)).pages) == 1
