from fractions import Fraction
from pathlib import Path

import av
import av.logging
import numpy as np
import pytest

from colorize_core.config import VideoSettings
from colorize_core.errors import OutOfSpaceError, UnsupportedError, VerifyError
from colorize_core.media.film.container_choice import what_container_keeps
from colorize_core.media.film.counts import LumaCheck
from colorize_core.media.film.encoder import is_encoder_available
from colorize_core.media.film.encoder_choice import choose_encoding
from colorize_core.media.film.mux.join import join_segments
from colorize_core.media.film.mux.luma_check import compare_luma
from colorize_core.media.film.planes import parse_format, plane
from colorize_core.media.film.probe import probe_film
from tests.film_helpers import decode, make_film, make_frame, packets
from tests.segment_helpers import CB, CR, color_film, write_segment

IRREGULAR = np.cumsum([4004, *np.random.default_rng(2).integers(900, 9000, 49)]).tolist()


def _end(path):
    """Seconds at which the last frame goes."""
    probe = probe_film(path)
    return float((int(probe.pts[-1]) + probe.last_duration) * probe.time_base)


def _times(path):
    probe = probe_film(path)
    return [t * probe.time_base for t in probe.pts.tolist()]


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_times_in_mp4_are_exact(tmp_path, codec):
    path = tmp_path / "a.mp4"
    make_film(path, pts=IRREGULAR, time_base=Fraction(1, 90000), audio=["aac"])
    output, result = color_film(path, tmp_path / "out", codec=codec)
    assert output.name == "a.mp4"
    assert _times(output) == [Fraction(t, 90000) for t in IRREGULAR]
    assert (result.frames, result.lost, result.damage, result.notes) == (50, (), (), ())
    assert [f.pts * f.time_base for f in decode(output)] == _times(output)


def test_times_in_matroska_are_right_to_the_millisecond(tmp_path):
    path = tmp_path / "a.mov"
    make_film(path, pts=IRREGULAR, time_base=Fraction(1, 90000))
    output, result = color_film(path, tmp_path / "out", codec="ffv1")
    assert output.name == "a.mov.mkv"
    assert result.notes == (
        "frame times are rounded to milliseconds",
        "goes into mkv: ffv1 has no place in mov",
    )
    for shown, wanted in zip(_times(output), IRREGULAR, strict=True):
        assert abs(shown - Fraction(wanted, 90000)) <= Fraction(1, 1000)


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
def test_a_still_picture_with_sound(tmp_path, codec):
    path = tmp_path / "a.mkv"
    # One frame in 40 minutes.
    make_film(
        path, pts=[0, 2_400_000], time_base=Fraction(1, 1000), codec="mjpeg", pix_fmt="yuvj420p"
    )
    output, _ = color_film(path, tmp_path / "out", codec=codec)
    assert _times(output) == [0, 2400]


@pytest.mark.parametrize(("suffix", "container"), [("mp4", "mp4"), ("mp4", "mkv"), ("mkv", "mkv")])
def test_the_last_frame_is_shown_as_long_as_in_the_source(tmp_path, suffix, container):
    short, path = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    make_film(short, frames=10)
    with av.open(str(short)) as read, av.open(str(path), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(read.streams.video[0]) if packet.size]
        last = max(packets, key=lambda packet: packet.pts)
        last.duration = round(10 / last.time_base)
        for packet in packets:
            packet.stream = stream
            write.mux(packet)
    output, result = color_film(path, tmp_path / "out", container=container)
    assert result.seconds == pytest.approx(10.36, abs=0.002)
    assert _end(output) == _end(path) == pytest.approx(10.36, abs=0.002)
    assert result.lost == ()


@pytest.mark.parametrize(
    ("pix_fmt", "size", "coded"),
    [
        ("yuv420p", (96, 64), "yuv420p"),
        ("yuv422p", (96, 64), "yuv422p"),
        ("yuv444p", (96, 64), "yuv444p"),
        ("yuvj420p", (96, 64), "yuv420p"),
        ("yuv420p10le", (96, 64), "yuv420p10le"),
        ("yuv422p12le", (96, 64), "yuv422p12le"),
        ("gray", (96, 64), "yuv420p"),
        ("gray10le", (96, 64), "yuv420p10le"),
        ("gray16le", (96, 64), "yuv420p16le"),
        ("gray", (97, 63), "yuv420p"),
        ("yuv420p", (95, 65), "yuv420p"),
    ],
)
def test_lossless_luma_equals_the_source(tmp_path, pix_fmt, size, coded):
    path = tmp_path / "a.mkv"
    full = pix_fmt.startswith(("yuvj", "gray"))
    make_film(path, codec="ffv1", pix_fmt="yuv420p", frames=1)
    sent = make_film(
        path,
        frames=20,
        size=size,
        codec="ffv1" if pix_fmt != "yuvj420p" else "libx264",
        pix_fmt=pix_fmt,
        tags={"color_range": 2 if full else 1},
        full_range=full,
    )
    output, _ = color_film(path, tmp_path / "out", codec="ffv1", length=8)
    source, result = decode(path), decode(output)
    assert len(result) == len(sent) == 20
    shift = parse_format(pix_fmt).depth - 8
    for before, after in zip(source, result, strict=True):
        assert after.format.name == coded
        assert after.color_range == (2 if full else 1)
        assert np.array_equal(plane(before, 0), plane(after, 0))
        assert set(np.unique(plane(after, 1))) == {CB << shift}
        assert set(np.unique(plane(after, 2))) == {CR << shift}


@pytest.mark.parametrize(
    ("pix_fmt", "size", "codec", "coded", "note"),
    [
        ("gray", (96, 64), "libx264", "yuv420p", ""),
        ("gray", (97, 63), "libx264", "yuv444p", "4:4:4, not 4:2:0"),
        ("yuv420p", (97, 63), "libx264", "yuv444p", "4:4:4, not 4:2:0"),
        ("yuv411p", (96, 64), "libx264", "yuv422p", "4:2:2, not 4:1:1"),
        ("yuv420p12le", (96, 64), "libx264", "yuv420p12le", "12-bit samples do not fit libx264"),
        ("gray16le", (96, 64), "libx264", "yuv420p16le", "16-bit samples do not fit libx264"),
        ("yuv444p", (96, 64), "libsvtav1", "yuv420p", "4:2:0, not 4:4:4"),
        ("yuv420p", (96, 64), "prores_ks", "yuv422p10le", "4:2:2, not 4:2:0"),
    ],
)
def test_codecs_that_cannot_take_the_format(tmp_path, pix_fmt, size, codec, coded, note):
    path = tmp_path / "a.mkv"
    make_film(path, codec="ffv1", pix_fmt=pix_fmt, size=size, frames=5)
    encoding = choose_encoding(probe_film(path), VideoSettings(codec=codec))
    assert encoding.planar.name == coded
    assert any(note in text for text in encoding.notes) if note else not encoding.notes
    output, _ = color_film(path, tmp_path / "out", codec=codec)
    assert len(decode(output)) == 5


def test_deeper_samples_hold_the_luma_shifted(tmp_path):
    path = tmp_path / "a.mov"
    make_film(path, frames=3)
    output, _ = color_film(path, tmp_path / "out", codec="prores_ks")
    assert output.suffix == ".mov"
    for before, after in zip(decode(path), decode(output), strict=True):
        assert after.format.name == "yuv422p10le"
        error = plane(after, 0).astype(int) - (plane(before, 0).astype(int) << 2)
        # ProRes is lossy; a wrong scale would be off by hundreds.
        assert np.abs(error).max() <= 12


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_lossy_luma_is_close(tmp_path, codec):
    path = tmp_path / "a.mp4"
    make_film(path)
    output, _ = color_film(path, tmp_path / "out", codec=codec)
    for before, after in zip(decode(path), decode(output), strict=True):
        error = plane(before, 0).astype(int) - plane(after, 0).astype(int)
        assert np.abs(error).mean() < 1.5


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [(".mp4", "libx264"), (".mov", "libx264"), (".mkv", "libx264"), (".mov", "prores_ks")],
)
def test_geometry_and_color_tags(tmp_path, suffix, codec):
    path = tmp_path / f"a{suffix}"
    tags = {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}
    make_film(path, tags=tags, sample_aspect=Fraction(16, 15), rotation=90, frames=12)
    output, _ = color_film(path, tmp_path / "out", codec=codec)
    before, after = probe_film(path), probe_film(output)
    assert (after.sample_aspect, after.rotation) == (Fraction(16, 15), 90)
    assert after.color == before.color
    assert after.display_size == before.display_size


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("rotation", [0, 90, 180])
def test_a_mirrored_picture_stays_mirrored(tmp_path, suffix, rotation):
    path = tmp_path / f"a{suffix}"
    make_film(path, rotation=rotation, mirrored=True, frames=5)
    output, result = color_film(path, tmp_path / "out")
    assert result.lost == ()
    for film in (path, output):
        shown = next(d for d in decode(film)[0].side_data if d.type.name == "DISPLAYMATRIX")
        a, b, _, c, d = np.frombuffer(bytes(shown), np.int32)[:5] / 65536
        assert a * d - b * c == -1
        assert probe_film(film).is_mirrored
        assert probe_film(film).rotation % 360 == rotation
    assert probe_film(output).display_matrix == probe_film(path).display_matrix


def test_a_view_that_the_container_cannot_hold_is_lost_by_name(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, rotation=90, frames=5)
    data = path.read_bytes()
    turned = b"".join(n.to_bytes(4, "big", signed=True) for n in (0, -65536, 0, 65536, 0, 0))
    assert data.count(turned) == 1
    halved = b"".join(n.to_bytes(4, "big", signed=True) for n in (0, -32768, 0, 32768, 0, 0))
    path.write_bytes(data.replace(turned, halved))
    _, result = color_film(path, tmp_path / "mp4")
    assert result.lost == ()
    _, result = color_film(path, tmp_path / "mkv", container="mkv")
    assert result.lost == ("how the picture is turned, mirrored or scaled",)


@pytest.mark.parametrize("field", ["tff", "bff"])
def test_interlacing_is_kept(tmp_path, field):
    path = tmp_path / "a.mkv"
    make_film(path, options={"x264-params": f"{field}=1"}, frames=12)
    output, _ = color_film(path, tmp_path / "out")
    assert all(frame.interlaced_frame for frame in decode(output))
    assert probe_film(output).field_order == probe_film(path).field_order


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_interlaced_frames_in_hevc_are_no_single_fields(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    make_film(path, options={"x264-params": "bff=1"}, frames=6)
    probe = probe_film(path)
    encoding = choose_encoding(probe, VideoSettings(codec="libx265"))
    assert encoding.notes == (
        "libx265 does not mark frames as interlaced: only the container says it",
    )
    output, _ = color_film(path, tmp_path / "out", codec="libx265")
    # FFmpeg flags what HEVC marks as fields.
    assert not any(frame.interlaced_frame for frame in decode(output))
    assert probe_film(output).field_order == probe.field_order == 3


@pytest.mark.parametrize(
    ("suffix", "pix_fmt", "height", "rate"),
    [(".avi", "yuv420p", 576, 25), (".mov", "yuv411p", 480, Fraction(30000, 1001))],
)
def test_dv_has_the_bottom_field_first(tmp_path, suffix, pix_fmt, height, rate):
    path = tmp_path / f"a{suffix}"
    size, base = (720, height), 1 / Fraction(rate)
    make_film(
        path, codec="dvvideo", pix_fmt=pix_fmt, size=size, rate=rate, time_base=base, frames=2
    )
    assert _field_order(decode(path)[0]) == "B"
    output, _ = color_film(path, tmp_path / "out")
    assert probe_film(path).field_order == probe_film(output).field_order == 3
    assert _field_order(decode(output)[0]) == "B"


def _field_order(frame):
    """What FFmpeg's showinfo says: P(rogressive), T(op) or B(ottom field first)."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    info, sink = graph.add("showinfo"), graph.add("buffersink")
    source.link_to(info)
    info.link_to(sink)
    graph.configure()
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    with av.logging.Capture() as logs:
        graph.push(frame)
        graph.pull()
    av.logging.set_level(level)
    return next(text.split(" i:")[1][0] for _, _, text in logs if " i:" in text)


def test_a_film_in_one_piece(tmp_path):
    path = tmp_path / "a.ts"
    make_film(path, frames=30, audio=["aac"], time_base=Fraction(1, 90000))
    output, result = color_film(path, tmp_path / "out")
    assert output.name == "a.ts.mkv"
    assert len(decode(output)) == 30
    assert result.lost == ()
    # ADTS headers are taken off on the way into Matroska.
    assert len(packets(output, 1)) == len(packets(path, 1))


def test_the_container_says_what_it_cannot_hold(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, audio=["aac"], subtitles=["subrip"], attachment=b"font", frames=5)
    probe = probe_film(path)
    assert what_container_keeps(probe, "source", "libx264").lost == ()
    choice = what_container_keeps(probe, "mp4", "libx264")
    assert choice.lost == ("attachment stream 3 (font.ttf)",)
    with pytest.raises(UnsupportedError, match="mp4 cannot hold prores_ks"):
        what_container_keeps(probe, "mp4", "prores_ks")
    assert what_container_keeps(probe, "source", "prores_ks").container == "mkv"


def test_segments_that_do_not_fit(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=30)
    probe = probe_film(path)
    first, second, other = (tmp_path / f"{name}.nut" for name in "12x")
    write_segment(path, probe, 0, 15, first, VideoSettings(preset="ultrafast"))
    write_segment(path, probe, 15, 30, second, VideoSettings(preset="ultrafast"))
    write_segment(path, probe, 15, 30, other, VideoSettings(preset="medium"))
    choice = what_container_keeps(probe, "source", "libx264")
    output = tmp_path / "out.mp4"
    for segments, message in (
        ([first], "hold 15 frames, the film 30"),
        ([second, first], "segment 0 does not continue at frame 0"),
        ([first, first], "segment 1 does not continue at frame 15"),
        ([first, other], "made by another encoder"),
    ):
        with pytest.raises(VerifyError, match=message):
            join_segments(path, probe, segments, output, choice=choice, note="")
        assert not output.exists()
    join_segments(path, probe, [first, second], output, choice=choice, note="")
    assert len(decode(output)) == 30


def test_decoded_pixels_do_not_depend_on_how_often_it_ran(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=40)
    one, _ = color_film(path, tmp_path / "1")
    two, _ = color_film(path, tmp_path / "2")
    for a, b in zip(decode(one), decode(two), strict=True):
        assert all(np.array_equal(plane(a, i), plane(b, i)) for i in range(3))


def test_the_comment_says_that_color_is_computed(tmp_path):
    for suffix in (".mp4", ".mkv"):
        path = tmp_path / f"a{suffix}"
        make_film(path, metadata={"title": "Street", "comment": "from reel 7"}, frames=5)
        output, _ = color_film(path, tmp_path / "out")
        with av.open(str(output)) as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
        assert tags["title"] == "Street"
        assert tags["comment"] == "from reel 7\ncolor is computed"


@pytest.mark.parametrize("codec", ["ffv1", "libsvtav1", "prores_ks"])
@pytest.mark.parametrize("aspect", [Fraction(16, 15), Fraction(128, 117), Fraction(1)])
def test_pixels_keep_their_shape_in_matroska(tmp_path, codec, aspect):
    path = tmp_path / "a.mkv"
    make_film(path, sample_aspect=aspect, frames=5)
    output, result = color_film(path, tmp_path / "out", codec=codec, container="mkv")
    assert result.lost == ()
    after = probe_film(output)
    assert abs(after.sample_aspect / aspect - 1) < Fraction(1, 1000)
    assert after.rotation == 0
    assert len(decode(output)) == 5


def test_what_is_lost_of_the_geometry_is_said(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, sample_aspect=Fraction(16, 15), rotation=90, frames=5)
    output, result = color_film(path, tmp_path / "out", codec="ffv1")
    assert result.lost == ("the pixels' shape 16/15",)
    assert probe_film(output).rotation == 90


def test_verify_luma(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=20, pix_fmt="yuv420p10le")
    probe = probe_film(path)
    output, _ = color_film(path, tmp_path / "out", codec="ffv1")
    check = compare_luma(path, probe, output)
    assert check == LumaCheck(frames=20, differing=0, largest=0.0, mean=0.0, is_lossless=True)
    lossy, _ = color_film(path, tmp_path / "lossy", codec="libx264", crf=40)
    check = compare_luma(path, probe, lossy)
    assert (check.frames, check.is_lossless) == (20, False)
    assert check.differing == 20
    assert check.largest >= 1


def test_verify_luma_finds_a_wrong_frame(tmp_path):
    path, other = tmp_path / "a.mkv", tmp_path / "b.mkv"
    make_film(path, frames=10, codec="ffv1")
    make_film(other, frames=10, codec="ffv1", draw=lambda i: make_frame(i + (i == 7)))
    settings = VideoSettings(codec="ffv1")
    probe = probe_film(path)
    segment, output = tmp_path / "s.nut", tmp_path / "out.mkv"
    write_segment(other, probe_film(other), 0, 10, segment, settings)
    choice = what_container_keeps(probe, "source", "ffv1")
    join_segments(path, probe, [segment], output, choice=choice, note="")
    output.unlink()
    with pytest.raises(VerifyError, match="differs from the source's in 1 frames"):
        join_segments(path, probe, [segment], output, choice=choice, note="", verify_luma=True)
    assert not output.exists()


def test_damage_of_the_source_is_in_the_result(tmp_path):
    path = tmp_path / "a.ts"
    make_film(path, pts=[512 * i for i in range(60) if not 30 <= i < 40])
    _, result = color_film(path, tmp_path / "out")
    assert result.damage == ("10 frames are missing in 1 gaps, first at 1.24 s",)


def test_a_full_disk_is_named(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=30, size=(320, 240))
    with pytest.raises(OutOfSpaceError, match="is full"):
        write_segment(path, probe_film(path), 0, 30, Path("/dev/full"), VideoSettings(codec="ffv1"))


def test_an_encoder_that_is_not_there(tmp_path):
    if is_encoder_available("h264_nvenc"):
        pytest.fail("this test needs a machine without NVENC")
    path = tmp_path / "a.mp4"
    make_film(path, frames=3)
    with pytest.raises(UnsupportedError, match="h264_nvenc does not open"):
        color_film(path, tmp_path / "out", codec="h264_nvenc")


def test_a_picture_no_encoder_takes(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=3, codec="ffv1", size=(2, 2))
    with pytest.raises(UnsupportedError, match="libsvtav1 does not take yuv420p of 2 x 2"):
        color_film(path, tmp_path / "out", codec="libsvtav1")
