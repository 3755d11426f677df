"""Damaged photos are never called sound, and sound ones never damaged."""

from __future__ import annotations

import io
import random
import struct
import time

import cv2
import imagecodecs
import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from colorize_core.errors import InputError, UndecodableError
from tests.media.photo.photo_helpers import (
    color_picture,
    decoded,
    deep,
    gray_picture,
    png_chunk,
    saved,
    tiff_bytes,
)

PHOTO = pictures.camera()[100:260, 60:300]
COLOR = pictures.astronaut()[:160, :240]


def jpegs():
    for quality in (20, 92):
        for options in (
            {},
            {"progressive": True},
            {"optimize": True},
            {"restart_marker_blocks": 5},
            {"subsampling": 0},
        ):
            for picture in (PHOTO, COLOR):
                yield saved(picture, "JPEG", quality=quality, **options)
    yield cv2.imencode(".jpg", PHOTO)[1].tobytes()
    yield imagecodecs.jpeg8_encode(COLOR, level=80, subsampling="411")
    yield saved(Image.fromarray(COLOR).convert("CMYK"), "JPEG")


def test_jpegs_of_several_encoders_are_sound():
    for data in jpegs():
        photo = decoded(data)
        assert (photo.warnings, photo.notes, photo.is_damaged) == ((), (), False)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"restart_marker_blocks": 5},
        {"subsampling": 0},
        {"keep_rgb": True},
    ],
)
def test_what_libjpeg_warns_of_is_damage(options, capfd):
    """OpenCV's libjpeg prints its warnings: the second opinion."""
    sound = saved(COLOR, "JPEG", quality=90, **options)
    rng = random.Random(20)
    warned = 0
    for _ in range(60):
        data = bytearray(sound)
        data[rng.randrange(700, len(data) - 2)] ^= 1 << rng.randrange(8)
        cv2.imdecode(np.frombuffer(bytes(data), np.uint8), cv2.IMREAD_COLOR)
        said = capfd.readouterr().err
        try:
            photo = decoded(bytes(data))
        except InputError:
            continue
        if "Corrupt JPEG data" in said or "Premature end" in said:
            warned += 1
            assert photo.is_damaged, said
    assert warned > 5


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_missing_rows_of_a_jpeg_are_counted_in_percent(share):
    sound = saved(PHOTO, "JPEG", quality=90)
    photo = decoded(sound[: int(share * len(sound))])
    assert photo.is_damaged
    percent = int(photo.warnings[0].partition("up to ")[2].partition(" %")[0])
    true = np.asarray(Image.open(io.BytesIO(sound)))
    same = (photo.pages[0].pixels == true).all(axis=1).mean()
    assert percent == pytest.approx(100 * (1 - same), abs=8)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda data: data[:-2], "end marker"),
        (lambda data: data[:-2] + b"\0" * 9 + data[-2:], "unused bytes"),
        (lambda data: data + b"\0" * 99, ""),
        (lambda data: data[:20] + b"left by an editor" + data[20:], "unused bytes"),
    ],
)
def test_oddities_that_change_no_pixel_are_notes(change, note):
    sound = saved(PHOTO, "JPEG", quality=90)
    photo = decoded(change(sound))
    assert not photo.is_damaged
    assert not photo.warnings
    assert any(note in said for said in photo.notes) or not note
    np.testing.assert_array_equal(photo.pages[0].pixels, np.asarray(Image.open(io.BytesIO(sound))))


def test_unused_bytes_that_were_a_table_of_codes_are_damage():
    """Decoders take the standard's in its place; of another encoder's picture, noise is left."""
    data = bytearray(saved(PHOTO, "JPEG", quality=90))
    table = data.index(b"\xff\xc4")
    data[table : table + 2] = b"\0\0"
    photo = decoded(bytes(data))
    assert photo.is_damaged
    assert photo.warnings


def test_a_table_of_codes_that_is_told_as_something_else_is_damage():
    """One flipped bit makes it an application's segment, of which no decoder complains."""
    data = bytearray(saved(COLOR, "JPEG", quality=90))
    data[data.index(b"\xff\xc4") + 1] = 0xE4
    assert decoded(bytes(data)).is_damaged


def test_a_frame_of_motion_jpeg_needs_no_tables():
    sound = saved(PHOTO, "JPEG", quality=90)
    data = sound
    while (start := data.find(b"\xff\xc4")) >= 0:
        data = data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]
    photo = decoded(data)
    assert not photo.is_damaged
    np.testing.assert_array_equal(photo.pages[0].pixels, np.asarray(Image.open(io.BytesIO(sound))))


@pytest.mark.parametrize("wiped", [3, 6, 12, 40])
def test_data_wiped_out_before_a_restart_are_no_filling(wiped):
    data = bytearray(saved(PHOTO, "JPEG", quality=90, restart_marker_blocks=30))
    restart = data.index(b"\xff\xd2")
    data[restart - wiped : restart] = bytes(wiped)
    changed = np.asarray(Image.open(io.BytesIO(bytes(data)))).astype(int)
    true = np.asarray(Image.open(io.BytesIO(saved(PHOTO, "JPEG", quality=90))))
    assert np.abs(changed - true).max() > 8
    assert decoded(bytes(data)).is_damaged


def test_a_filling_before_each_restart_is_a_note():
    sound = saved(PHOTO, "JPEG", quality=90, restart_marker_blocks=150)
    assert sound.count(b"\xff\xd0") + sound.count(b"\xff\xd1") + sound.count(b"\xff\xd2") == 3
    data = sound
    for number in range(3):
        data = data.replace(
            b"\xff" + bytes([0xD0 + number]), bytes(9) + b"\xff" + bytes([0xD0 + number])
        )
    photo = decoded(data)
    assert photo.notes == ("unused bytes between its parts",)
    assert not photo.is_damaged
    np.testing.assert_array_equal(photo.pages[0].pixels, np.asarray(Image.open(io.BytesIO(sound))))


def test_a_small_file_that_claims_a_huge_picture_is_refused_at_once():
    data = bytearray(saved(gray_picture(8, 8), "JPEG"))
    frame = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, frame + 5, 15800, 15800)
    started = time.process_time()
    with pytest.raises(UndecodableError, match="cannot hold the 15800x15800 pixels"):
        decoded(bytes(data), limit=250_000_000)
    assert time.process_time() - started < 1


def test_a_picture_in_thousands_of_scans_is_refused_at_once():
    data = saved(PHOTO, "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    with pytest.raises(UndecodableError, match="scans"):
        decoded(data[:-2] + data[scan:-2] * 400 + data[-2:])


def chunks_of(data):
    position = 8
    while position < len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield position, data[position + 4 : position + 8], length
        position += 12 + length


@pytest.mark.parametrize("picture", [gray_picture(), color_picture(), deep(gray_picture())])
@pytest.mark.parametrize("share", [0.4, 0.8])
def test_what_is_left_of_a_png_is_used(picture, share):
    sound = imagecodecs.png_encode(picture, 1)
    start, _, length = next(c for c in chunks_of(sound) if c[1] == b"IDAT")
    photo = decoded(bytes(sound[: start + 8 + int(share * length)]))
    assert photo.is_damaged
    percent = int(photo.warnings[0].partition(": ")[2].partition(" %")[0])
    rows = (photo.pages[0].pixels == picture).reshape(len(picture), -1).all(axis=1)
    assert 0 < rows.sum() < len(rows)
    assert percent == pytest.approx(100 * (1 - rows.mean()), abs=5)


def test_every_flipped_bit_that_changes_a_png_is_found():
    rng = random.Random(3)
    sound = saved(COLOR[:40, :40], "PNG")
    for _ in range(150):
        data = bytearray(sound)
        data[rng.randrange(8, len(data))] ^= 1 << rng.randrange(8)
        try:
            photo = decoded(bytes(data))
        except InputError:
            continue
        assert photo.is_damaged or (photo.pages[0].pixels == COLOR[:40, :40]).all()


def test_lost_frames_of_an_animation_are_damage():
    frames = [Image.fromarray(np.roll(PHOTO, step)) for step in (1, 40, 80)]
    options = {"save_all": True, "append_images": frames[1:], "duration": 50, "loop": 0}
    gif = saved(frames[0], "GIF", **options)
    last = gif.rindex(b"\x21\xf9\x04")
    assert not decoded(gif, "x.gif").is_damaged
    photo = decoded(gif[:last], "x.gif")
    assert photo.is_damaged
    assert len(photo.pages) == 2
    png = saved(frames[0], "PNG", **options)
    assert not decoded(png).is_damaged
    at = png.index(b"acTL") - 4
    claimed = png_chunk(b"acTL", struct.pack(">II", 9, 0))
    with pytest.raises(InputError):
        decoded(png[:at] + claimed + png[at + 20 :])
    none = png_chunk(b"acTL", struct.pack(">II", 0, 0))
    assert decoded(png[:at] + none + png[at + 20 :]).pages


def test_a_wrong_checksum_of_a_text_is_a_note():
    sound = saved(PHOTO, "PNG")
    text = bytearray(png_chunk(b"tEXt", b"Comment\0hello"))
    text[-1] ^= 1
    photo = decoded(sound[:33] + bytes(text) + sound[33:])
    assert not photo.is_damaged
    assert photo.notes == ("checksum of tEXt is wrong",)


@pytest.mark.parametrize("lossless", [True, False])
def test_missing_rows_of_a_webp_are_counted_in_percent(lossless):
    sound = saved(COLOR, "WEBP", lossless=lossless, quality=80)
    true = np.asarray(Image.open(io.BytesIO(sound)).convert("RGB"))
    photo = decoded(sound[: int(0.6 * len(sound))])
    assert photo.is_damaged
    percent = int(photo.warnings[0].partition(": ")[2].partition(" %")[0])
    rows = (photo.pages[0].pixels == true).reshape(len(true), -1).all(axis=1)
    assert percent == pytest.approx(100 * (1 - rows.mean()), abs=3)


@pytest.mark.parametrize(
    ("compression", "rows"), [(None, 8), (None, 160), ("lzw", 8), ("zlib", 8), ("packbits", 8)]
)
def test_missing_strips_of_a_tiff_are_counted_in_percent(compression, rows):
    sound = tiff_bytes(PHOTO, compression=compression, rowsperstrip=rows, predictor=False)
    photo = decoded(sound[: int(0.7 * len(sound))])
    assert photo.is_damaged
    same = (photo.pages[0].pixels == PHOTO).all(axis=1).mean()
    percent = int(photo.warnings[0].partition(" %")[0])
    assert percent == pytest.approx(100 * (1 - same), abs=8)


def test_a_damaged_strip_is_found_and_the_others_are_used():
    data = bytearray(tiff_bytes(PHOTO, compression="lzw", rowsperstrip=8))
    position = len(data) // 2
    data[position : position + 40] = b"\xff" * 40
    photo = decoded(bytes(data))
    assert photo.is_damaged
    assert (photo.pages[0].pixels == PHOTO).all(axis=1).mean() > 0.8


def test_damaged_jpeg_inside_tiff_is_found():
    options = {"compression": "jpeg", "rowsperstrip": 16}
    sound = tiff_bytes(PHOTO, **options)
    assert not decoded(sound).is_damaged
    rng = random.Random(4)
    found = 0
    for _ in range(20):
        data = bytearray(sound)
        for _ in range(8):
            data[rng.randrange(len(data) // 3, len(data) - 2)] ^= 1 << rng.randrange(8)
        try:
            found += decoded(bytes(data)).is_damaged
        except InputError:
            found += 1
    assert found > 12
