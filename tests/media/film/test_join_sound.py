"""Sound goes over as it is, or with equal samples; FFmpeg's own command is the judge."""

from fractions import Fraction

import av
import numpy as np
import pytest

from colorize_core.media.film.container_choice import what_container_keeps
from colorize_core.media.film.probe import probe_film
from tests.ffmpeg_helpers import PICTURES, TONE, described, ffmpeg, samples, shown
from tests.film_helpers import make_film, make_frame
from tests.segment_helpers import color_film


def _make(path, sound, video="mpeg2video", *, tone=TONE):
    ffmpeg(*PICTURES, *tone, "-c:v", video, "-bf", "0", "-strict", "-2", *sound, path)


def _lag(path):
    """Seconds from the first picture to the first sound."""
    return shown(path, "a:0")[0][0] - shown(path)[0][0]


@pytest.mark.parametrize(
    ("name", "sound", "codec"),
    [
        ("a.vob", ("-c:a", "pcm_dvd", "-sample_fmt", "s16"), "pcm_s16le"),
        ("a.m2ts", ("-c:a", "pcm_bluray", "-sample_fmt", "s16"), "pcm_s16le"),
        ("b.m2ts", ("-c:a", "pcm_bluray", "-sample_fmt", "s32"), "pcm_s24le"),
        ("a.ts", ("-c:a", "s302m", "-sample_fmt", "s16"), "pcm_s16le"),
        ("b.ts", ("-c:a", "s302m", "-sample_fmt", "s32"), "pcm_s24le"),
        ("a.avi", ("-c:a", "adpcm_ms"), "pcm_s16le"),
        ("b.avi", ("-c:a", "pcm_alaw"), "pcm_s16le"),
        ("c.avi", ("-c:a", "pcm_mulaw"), "pcm_s16le"),
    ],
)
def test_sound_that_a_container_refuses_keeps_its_samples(tmp_path, name, sound, codec):
    path = tmp_path / name
    _make(path, sound)
    output, result = color_film(path, tmp_path / "out")
    assert (result.lost, result.damage) == ((), ())
    assert "is kept as" in " ".join(result.notes)
    assert f"Audio: {codec}" in described(output)
    np.testing.assert_array_equal(samples(output), samples(path))
    assert abs(_lag(output) - _lag(path)) < Fraction(2, 1000)


@pytest.mark.parametrize("container", ["mov", "mp4"])
@pytest.mark.parametrize(
    ("name", "sound"), [("a.vob", "pcm_dvd"), ("a.avi", "pcm_mulaw"), ("b.avi", "pcm_u8")]
)
def test_samples_in_mp4_and_quicktime(tmp_path, name, sound, container):
    path = tmp_path / name
    _make(path, ("-c:a", sound))
    output, result = color_film(path, tmp_path / "out", container=container)
    assert (result.lost, result.damage) == ((), ())
    is_copied = (container, sound) in (("mov", "pcm_mulaw"), ("mov", "pcm_u8"))
    assert ("is kept as" in " ".join(result.notes)) == (not is_copied)
    np.testing.assert_array_equal(samples(output), samples(path))
    assert abs(_lag(output) - _lag(path)) < Fraction(2, 1000)


@pytest.mark.parametrize("sound", ["wmav2", "nellymoser"])
def test_sound_of_real_numbers_keeps_its_samples(tmp_path, sound):
    path = tmp_path / ("a.wmv" if sound == "wmav2" else "a.flv")
    tone = ("-f", "lavfi", "-i", "sine=d=2:r=44100")
    _make(path, ("-c:a", sound), "wmv2" if sound == "wmav2" else "flv", tone=tone)
    output, result = color_film(path, tmp_path / "out")
    assert (result.lost, result.damage) == ((), ())
    wanted, found = samples(path, kind="f32le"), samples(output, kind="f32le")
    # Two builds of a decoder differ in the last bits.
    np.testing.assert_allclose(found, wanted, atol=1e-6)
    assert np.abs(wanted).max() > 0.05


@pytest.mark.parametrize("container", ["mov", "mkv", "mp4"])
def test_pcm_in_other_pieces_is_the_same_sound(tmp_path, container):
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as film:
        video = film.add_stream("mjpeg", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuvj422p"
        sound = film.add_stream("pcm_s16le", rate=48000, layout="stereo")
        noise = np.random.default_rng(7).integers(-9000, 9000, (1, 2 * 1152 * 126), np.int16)
        for index in range(126):
            if index < 75:
                film.mux(video.encode(make_frame(index, "yuvj422p")))
            piece = noise[:, 2304 * index : 2304 * (index + 1)]
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="stereo")
            frame.sample_rate = 48000
            film.mux(sound.encode(frame))
        film.mux(video.encode(None))
    codec = "libx264" if container == "mp4" else "prores_ks"
    output, result = color_film(path, tmp_path / "out", codec=codec, container=container)
    assert (result.lost, result.damage) == ((), ())
    np.testing.assert_array_equal(samples(output), samples(path))
    assert samples(output).size == noise.size


def test_webm_has_no_place_for_pcm(tmp_path):
    path = tmp_path / "a.avi"
    _make(path, ("-c:a", "pcm_mulaw"))
    choice = what_container_keeps(probe_film(path), "webm", "libsvtav1")
    assert choice.lost == ("audio stream 1 (pcm_mulaw)",)


def test_a_pause_in_converted_sound_stays(tmp_path):
    path = tmp_path / "a.ts"
    whole = tmp_path / "whole.ts"
    _make(whole, ("-c:a", "s302m"))
    with av.open(str(whole)) as read, av.open(str(path), "w") as write:
        targets = [write.add_stream_from_template(s, opaque=True) for s in read.streams]
        for packet in read.demux():
            if not packet.size:
                continue
            time = float(packet.pts * packet.time_base)
            late = packet.stream.type == "audio" and 2 < time < 2.8
            if not late:
                packet.stream = targets[packet.stream_index]
                write.mux(packet)
    output, _ = color_film(path, tmp_path / "out")
    before, after = shown(path, "a:0"), shown(output, "a:0")
    for film in (before, after):
        waits = np.diff([float(time) for time, _ in film])
        assert waits.max() == pytest.approx(0.8, abs=0.05)
    assert float(after[-1][0] - after[0][0]) == pytest.approx(
        float(before[-1][0] - before[0][0]), abs=0.03
    )


@pytest.mark.parametrize("container", ["mkv", "mp4"])
def test_damaged_sound_costs_a_packet_and_no_film(tmp_path, container):
    path = tmp_path / "a.ts"
    make_film(path, frames=50, audio=["aac"])
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as film:
        packets = [p for p in film.demux(film.streams.audio[0]) if p.size]
    head = bytes(packets[20])[:7]
    place = data.find(head[:4], packets[20].pos)
    data[place : place + 2] = b"\0\0"
    path.write_bytes(data)
    output, result = color_film(path, tmp_path / "out", container=container)
    assert result.frames == 50
    (damage,) = result.damage
    assert (
        damage == f"audio stream 1: {len(packets) - 1} of {len(packets)} packets are in the result"
    )
    assert str(tmp_path) not in damage
    assert len(shown(output)) == 50
    assert len(shown(output, "a:0")) == len(packets) - 1


@pytest.mark.parametrize("container", ["mkv", "mp4"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_latm_goes_over_as_plain_aac(tmp_path, channels, container):
    path = tmp_path / "a.ts"
    latm = ("-c:a", "aac", "-ac", str(channels), "-mpegts_flags", "latm")
    _make(path, latm)
    assert "Audio: aac_latm" in described(path)
    output, result = color_film(path, tmp_path / "out", container=container)
    assert (result.lost, result.damage) == ((), ())
    assert "audio stream 1 (aac_latm) is kept as aac, packet by packet" in result.notes
    assert "Audio: aac " in described(output)
    np.testing.assert_array_equal(samples(output), samples(path))
    assert abs(_lag(output) - _lag(path)) < Fraction(2, 1000)


def test_damaged_latm_is_left_out(tmp_path):
    path = tmp_path / "a.ts"
    _make(path, ("-c:a", "aac", "-mpegts_flags", "latm"))
    with av.open(str(path)) as film:
        packets = [bytes(p) for p in film.demux(film.streams.audio[0]) if p.size]
    data = bytearray(path.read_bytes())
    place = data.find(packets[20][:6])
    data[place + 3] ^= 0x40  # more streams in one than there are
    path.write_bytes(data)
    output, result = color_film(path, tmp_path / "out")
    assert result.damage == ("1 packets of stream 1 are damaged and left out",)
    assert len(shown(output, "a:0")) == len(packets) - 1


def test_pcm_with_channels_of_no_place_goes_into_mp4(tmp_path):
    path = tmp_path / "a.mkv"
    _make(path, ("-c:a", "pcm_s16le"))
    output, result = color_film(path, tmp_path / "out", container="mp4")
    assert (result.lost, result.damage) == ((), ())
    np.testing.assert_array_equal(samples(output), samples(path))
