"""Geometry, light and further tags: kept, or listed; FFmpeg's own command is the judge."""

import re
from fractions import Fraction

import av
import pytest

from colorize_core.errors import UnsupportedError
from colorize_core.media.film.boxes import add_picture_box
from colorize_core.media.film.probe import probe_film
from tests.ffmpeg_helpers import PICTURES, described, ffmpeg, first_frame, shown
from tests.film_helpers import make_film, make_frame
from tests.segment_helpers import color_film

_DEEP = (*PICTURES[:3], f"{PICTURES[3]},format=yuv420p10le", "-t", "0.4")
_SCREEN = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def _make_hdr(path):
    tags = "colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc"
    light = f"master-display={_SCREEN}:max-cll=1000,400"
    ffmpeg(*_DEEP, "-c:v", "libx265", "-x265-params", f"log-level=error:{tags}:{light}", path)


def _light(path):
    """Numbers of the screen, and of the content's light, as FFmpeg reads them."""
    text = first_frame(path)
    (screen,) = set(re.findall(r"Mastering display metadata: (.*)", text))
    (content,) = set(re.findall(r"MaxCLL=(\d+), MaxFALL=(\d+)", text))
    return [float(number) for number in re.findall(r"\d+\.\d+", screen)], content


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_the_light_of_hdr_is_written(tmp_path, codec):
    path = tmp_path / "a.mkv"
    _make_hdr(path)
    output, result = color_film(path, tmp_path / "out", codec=codec)
    assert result.lost == ()
    screen, content = _light(output)
    assert content == _light(path)[1] == ("1000", "400")
    # AV1 counts in other units.
    assert screen == pytest.approx(_light(path)[0], rel=2e-3)
    assert screen[-1] == 1000


def test_the_light_of_hdr_is_listed(tmp_path):
    path = tmp_path / "a.mkv"
    _make_hdr(path)
    _, result = color_film(path, tmp_path / "out", codec="ffv1")
    assert result.lost == (
        "content light level of the picture",
        "mastering display of the picture",
    )


def _box(width, height):
    fields = (width, 1, height, 1, 0, 1, 0, 1)
    return b"".join(field.to_bytes(4, "big") for field in fields)


@pytest.mark.parametrize(
    ("codec", "container"), [("libx264", "mov"), ("prores_ks", "mov"), ("libsvtav1", "mp4")]
)
def test_a_clean_aperture_is_kept(tmp_path, codec, container):
    path = tmp_path / "a.mov"
    make_film(path, frames=10)
    assert add_picture_box(path, "clap", _box(80, 48))
    assert "Frame Cropping: 8/8/8/8" in described(path)
    output, result = color_film(path, tmp_path / "out", codec=codec, container=container)
    assert result.lost == ()
    assert "Frame Cropping: 8/8/8/8" in described(output)
    assert len(shown(output)) == 10


def test_a_clean_aperture_is_listed(tmp_path):
    path = tmp_path / "a.mov"
    make_film(path, frames=10)
    add_picture_box(path, "clap", _box(80, 48))
    _, result = color_film(path, tmp_path / "out", codec="ffv1")
    assert result.lost == ("the clean aperture (which part of the picture is meant to be seen)",)


def test_a_clean_aperture_of_everything_is_nothing_to_lose(tmp_path):
    path = tmp_path / "a.mov"
    make_film(path, frames=10)
    add_picture_box(path, "clap", _box(96, 64))
    _, result = color_film(path, tmp_path / "out", codec="ffv1")
    assert result.lost == ()


def test_a_record_of_dolby_vision_is_listed(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=10)
    # Version 1.0, profile 9 (AVC), level 1, with RPU and base layer.
    add_picture_box(path, "dvvC", bytes.fromhex("0100120d20") + bytes(19))
    assert "DOVI configuration record" in described(path)
    _, result = color_film(path, tmp_path / "out")
    assert result.lost == ("the record of Dolby Vision",)


def test_the_second_layer_of_vp9_is_listed(tmp_path):
    path = tmp_path / "a.webm"
    pictures = (*PICTURES[:3], f"{PICTURES[3]},format=yuva420p", "-t", "0.4")
    ffmpeg(*pictures, "-c:v", "libvpx-vp9", "-auto-alt-ref", "0", path)
    _, result = color_film(path, tmp_path / "out")
    assert "transparency (a second layer of VP8 or VP9)" in result.lost


@pytest.mark.parametrize(("number", "lost"), [("2", True), ("0", False)])
def test_unusual_places_of_chroma_are_listed(tmp_path, number, lost):
    path = tmp_path / "a.mkv"
    ffmpeg(*PICTURES, "-t", "0.4", "-c:v", "libx264", "-x264-params", f"chromaloc={number}", path)
    _, result = color_film(path, tmp_path / "out")
    assert result.lost == (("where chroma samples lie (topleft)",) if lost else ())


@pytest.mark.parametrize("codec", ["mpeg2video", "libx264"])
def test_the_longer_shape_of_two_wins(tmp_path, codec):
    parts = []
    for number, (shape, seconds) in enumerate((("4/3", "1"), ("16/9", "2"))):
        parts.append(tmp_path / f"{number}.ts")
        pictures = (*PICTURES[:3], f"{PICTURES[3]},setdar={shape}", "-t", seconds)
        late = ("-output_ts_offset", str(number))
        ffmpeg(*pictures, "-c:v", codec, "-bf", "0", *late, parts[-1])
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    output, result = color_film(path, tmp_path / "out")
    (lost,) = [what for what in result.lost if "shape" in what]
    assert lost.startswith("the picture's shape 1.33:1 from ")
    assert "DAR 16:9" in described(output)


@pytest.mark.parametrize("suffix", ["mkv", "avi", "ts"])
def test_an_empty_track_refuses_nothing(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    with av.open(str(path), "w") as film:
        for codec in ("mpeg4", "mpeg2video"):
            stream = film.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream = film.streams[0]
        for index in range(25):
            frame = make_frame(index)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    output, result = color_film(path, tmp_path / "out")
    assert (result.lost, result.damage) == ((), ())
    assert "video stream 1 is empty: left out" in result.notes
    assert len(shown(output)) == 25


def test_pictures_that_change_their_codec_are_refused(tmp_path):
    parts = [tmp_path / "0.ts", tmp_path / "1.ts"]
    ffmpeg(*PICTURES, "-c:v", "mpeg2video", parts[0])
    ffmpeg(*PICTURES, "-c:v", "libx264", "-output_ts_offset", "2", parts[1])
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(UnsupportedError, match=r"after 3\.\d s its pictures are not mpeg2video"):
        probe_film(path)


def test_sound_that_changes_its_codec_is_damage(tmp_path):
    parts = [tmp_path / "0.ts", tmp_path / "1.ts"]
    tone = ("-f", "lavfi", "-i", "sine=d=2:r=48000")
    for number, (part, codec) in enumerate(zip(parts, ("mp2", "ac3"), strict=True)):
        late = ("-output_ts_offset", str(2 * number))
        ffmpeg(*PICTURES, *tone, "-c:v", "mpeg2video", "-c:a", codec, *late, part)
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    notes = probe_film(path).notes
    assert any("audio stream 1 is of another codec than mp2 from 3." in note for note in notes)
