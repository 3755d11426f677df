import functools
import hashlib
import subprocess
from fractions import Fraction

import av
import imageio_ffmpeg
import numpy as np
import pytest

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.film.counts import Damage
from colorize_core.media.film.mux.luma_check import compare_luma
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from colorize_core.media.film.segments import plan_segments
from tests.film_helpers import decode, make_film, make_frame, spoil_packet
from tests.segment_helpers import color_film


def _hash(frame) -> str:
    return hashlib.sha256(np.ascontiguousarray(plane(frame, 0)).tobytes()).hexdigest()


def _read(path, probe, start=0, stop=None, **options):
    stop = probe.frames if stop is None else stop
    damage = Damage()
    pictures = list(read_frames(path, probe, start, stop, **options))
    for shown in pictures:
        damage.count(shown)
    assert [shown.index for shown in pictures] == list(range(start, stop))
    return [_hash(shown.frame) for shown in pictures], damage


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"g": "12", "crf": "20"}),
        ("a.mkv", "libx264", {"g": "12", "x264-params": "open-gop=1:bframes=5:b-pyramid=normal"}),
        ("a.mkv", "libx265", {"g": "12", "x265-params": "open-gop=1:log-level=none"}),
        ("a.mp4", "libx265", {"g": "12", "x265-params": "open-gop=1:log-level=none"}),
        ("a.webm", "libvpx-vp9", {"g": "12", "deadline": "realtime", "cpu-used": "8"}),
        ("a.mp4", "libx264", {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}),
        ("a.mkv", "libx264", {"x264-params": "intra-refresh=1:keyint=12:bframes=0"}),
        ("a.flv", "libx264", {"g": "12"}),
        ("a.wmv", "msmpeg4", {"g": "12"}),
        ("a.avi", "mpeg4", {"g": "12"}),
        ("a.mkv", "ffv1", {}),
    ],
)
def test_segments_equal_a_linear_decode(tmp_path, name, codec, options):
    path = tmp_path / name
    rate = 25
    make_film(path, frames=70, codec=codec, options=options, time_base=Fraction(1, rate))
    probe = probe_film(path)
    assert probe.is_segmentable
    truth = [_hash(frame) for frame in decode(path)]
    assert len(truth) == 70
    read = []
    for start, stop in plan_segments(probe, 17):
        hashes, damage = _read(path, probe, start, stop)
        assert damage.reasons() == ()
        read += hashes
    assert read == truth


@pytest.mark.parametrize("suffix", [".ts", ".h264", ".avi"])
def test_linear_containers_lose_nothing(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    make_film(path, frames=60, time_base=Fraction(1, 25))
    probe = probe_film(path)
    hashes, damage = _read(path, probe)
    assert hashes == [_hash(frame) for frame in decode(path)]
    assert damage.reasons() == ()


def test_irregular_times(tmp_path):
    path = tmp_path / "a.mkv"
    times = np.cumsum(np.random.default_rng(1).integers(5, 90, 60)).tolist()
    make_film(path, pts=times, time_base=Fraction(1, 1000))
    probe = probe_film(path)
    truth = [_hash(frame) for frame in decode(path)]
    assert _read(path, probe, 20, 45)[0] == truth[20:45]


def test_a_frame_that_does_not_decode_is_held(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=40, options={"bf": "0", "g": "1"})
    truth = [_hash(frame) for frame in decode(path)]
    spoil_packet(path, 25)
    probe = probe_film(path)
    assert probe.frames == 40
    hashes, damage = _read(path, probe)
    assert damage.held == 1
    assert hashes[25] == hashes[24] == truth[24]
    assert hashes[:25] + hashes[26:] == truth[:25] + truth[26:]
    # At the start of a segment there is nothing before it: the one after is shown.
    hashes, damage = _read(path, probe, 25, 30)
    assert damage.held == 1
    assert hashes == [truth[26], *truth[26:30]]
    # A segment of which nothing decodes repeats the last frame before it.
    hashes, damage = _read(path, probe, 25, 26)
    assert (hashes, damage.held) == ([truth[24]], 1)


def test_bit_flips_cost_no_frame_its_place(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=120, options={"g": "24"})
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(5)
    for position in rng.integers(len(data) // 4, len(data), 60):
        data[position] ^= 1 << int(rng.integers(0, 8))
    path.write_bytes(data)
    probe = probe_film(path)
    hashes, damage = _read(path, probe)
    assert len(hashes) == probe.frames
    assert damage.reasons() or probe.notes
    again, _ = _read(path, probe)
    assert again == hashes


def test_nothing_decodes(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=40, options={"bf": "0", "g": "1"})
    probe = probe_film(path)
    for number in range(40):
        spoil_packet(path, number)
    with pytest.raises(UndecodableError, match="frames 10 to 20"):
        list(read_frames(path, probe, 10, 20))


def test_packets_that_are_not_frames(tmp_path):
    path = tmp_path / "a.h264"
    make_film(path, frames=40, options={"bf": "0", "g": "1"}, time_base=Fraction(1, 25))
    probe = probe_film(path)
    shorter = tmp_path / "b.h264"
    make_film(shorter, frames=20, options={"bf": "0", "g": "1"}, time_base=Fraction(1, 25))
    with pytest.raises(UnsupportedError, match="40 packets gave 20 frames"):
        list(read_frames(shorter, probe, 0, 40))


def test_a_size_that_changes_is_brought_back(tmp_path):
    first, second, both = tmp_path / "1.h264", tmp_path / "2.h264", tmp_path / "both.h264"
    make_film(first, frames=20, time_base=Fraction(1, 25))
    make_film(second, frames=20, size=(128, 96), time_base=Fraction(1, 25))
    both.write_bytes(first.read_bytes() + second.read_bytes())
    probe = probe_film(both)
    pictures = list(read_frames(both, probe, 0, probe.frames))
    assert len(pictures) == 40
    assert {(p.frame.width, p.frame.height) for p in pictures} == {(96, 64)}
    assert [p.is_converted for p in pictures] == [False] * 20 + [True] * 20


def test_bwdif_at_segment_borders(tmp_path):
    path = tmp_path / "a.mkv"
    options = {"g": "12", "x264-params": "tff=1"}
    make_film(path, frames=40, options=options)
    probe = probe_film(path)
    assert probe.is_interlaced
    whole, _ = _read(path, probe, deinterlace=True)
    kept, _ = _read(path, probe)
    assert all(a != b for a, b in zip(whole, kept, strict=True))
    parts = []
    for start, stop in ((0, 13), (13, 26), (26, 40)):
        parts += _read(path, probe, start, stop, deinterlace=True)[0]
    assert parts == whole


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "planar"),
    [
        ("rawvideo", "nv12", "yuv420p"),
        ("rawvideo", "yuyv422", "yuv422p"),
        ("rawvideo", "gray10le", "gray10le"),
        ("ffv1", "yuva420p", "yuv420p"),
        ("ffv1", "yuv420p12le", "yuv420p12le"),
    ],
)
def test_unusual_formats_keep_their_luma(tmp_path, codec, pix_fmt, planar):
    path = tmp_path / "a.nut"
    base = {"nv12": "yuv420p", "yuyv422": "yuv422p", "yuva420p": "yuv420p"}.get(pix_fmt, pix_fmt)
    make_film(
        path,
        frames=3,
        codec=codec,
        pix_fmt=pix_fmt,
        draw=lambda i: make_frame(i, base).reformat(format=pix_fmt),
    )
    probe = probe_film(path)
    assert probe.planar.name == planar
    pictures = list(read_frames(path, probe, 0, 3))
    for shown in pictures:
        assert np.array_equal(plane(shown.frame, 0), plane(make_frame(shown.index, base), 0))


@pytest.mark.parametrize(
    ("name", "codec", "pix_fmt"),
    [("a.mov", "png", "rgb24"), ("a.mov", "png", "monob"), ("a.avi", "rawvideo", "bgr24")],
)
def test_rgb_gray_becomes_full_range_luma(tmp_path, name, codec, pix_fmt):
    path = tmp_path / name
    make_film(path, frames=2, codec=codec, pix_fmt=pix_fmt, time_base=Fraction(1, 25))
    probe = probe_film(path)
    assert probe.is_rgb
    assert probe.is_full_range
    assert probe.planar.name == "gray"
    truth = [frame.reformat(format="rgb24").to_ndarray()[..., 1] for frame in decode(path)]
    for shown in read_frames(path, probe, 0, 2):
        assert np.array_equal(plane(shown.frame, 0), truth[shown.index])


@pytest.mark.parametrize(
    ("pix_fmt", "depth"), [("gbrp16le", 16), ("gbrp14le", 14), ("gbrp12le", 12), ("gbrp10le", 10)]
)
def test_every_value_of_a_deep_rgb_master_arrives(tmp_path, pix_fmt, depth):
    """R = G = B: what the ffmpeg program decodes of source and result is compared, as gray."""
    path = tmp_path / "master.mkv"
    values = np.arange(1 << min(depth, 16), dtype=np.uint16)[:: max(1, (1 << depth) // 16384)]
    picture = np.resize(values, (64, 256))

    def draw(_index):
        frame = av.VideoFrame(256, 64, pix_fmt)
        for target in frame.planes:
            np.frombuffer(target, np.uint16).reshape(64, -1)[:, :256] = picture
        return frame

    make_film(path, frames=2, size=(256, 64), codec="ffv1", pix_fmt=pix_fmt, draw=draw)
    probe = probe_film(path)
    assert probe.planar.depth == depth
    output, _ = color_film(path, tmp_path / "out", codec="ffv1")
    check = compare_luma(path, probe, output)
    assert check.differing == 0
    assert "R, G and B" in check.words()
    # Gray in the source, so its green is its Y'; extractplanes moves samples, it does not convert.
    green, luma = (_raw_plane(p, which) for p, which in ((path, "g"), (output, "y")))
    assert len(set(green)) == len(set(values.tolist()))
    shift = 16 - depth if max(luma) >= 1 << depth else 0
    assert np.array_equal(np.asarray(green) << shift, luma)


def _raw_plane(path, which):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    command += ["-vf", f"extractplanes={which}", "-fps_mode", "passthrough", "-f", "rawvideo", "-"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    return np.frombuffer(data, np.uint16).astype(np.int64).tolist()


def test_luma_of_colored_rgb_is_of_the_matrix_that_is_said(tmp_path):
    path = tmp_path / "hd.mkv"

    def draw(_index):
        red = np.zeros((720, 1280, 3), np.uint8)
        red[..., 0] = 255
        return av.VideoFrame.from_ndarray(red, format="rgb24").reformat(format="bgr0")

    make_film(path, frames=1, size=(1280, 720), codec="ffv1", pix_fmt="bgr0", draw=draw)
    probe = probe_film(path)
    (picture,) = read_frames(path, probe, 0, 1)
    assert probe.output_color.matrix == 1
    assert plane(picture.frame, 0)[0, 0] == round(0.2126 * 255)


def test_the_luma_check_sees_a_master_cut_to_fewer_bits(tmp_path):
    path, cut = tmp_path / "master.mkv", tmp_path / "cut.mkv"
    ramp = np.resize(np.arange(0, 65536, 4, dtype=np.uint16), (64, 256))

    def draw(pix_fmt, mask):
        frame = av.VideoFrame(256, 64, pix_fmt)
        for target in frame.planes:
            np.frombuffer(target, np.uint16).reshape(64, -1)[:, :256] = ramp & mask
        return frame

    size = (256, 64)
    for target, pix_fmt, mask in ((path, "gbrp16le", 0xFFFF), (cut, "yuv444p16le", 0xFFF0)):
        make = functools.partial(draw, pix_fmt, mask)
        make_film(
            target, frames=1, size=size, codec="ffv1", pix_fmt=pix_fmt, draw=lambda _, m=make: m()
        )
    check = compare_luma(path, probe_film(path), cut)
    assert check.differing == 1
    assert check.largest == 12
