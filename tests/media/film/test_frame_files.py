"""Folders of numbered pictures: order, holes, DPX headers."""

from __future__ import annotations

import struct
import subprocess
import wave
from fractions import Fraction

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from colorize_core.errors import UndecodableError
from colorize_core.media.film.frame_files import find_frames, read_dpx_times
from colorize_core.media.film.frame_times import film_rate
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from tests.ffmpeg_helpers import described, samples, shown
from tests.segment_helpers import color_film


def _write(folder, names):
    """A gray of its own for each."""
    folder.mkdir(parents=True)
    for number, name in enumerate(names):
        cv2.imwrite(str(folder / name), np.full((48, 64), 10 + 7 * number, np.uint8))


def _grays(path, probe, start=0, stop=None):
    return [
        int(np.median(plane(picture.frame, 0)))
        for picture in read_frames(path, probe, start, stop or probe.frames)
    ]


def _reference_grays(path):
    """Gray of each frame as the ffmpeg program decodes them."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-fps_mode"]
    command += ["passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-vf", "extractplanes=y", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.median(np.frombuffer(data, np.uint8).reshape(-1, 48 * 64), 1).astype(int).tolist()


def test_numbers_without_leading_zeros_run_in_their_order(tmp_path):
    folder = tmp_path / "it's a reel"
    _write(folder, [f"scan {i}.png" for i in range(1, 13)])
    probe = probe_film(folder, fps=24)
    wanted = [10 + 7 * i for i in range(12)]
    assert (probe.frames, probe.frame_rate, probe.notes) == (12, 24, ())
    assert probe.is_segmentable
    assert _grays(folder, probe) == wanted
    assert _grays(folder, probe, 9, 11) == wanted[9:11]
    output, result = color_film(folder, tmp_path / "out", codec="ffv1", length=4, fps=24)
    assert result.damage == ()
    assert _reference_grays(output) == wanted


@pytest.mark.parametrize("rate", [24, 16, 24000 / 1001])
def test_missing_and_empty_pictures_are_held_and_said(tmp_path, rate):
    folder = tmp_path / "reel"
    numbers = [n for n in range(86400, 86424) if n not in (86410, 86411)]
    _write(folder, [f"reel1_{n:07d}.png" for n in numbers])
    (folder / "reel1_0086417.png").write_bytes(b"")
    probe = probe_film(folder, fps=rate)
    assert probe.frames == 24
    assert probe.notes == (
        "2 pictures are missing (numbers 86410, 86411), shown as a neighbor",
        "1 picture is empty (reel1_0086417.png), shown as a neighbor",
    )
    own = {n: 10 + 7 * i for i, n in enumerate(numbers)}
    own |= {86410: own[86409], 86411: own[86409], 86417: own[86416]}
    wanted = [own[n] for n in range(86400, 86424)]
    for start in (0, 5, 10, 17, 23):
        assert _grays(folder, probe, start) == wanted[start:]
    output, result = color_film(folder, tmp_path / "out", codec="ffv1", length=5, fps=rate)
    assert _reference_grays(output) == wanted
    assert set(probe.notes) <= set(result.damage)


def test_other_series(tmp_path):
    _write(tmp_path / "twos", [f"{i:03d}.png" for i in range(0, 20, 2)])
    assert find_frames(tmp_path / "twos").notes == ()
    _write(tmp_path / "reels", [f"r{r}_{i}.png" for r in (1, 2) for i in (1, 2, 3)])
    assert find_frames(tmp_path / "reels").notes == ()
    _write(tmp_path / "leaps", ["1.png", "2.png", "86400.png"])
    assert "leap" in find_frames(tmp_path / "leaps").notes[0]
    assert len(find_frames(tmp_path / "leaps").files) == 3
    _write(tmp_path / "first", ["1.png", "2.png"])
    (tmp_path / "first" / "1.png").write_bytes(b"")
    assert [file.name for file in find_frames(tmp_path / "first").files] == ["2.png", "2.png"]
    (tmp_path / "first" / "2.png").write_bytes(b"")
    with pytest.raises(UndecodableError):
        find_frames(tmp_path / "first")


def _write_dpx(folder, count, rate, time_code):
    """10-bit RGB by FFmpeg's encoder, under a full header as scanners write it."""
    folder.mkdir()
    context = av.CodecContext.create("dpx", "w")
    context.width, context.height, context.pix_fmt = 64, 48, "gbrp10le"
    context.time_base = Fraction(1, 24)
    for index in range(count):
        frame = av.VideoFrame(64, 48, "gbrp10le")
        for number in range(3):
            samples = np.frombuffer(frame.planes[number], np.uint16)
            samples[:] = 100 + 30 * index
        frame.pts = index
        data = bytes(context.encode(frame)[0])
        order = "<" if data[:4] == b"XPDS" else ">"
        offset = struct.unpack_from(f"{order}I", data, 4)[0]
        head = bytearray(data[:offset].ljust(2048, b"\xff"))
        struct.pack_into(f"{order}I", head, 4, 2048)
        struct.pack_into(f"{order}I", head, 1920, time_code)
        struct.pack_into(f"{order}f", head, 1940, rate)
        (folder / f"{index:07d}.dpx").write_bytes(bytes(head) + data[offset:])


@pytest.mark.parametrize(("codec", "container"), [("ffv1", "source"), ("prores_ks", "mov")])
def test_dpx_of_ten_bits_with_time_code_and_rate(tmp_path, codec, container):
    folder = tmp_path / "scan"
    _write_dpx(folder, 6, 25.0, 0x01020304)
    times = read_dpx_times(folder / "0000000.dpx")
    assert (times.rate, times.time_code) == (25.0, "01:02:03:04")
    assert probe_film(folder).frame_rate == 25
    probe = probe_film(folder, fps=24)
    assert probe.planar.depth == 10
    assert any("25 frames per second" in note for note in probe.notes)
    assert probe_film(folder, fps=25).notes == ()
    levels = [int(plane(p.frame, 0)[0, 0]) for p in read_frames(folder, probe, 0, 6)]
    assert levels == [100 + 30 * i for i in range(6)]
    output, _ = color_film(folder, tmp_path / "out", codec=codec, container=container, fps=25)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(output)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert "01:02:03:04" in said
    assert "25 fps" in said
    assert ("(tmcd / " in said) == (container == "mov")


def _write_wav(path, samples):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(samples.astype("<i2").tobytes())


@pytest.mark.parametrize("place", ["reel.wav", "reel/take 1.WAV"])
def test_sound_beside_the_frames_is_offered_and_taken_when_wanted(tmp_path, place):
    folder = tmp_path / "reel"
    _write(folder, [f"{i:04d}.png" for i in range(12)])
    tone = np.round(9000 * np.sin(np.arange(24000) / 17)).astype(np.int16)
    _write_wav(tmp_path / place, tone)
    name = place.rpartition("/")[2]
    how = {"codec": "ffv1", "length": 5}
    silent, said = color_film(folder, tmp_path / "silent", **how)
    assert f"--sound takes {name} for its sound" in said.notes
    assert "Audio:" not in described(silent)
    heard, said = color_film(folder, tmp_path / "heard", **how, sound=True)
    assert (said.lost, said.damage) == ((), ())
    assert f"its sound is {name}" in said.notes
    assert np.array_equal(samples(heard) >> 16, tone)
    assert len(shown(heard)) == 12


def test_a_wav_without_sound_costs_no_film(tmp_path):
    folder = tmp_path / "reel"
    _write(folder, [f"{i:04d}.png" for i in range(5)])
    (tmp_path / "reel.wav").write_bytes(b"RIFF" + bytes(40))
    result, said = color_film(folder, tmp_path / "out", codec="ffv1", sound=True)
    assert "reel.wav cannot be read as its sound" in said.notes
    assert len(shown(result)) == 5


def test_rates_of_pictures_are_those_of_films(tmp_path):
    assert film_rate(23.976) == Fraction(24000, 1001)
    assert (film_rate(18.0), film_rate(25.0)) == (18, 25)
    folder = tmp_path / "scan"
    _write_dpx(folder, 3, 23.976, 0)
    assert probe_film(folder).frame_rate == Fraction(24000, 1001)
    assert probe_film(folder, fps=24000 / 1001).notes == ()
