import itertools
import pickle
import re
import subprocess
import sys
from fractions import Fraction

import av
import numpy as np
import pytest

from colorize_core.errors import (
    MissingError,
    TooLargeError,
    UndecodableError,
    UnsupportedError,
)
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.scan import scan_film
from colorize_core.media.film.segments import plan_segments
from colorize_core.media.film.shot import is_wholly_colored
from tests.film_helpers import HEIGHT, WIDTH, make_film, make_frame


def is_colored(path, probe):
    return is_wholly_colored(scan_film(path, probe, cut_threshold=0.55))


def test_probe_of_a_plain_film(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=30, audio=["aac"], sample_aspect=Fraction(4, 3), rotation=-90)
    probe = probe_film(path)
    assert (probe.width, probe.height, probe.frames) == (WIDTH, HEIGHT, 30)
    assert probe.sample_aspect == Fraction(4, 3)
    assert probe.rotation == -90
    assert probe.display_size == (HEIGHT, WIDTH * 4 // 3)
    assert probe.frame_rate == 25
    assert probe.pts.tolist() == [512 * i for i in range(30)]
    assert [stream.kind for stream in probe.streams] == ["video", "audio"]
    assert probe.is_segmentable
    assert probe.is_timed
    assert probe.notes == ()


def test_probe_survives_pickling(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=5)
    probe = probe_film(path)
    copy = pickle.loads(pickle.dumps(probe))
    assert copy.pts.tolist() == probe.pts.tolist()
    assert copy.streams == probe.streams
    assert copy.working == probe.working


def test_irregular_times_are_kept(tmp_path):
    path = tmp_path / "a.mp4"
    times = np.cumsum([2002, *np.random.default_rng(0).integers(300, 5000, 39)]).tolist()
    make_film(path, pts=times, time_base=Fraction(1, 90000))
    probe = probe_film(path)
    assert [t * probe.time_base for t in probe.pts.tolist()] == [Fraction(t, 90000) for t in times]
    assert probe.notes == ()


@pytest.mark.parametrize(
    ("pix_fmt", "tags", "full", "matrix"),
    [
        ("yuv420p", {}, False, "bt601"),
        ("yuv420p", {"colorspace": 1}, False, "bt709"),
        ("yuv420p10le", {"colorspace": 9, "color_trc": 16}, False, "bt2020nc"),
        ("yuvj420p", {"color_range": 2}, True, "bt601"),
        ("gray", {}, True, "bt601"),
        ("gray", {"color_range": 1}, False, "bt601"),
    ],
)
def test_color_tags(tmp_path, pix_fmt, tags, full, matrix):
    path = tmp_path / "a.mkv"
    codec = "ffv1" if pix_fmt == "gray" else "libx264"
    make_film(path, frames=3, codec=codec, pix_fmt=pix_fmt, tags=tags)
    probe = probe_film(path)
    assert probe.is_full_range is full
    assert probe.matrix == matrix
    assert probe.transfer == ("pq" if tags.get("color_trc") == 16 else "bt1886")
    # The result always says how to read its chroma.
    assert probe.output_color.matrix in (1, 6, 9)


@pytest.mark.parametrize(
    ("tag", "size", "result"), [(8, None, 6), (8, (1280, 720), 1), (7, None, 7)]
)
def test_the_matrix_tag_is_of_what_was_computed(tmp_path, tag, size, result):
    path = tmp_path / "a.mkv"
    options = {"preset": "ultrafast"}
    make_film(
        path, frames=1, size=size or (WIDTH, HEIGHT), options=options, tags={"colorspace": tag}
    )
    probe = probe_film(path)
    assert probe.color.matrix == tag
    assert probe.output_color.matrix == result


def test_large_untagged_films_count_as_bt709(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=1, size=(1280, 720), options={"preset": "ultrafast"})
    assert probe_film(path).matrix == "bt709"


def _check_cover(segments, frames):
    assert segments[0][0] == 0
    assert segments[-1][1] == frames
    assert all(a[1] == b[0] for a, b in itertools.pairwise(segments))
    return [stop - start for start, stop in segments]


@pytest.mark.parametrize("length", [16, 30, 33, 66, 99, 100, 300])
def test_segments_cover_the_film_once(tmp_path, length):
    path = tmp_path / "a.mp4"
    make_film(path, frames=100)
    sizes = _check_cover(plan_segments(probe_film(path), length), 100)
    assert len(sizes) == 1 or max(sizes) <= 1.5 * length
    assert all(size >= 0.75 * length - 1 for size in sizes[:-1])
    assert len(sizes) == 1 or sizes[-1] >= length // 2


def test_segments_start_after_keyframes(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=200, options={"g": "20", "sc_threshold": "0"})
    probe = probe_film(path)
    assert probe.keyframes.tolist() == list(range(0, 200, 20))
    starts = [start for start, _ in plan_segments(probe, 33)]
    assert len(starts) >= 4
    # The last border also has to leave enough for the last range.
    assert all(start % 20 == 8 for start in starts[1:-1])


def test_films_with_one_keyframe_are_cut_into_few_pieces(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=400, options={"g": "1000", "sc_threshold": "0", "preset": "ultrafast"})
    probe = probe_film(path)
    assert probe.keyframes.tolist() == [0]
    sizes = _check_cover(plan_segments(probe, 20), 400)
    assert 3 <= len(sizes) <= 5


@pytest.mark.parametrize("suffix", [".ts", ".h264", ".avi"])
def test_containers_that_lose_frames_when_seeking_are_one_unit(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    make_film(path, frames=60, rate=25, time_base=Fraction(1, 25))
    probe = probe_film(path)
    assert not probe.is_segmentable
    assert probe.reason
    assert plan_segments(probe, 20) == [(0, probe.frames)]
    assert probe.frames == 60


def test_an_audio_file_is_unsupported(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((2, 1024), np.float32), format="fltp", layout="stereo"
        )
        silence.sample_rate = 48000
        container.mux(stream.encode(silence))
        container.mux(stream.encode(None))
    with pytest.raises(UnsupportedError, match="no moving pictures"):
        probe_film(path)


def test_no_film_at_all(tmp_path):
    with pytest.raises(MissingError):
        probe_film(tmp_path / "none.mp4")
    for name, data in (("empty.mp4", b""), ("text.mkv", b"not a film at all\n" * 100)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UndecodableError, match=name):
            probe_film(tmp_path / name)


def test_an_index_that_was_never_written(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UndecodableError):
        probe_film(path)


def test_a_film_without_frames(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=2)
    data = path.read_bytes()
    # A Matroska file ends before its first cluster.
    path.write_bytes(data[: data.index(bytes.fromhex("1F43B675"))])
    with pytest.raises(UndecodableError):
        probe_film(path)


def test_limits(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=10)
    with pytest.raises(TooLargeError, match="96 x 64"):
        probe_film(path, max_pixels=WIDTH * HEIGHT - 1)
    with pytest.raises(TooLargeError, match="10 frames"):
        probe_film(path, max_frames=9)
    probe_film(path, max_pixels=WIDTH * HEIGHT, max_frames=10)


def test_a_film_cut_short_says_so(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=100)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    probe = probe_film(path)
    assert 20 < probe.frames < 80
    assert any("cut short" in note for note in probe.notes)


def test_a_hole_shows_as_a_gap(tmp_path):
    path = tmp_path / "a.ts"
    times = [512 * i for i in range(100) if not 40 <= i < 50]
    make_film(path, pts=times)
    (note,) = probe_film(path).notes
    assert "10 frames are missing in 1 gaps" in note


def _sepia(index):
    frame = make_frame(index)
    small = plane(frame, 0)[::2, ::2].astype(float)
    # Toning is strongest in the mid-tones.
    toned = 1.0 - np.abs(small - 128) / 128
    plane(frame, 1)[:] = np.round(128 - 14 * toned)
    plane(frame, 2)[:] = np.round(128 + 10 * toned)
    return frame


def test_a_toned_film_counts_as_gray(tmp_path):
    gray, colored, sepia = tmp_path / "g.mp4", tmp_path / "c.mp4", tmp_path / "s.mp4"
    make_film(gray, frames=20)
    make_film(colored, frames=20, colored=True)
    make_film(sepia, frames=20, draw=_sepia)
    assert not is_colored(gray, probe_film(gray))
    assert is_colored(colored, probe_film(colored))
    assert not is_colored(sepia, probe_film(sepia))


def test_a_doubled_time_leaves_the_others_as_they_are(tmp_path):
    path, doubled = tmp_path / "a.mkv", tmp_path / "b.mkv"
    times = np.cumsum([0, *[100] * 30, *[20] * 29]).tolist()
    make_film(path, pts=times, time_base=Fraction(1, 1000), codec="mjpeg", pix_fmt="yuvj420p")
    with av.open(str(path)) as read, av.open(str(doubled), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        packets = [p for p in read.demux(read.streams.video[0]) if p.size]
        packets[50].pts = packets[50].dts = times[49]
        for packet in packets:
            packet.stream = stream
            write.mux(packet)
    probe = probe_film(doubled)
    # The two share the 40 ms until the next frame, which are its own 20 ms here.
    assert probe.pts.tolist() == times
    assert probe.notes == ()
    assert not probe.is_segmentable


def _remove_times(path, numbers):
    """Clear the flags of a transport stream that say that a packet has a time."""
    data = bytearray(path.read_bytes())
    starts = [found.start() for found in re.finditer(rb"\x00\x00\x01\xe0", data)]
    for number in numbers:
        data[starts[number] + 7] &= 0x3F
    path.write_bytes(data)


@pytest.mark.parametrize("reorder", ["0", "2"])
def test_missing_times_are_put_between_the_others(tmp_path, reorder):
    path = tmp_path / "a.ts"
    times = [90_000 + 3600 * i for i in range(20)] + [162_000 + 9000 * i for i in range(40)]
    make_film(path, pts=times, time_base=Fraction(1, 90000), options={"bf": reorder})
    whole = probe_film(path).pts
    _remove_times(path, {0, 10, 11, 35, 59})
    probe = probe_film(path)
    assert probe.frames == 60
    # Which of some reordered frames has no time is unknown: one may come a frame early or late.
    assert np.abs(probe.pts - whole).max() <= (0 if reorder == "0" else 9000)
    assert probe.notes == ()


def test_a_film_almost_without_times_has_a_constant_rate_and_says_so(tmp_path):
    path = tmp_path / "a.ts"
    make_film(path, frames=60, time_base=Fraction(1, 90000), options={"bf": "0"})
    _remove_times(path, range(5, 60))
    probe = probe_film(path)
    assert set(np.diff(probe.pts)) == {3600}
    (note,) = probe.notes
    assert note == "only 5 of 60 frames have a time of their own: shown at a constant rate"


MEMORY = """
import resource, sys
from pathlib import Path
from colorize_core.media.film.probe import probe_film
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
probe_film(Path(sys.argv[1]))
before = peak()
probe_film(Path(sys.argv[2]))
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="counts in KiB")
def test_probing_keeps_one_frame(tmp_path):
    small, large = tmp_path / "a.mkv", tmp_path / "b.mkv"
    size = (2048, 1536)
    frame = make_frame(0, "yuv420p", *size)
    make_film(small, frames=1, codec="mpeg4")
    make_film(large, frames=65, codec="mpeg4", size=size, draw=lambda _: frame)
    mib = int(subprocess.check_output([sys.executable, "-c", MEMORY, small, large])) / 1024
    # A frame has 4.5 MiB, and FFmpeg works on some of them at a time.
    assert mib < 80
