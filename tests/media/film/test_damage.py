"""Corrupt films from probe to join: no crash, no silent loss, sound in its place."""

import re
import struct
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest

from colorize_core.errors import UnsupportedError
from colorize_core.media.film.counts import Damage
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from tests.film_helpers import decode, make_film
from tests.segment_helpers import color_film


def _damage(path, probe):
    damage = Damage()
    for picture in read_frames(path, probe, 0, probe.frames):
        damage.count(picture)
    return damage


def _colored(path, tmp_path):
    """Color a damaged film; whatever is missing must be said, what is there must be there."""
    probe = probe_film(path)
    damage = _damage(path, probe)
    output, result = color_film(path, tmp_path / "out")
    assert len(decode(output)) == probe.frames
    return probe, [*result.damage, *damage.reasons()], output


def _sound_lag(path):
    """Seconds from the first picture to the first sound."""
    with av.open(str(path)) as container:
        first = {}
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                time = float(packet.pts * packet.time_base)
                kind = packet.stream.type
                first[kind] = min(first.get(kind, time), time)
    return first["audio"] - first["video"]


@pytest.mark.parametrize("kept", [0.3, 0.75])
def test_truncated_matroska(tmp_path, kept):
    path = tmp_path / "a.mkv"
    make_film(path, frames=75, audio=["aac"])
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * kept)])
    probe, reasons, output = _colored(path, tmp_path)
    assert probe.frames < 75
    assert any("cut short" in reason for reason in reasons)
    assert _sound_lag(output) == pytest.approx(_sound_lag(path), abs=0.002)


def test_truncated_mp4_with_its_index_in_front(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=75, audio=["aac"], movflags="faststart")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    _, reasons, output = _colored(path, tmp_path)
    assert any("not decoded" in r or "cut short" in r for r in reasons)
    assert _sound_lag(output) == pytest.approx(_sound_lag(path), abs=0.002)


@pytest.mark.parametrize("audio", [[], ["libmp3lame"]])
def test_truncated_avi(tmp_path, audio):
    path = tmp_path / "a.avi"
    make_film(path, frames=75, codec="mpeg4", audio=audio, time_base=Fraction(1, 25))
    assert probe_film(path).notes == ()
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert any("cut short" in note for note in probe_film(path).notes)


def test_dropped_frames_in_avi_are_no_damage(tmp_path):
    path = tmp_path / "a.avi"
    times = [i for i in range(220) if i % 10]
    make_film(path, pts=times, codec="mjpeg", pix_fmt="yuvj420p", time_base=Fraction(1, 25))
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames > len(times) + 15
    assert probe_film(path).notes == ()


def test_pictures_that_begin_long_after_the_sound_are_no_damage(tmp_path):
    path = tmp_path / "a.mpg"
    make_film(
        path,
        pts=[500 + i for i in range(60)],
        codec="mpeg2video",
        audio=["mp2"],
        time_base=Fraction(1, 25),
    )
    assert probe_film(path).notes == ()


def test_a_trimmed_mp4_is_not_cut_short(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=150, audio=["aac"], time_base=Fraction(1, 12800))
    data = bytearray(path.read_bytes())
    # The edit list of the pictures: 3 s from 2.2 s on, in ticks of the film and of its track.
    place = data.index(b"elst") + 12
    _, start, _ = struct.unpack_from(">IiI", data, place)
    struct.pack_into(">Ii", data, place, 3 * 12800, start + round(2.2 * 12800))
    path.write_bytes(data)
    probe = probe_film(path)
    assert probe.frames == 75
    assert probe.notes == ()


@pytest.mark.parametrize("seed", range(3))
def test_a_hole_in_matroska(tmp_path, seed):
    path = tmp_path / "a.mkv"
    make_film(path, frames=75, audio=["aac"], size=(160, 96), options={"g": "12", "crf": "10"})
    data = bytearray(path.read_bytes())
    size = 20_000
    start = int(np.random.default_rng(seed).integers(len(data) // 4, len(data) // 2))
    data[start : start + size] = bytes(size)
    path.write_bytes(data)
    probe, reasons, output = _colored(path, tmp_path)
    assert probe.frames < 75 or any("decoded" in reason for reason in reasons)
    assert any("missing" in r or "cut short" in r or "decoded" in r for r in reasons)
    assert _sound_lag(output) == pytest.approx(_sound_lag(path), abs=0.002)


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts", ".avi"])
@pytest.mark.parametrize("seed", range(2))
def test_bit_flips(tmp_path, suffix, seed):
    path = tmp_path / f"a{suffix}"
    codec = "mpeg4" if suffix == ".avi" else "libx264"
    base = Fraction(1, 25) if suffix == ".avi" else Fraction(1, 90000)
    options = {"g": "24"}
    if codec == "libx264":
        # Its fast code gives other bytes on every run, and so the flips would hit other places.
        options["x264-params"] = "asm=0"
    make_film(
        path,
        frames=60,
        codec=codec,
        options=options,
        audio=["libmp3lame"],
        time_base=base,
    )
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    # The index of MP4 lies at the end, headers at the beginning.
    for position in rng.integers(len(data) // 10, len(data) * 8 // 10, 40):
        data[position] ^= 1 << int(rng.integers(0, 8))
    path.write_bytes(data)
    probe, reasons, output = _colored(path, tmp_path)
    # Many flips decode without an error and shift a few pixels: only lost frames can be told.
    assert probe.frames == 60 or reasons
    assert probe.frames > 30
    assert len(decode(output)) == probe.frames


def test_a_film_that_ends_in_garbage(tmp_path):
    path = tmp_path / "a.ts"
    make_film(path, frames=60, time_base=Fraction(1, 90000))
    rng = np.random.default_rng(0)
    path.write_bytes(path.read_bytes() + rng.integers(0, 256, 50_000, dtype=np.uint8).tobytes())
    probe, _, _ = _colored(path, tmp_path)
    assert probe.frames == 60


def _shifted(path, target, seconds):
    with (
        av.open(str(path)) as read,
        av.open(str(target), "w", options={"mpegts_copyts": "1"}) as write,
    ):
        stream = write.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(read.streams.video[0]):
            if packet.size:
                packet.pts += round(seconds / packet.time_base)
                packet.dts += round(seconds / packet.time_base)
                packet.stream = stream
                write.mux(packet)


# FFmpeg takes a fall of more than a minute for an overflow of the clock.
@pytest.mark.parametrize(("first", "second"), [(30, 0), (0, 0.02), (3600, 0)])
def test_a_clock_that_starts_anew_is_refused(tmp_path, first, second):
    path, one, two = tmp_path / "a.ts", tmp_path / "1.ts", tmp_path / "2.ts"
    make_film(path, frames=50, time_base=Fraction(1, 90000), options={"bf": "0"})
    _shifted(path, one, first)
    _shifted(path, two, second)
    path.write_bytes(one.read_bytes() + two.read_bytes())
    # Its frames would be put among or before those of the first recording, and lost.
    with pytest.raises(UnsupportedError, match=r"clock starts anew at .* s") as caught:
        probe_film(path)
    assert "FILM.mkv" in caught.value.remedy


def test_one_damaged_time_is_no_restart(tmp_path):
    path = tmp_path / "a.ts"
    make_film(path, frames=60, time_base=Fraction(1, 90000), options={"bf": "0"})
    data = bytearray(path.read_bytes())
    starts = [found.start() for found in re.finditer(rb"\x00\x00\x01\xe0", data)]
    # The upper bits of its 33-bit time.
    data[starts[30] + 9] |= 0x02
    path.write_bytes(data)
    assert probe_film(path).frames == 60


def _reference_complaints(path):
    """What the ffmpeg program says when it decodes a film, errors only."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "null", "-"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_a_flipped_bit_in_ffv1_is_counted(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=40, codec="ffv1", options={"level": "3", "slicecrc": "1"})
    assert _reference_complaints(path) == ""
    assert _damage(path, probe_film(path)).reasons() == ()
    data = bytearray(path.read_bytes())
    for place in (0.4, 0.6, 0.8):
        data[round(len(data) * place)] ^= 4
    path.write_bytes(data)
    assert _reference_complaints(path).count("CRC mismatch") == 3
    probe = probe_film(path)
    assert _damage(path, probe).corrupt == 3
    # In segments each is counted once, although they are read again and again on the way.
    parts = [Damage() for _ in range(4)]
    for index, part in enumerate(parts):
        for picture in read_frames(path, probe, index * 10, index * 10 + 10):
            part.count(picture)
    assert sum(part.corrupt for part in parts) == 3


def test_concealed_macroblocks_are_counted(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=60, size=(160, 96), codec="mpeg2video", time_base=Fraction(1, 25))
    assert _damage(path, probe_film(path)).reasons() == ()
    data = bytearray(path.read_bytes())
    place = len(data) // 2
    data[place : place + 40] = bytes(range(40))
    path.write_bytes(data)
    assert _reference_complaints(path)
    assert _damage(path, probe_film(path)).corrupt >= 1


@pytest.mark.parametrize("kind", ["video", "audio"])
def test_packets_that_a_transport_stream_lost(tmp_path, kind):
    path = tmp_path / "a.ts"
    make_film(path, frames=60, size=(192, 108), time_base=Fraction(1, 90000), audio=["aac"])
    assert probe_film(path).notes == ()
    with av.open(str(path)) as container:
        stream = container.streams.get({kind: 0})[0]
        number, index = stream.id, stream.index
    data = path.read_bytes()
    packets = [data[i : i + 188] for i in range(0, len(data), 188)]
    own = [i for i, p in enumerate(packets) if (p[1] & 0x1F) << 8 | p[2] == number]
    # One that continues a picture or sound frame: those that begin one have bit 6.
    lost = next(i for i in own[len(own) // 2 :] if not packets[i][1] & 0x40)
    path.write_bytes(b"".join(packets[:lost] + packets[lost + 1 :]))
    notes = probe_film(path).notes
    assert [n for n in notes if f"of stream {index} arrived damaged" in n] == list(notes)
    assert notes


def test_broken_structure_of_matroska(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=200, audio=["aac"])
    assert probe_film(path).notes == ()
    data = bytearray(path.read_bytes())
    clusters = [found.start() for found in re.finditer(b"\x1f\x43\xb6\x75", data)]
    place = clusters[len(clusters) // 2]
    data[place : place + 60] = b"\x00" * 60
    path.write_bytes(data)
    notes = probe_film(path).notes
    assert any("structure of its container" in note or "missing" in note for note in notes)
