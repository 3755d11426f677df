"""Names of results: true to what they hold, and those of the first version unchanged."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from PIL import Image

from colorize_core.media.picture.names import PHOTO_SUFFIXES, output_path
from colorize_core.media.picture.sniff import HEAD_BYTES, is_animated_gif, kind_of, sniff

JPEG, PNG, TIFF, GIF = b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"II*\0", b"GIF89a"
WEBP, BMP = b"RIFF\0\0\0\0WEBPVP8 ", b"BM" + bytes(12) + b"\x28\0\0\0"
JP2, PSD, PDF = b"\0\0\0\x0cjP  \r\n\x87\n", b"8BPS\0\1", b"%PDF-1.7"
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
AVIF = b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1"
TGA = b"\0\0\2" + bytes(9) + b"\x80\0\x80\0\x18\0"


def name(path, head):
    return output_path(path, lambda: head)


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".png", ".tif", ".tiff", ".webp", ".bmp"])
@pytest.mark.parametrize("head", [JPEG, PNG, TIFF, GIF, WEBP, BMP, b"P5\n3 2\n255\n"])
def test_names_of_the_first_version_stay(suffix, head):
    assert name(f"a/b{suffix}", head) == f"a/b{suffix}"


@pytest.mark.parametrize("suffix", [".gif", ".pgm", ".PPM", ".pnm", ".pbm"])
@pytest.mark.parametrize("head", [JPEG, PNG, TIFF, GIF, WEBP, BMP, b"P5\n3 2\n255\n"])
def test_what_the_first_version_made_a_png_keeps_that_name(suffix, head):
    assert name(f"a/b{suffix}", head) == f"a/b{suffix}.png"


@pytest.mark.parametrize(
    ("path", "head", "expected"),
    [
        ("a.heic", HEIC, "a.heic.jpg"),
        ("a.jpg", HEIC, "a.jpg"),
        ("a.png", HEIC, "a.png.jpg"),
        ("a.heic", JPEG, "a.heic.jpg"),
        ("a.avif", AVIF, "a.avif.png"),
        ("a.jpg", AVIF, "a.jpg.png"),
        ("a.jp2", JP2, "a.jp2"),
        ("a.jpx", JP2, "a.jpx"),
        ("a.j2k", b"\xff\x4f\xff\x51", "a.j2k.jp2"),
        ("a.tif", JP2, "a.tif.jp2"),
        ("a.jp2", JPEG, "a.jp2.jpg"),
        ("a.psd", PSD, "a.psd.tif"),
        ("a.tif", PSD, "a.tif"),
        ("a.pdf", PDF, "a.pdf.tif"),
        ("a.pdf", b"\r\n" + PDF, "a.pdf.tif"),
        ("a.TGA", TGA, "a.TGA.png"),
        ("a.dpx", b"SDPX", "a.dpx.png"),
        ("a.jxl", b"\xff\x0a", "a.jxl.png"),
        ("a.mpo", JPEG, "a.mpo.jpg"),
        ("photo", JPEG, "photo.jpg"),
        ("photo.dat", GIF, "photo.dat.png"),
        ("notes.jpg", b"hello", "notes.jpg"),
    ],
)
def test_the_true_suffix_is_added(path, head, expected):
    assert name(path, head) == expected


def test_without_a_look_into_the_file_its_suffix_is_believed():
    assert output_path("a.heic") == "a.heic.jpg"
    assert output_path("a.psd") == "a.psd.tif"
    assert output_path("a.jpg") == "a.jpg"


def test_results_keep_their_names_when_they_are_sources():
    for suffix in PHOTO_SUFFIXES:
        once = output_path(f"x{suffix}")
        assert output_path(once) == once


def gif_bytes(**options):
    frames = [Image.new("P", (9, 7), color) for color in (1, 2)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()[:HEAD_BYTES]


def test_a_gif_that_loops_becomes_a_webp():
    assert is_animated_gif(gif_bytes(loop=0, comment=b"NETSCAPE"))
    assert name("x.gif", gif_bytes(loop=3)) == "x.gif.webp"
    assert name("x.gif", gif_bytes(comment=b"NETSCAPE2.0")) == "x.gif.png"
    assert not is_animated_gif(GIF)


@pytest.mark.parametrize("text", [b"\0\0\2 not a picture", b"", b"hello, world, this is text"])
def test_tga_needs_a_sensible_header(text):
    assert kind_of("x.tga", text) is None
    assert kind_of("x.txt", TGA) is None
    assert sniff(TGA) is None


def test_names_are_known_without_loading_a_codec():
    code = (
        "import sys; import colorize_core.media.picture.names; "
        "heavy = {'torch', 'PIL', 'cv2', 'numpy', 'imagecodecs', 'tifffile'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
