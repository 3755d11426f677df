"""Every frame is shown when a player shows the source's; FFmpeg's own command is the judge."""

from fractions import Fraction

import av
import numpy as np
import pytest

from tests.ffmpeg_helpers import PICTURES, TONE, ffmpeg, shown
from tests.film_helpers import make_film
from tests.segment_helpers import color_film


def _beside_the_sound(path):
    """Seconds from the first sound to each picture."""
    start = shown(path, "a:0")[0][0]
    return [float(time - start) for time, _ in shown(path)]


@pytest.mark.parametrize("container", ["mp4", "mov", "mkv"])
def test_frames_before_time_0_are_shown(tmp_path, container):
    plain, path = tmp_path / "plain.mkv", tmp_path / "a.mkv"
    ffmpeg(*PICTURES, *TONE, "-c:v", "libx264", "-c:a", "pcm_s16le", plain)
    early = ("-output_ts_offset", "-0.52", "-avoid_negative_ts", "disabled")
    ffmpeg("-i", plain, "-c", "copy", *early, path)
    output, result = color_film(path, tmp_path / "out", container=container)
    assert (result.lost, result.damage) == ((), ())
    assert "all streams start 520 ms later, to keep what is early" in result.notes
    assert len(shown(output)) == 50
    # Sound and pictures begin together.
    np.testing.assert_allclose(_beside_the_sound(output), np.arange(50) / 25, atol=0.0011)


@pytest.mark.parametrize("dropped", ["", "select='not(between(n,10,13))',"])
@pytest.mark.parametrize("reorder", ["0", "2"])
def test_h264_in_avi_stays_beside_its_sound(tmp_path, reorder, dropped):
    path = tmp_path / "a.avi"
    pictures = (*PICTURES[:3], f"{PICTURES[3]},{dropped}null", *TONE, "-fps_mode", "vfr")
    ffmpeg(*pictures, "-c:v", "libx264", "-bf", reorder, "-c:a", "pcm_s16le", path)
    output, result = color_film(path, tmp_path / "out")
    assert (result.lost, result.damage) == ((), ())
    wanted = _beside_the_sound(path)
    assert len(wanted) == (46 if dropped else 50)
    np.testing.assert_allclose(_beside_the_sound(output), wanted, atol=0.0011)


def test_vp9_packets_that_show_nothing_are_no_frames(tmp_path):
    path, film = tmp_path / "a.avi", tmp_path / "a.webm"
    vp9 = ("-c:v", "libvpx-vp9", "-b:v", "100k", "-lag-in-frames", "25", "-cpu-used", "8")
    vp9 = (*PICTURES, *vp9, "-passlogfile", tmp_path / "log")
    ffmpeg(*vp9, "-pass", "1", "-f", "null", "-")
    ffmpeg(*vp9, "-pass", "2", film)
    ffmpeg("-i", film, "-c", "copy", "-bsf:v", "vp9_superframe_split", path)
    with av.open(str(path)) as opened:
        packets = sum(bool(packet.size) for packet in opened.demux())
    wanted = [float(time) for time, _ in shown(path)]
    assert packets > len(wanted) == 50
    output, result = color_film(path, tmp_path / "out")
    assert (result.frames, result.lost, result.damage) == (50, (), ())
    np.testing.assert_allclose([float(time) for time, _ in shown(output)], wanted, atol=0.0011)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "avi", "ts"])
def test_a_pause_is_no_damage(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    times = [512 * i for i in range(25)] + [512 * (i + 225) for i in range(25, 60)]
    codec = "mpeg4" if suffix == "avi" else "libx264"
    make_film(path, pts=times, audio=["mp2"], codec=codec)
    output, result = color_film(path, tmp_path / "out", codec="libx264")
    assert result.damage == ()
    assert any("1 pause without new frames, the longest of 9.04 s" in note for note in result.notes)
    found = [float(time) for time, _ in shown(output)]
    assert max(np.diff(found)) == pytest.approx(9.04, abs=0.002)


def test_sound_in_packets_below_a_tick_is_no_damage(tmp_path):
    plain, path = tmp_path / "plain.mkv", tmp_path / "a.mkv"
    make_film(plain, frames=10)
    with av.open(str(plain)) as source, av.open(str(path), "w") as result:
        video = result.add_stream_from_template(source.streams.video[0])
        sound = result.add_stream("pcm_s16le", rate=48000, layout="stereo")
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = video
                result.mux(packet)
        for index in range(800):
            frame = av.AudioFrame(format="s16", layout="stereo", samples=24)
            frame.planes[0].update(bytes(frame.planes[0].buffer_size))
            frame.sample_rate, frame.pts, frame.time_base = 48000, 24 * index, Fraction(1, 48000)
            result.mux(sound.encode(frame))
    output, result = color_film(path, tmp_path / "out", container="mov")
    assert (result.lost, result.damage) == ((), ())
    assert len(shown(output)) == 10
