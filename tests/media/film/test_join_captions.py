"""Closed captions and bitmap subtitles: kept, written as a stream of their own, or listed."""

from fractions import Fraction

import av
import pytest

from colorize_core.media.film.container_choice import what_container_keeps
from colorize_core.media.film.probe import probe_film
from tests.ffmpeg_helpers import PICTURES, described, ffmpeg, shown
from tests.film_helpers import make_film
from tests.segment_helpers import color_film

# CTA-608, one pair a picture: load a pop-on caption, "Hello", show it; later erase it.
_LOAD = "9420 9420 94ae 94ae 9470 9470 c8e5 ecec ef80 942f 942f"
_PAIRS = {10 + place: pair for place, pair in enumerate(_LOAD.split())} | {35: "942c", 36: "942c"}
_SCC = f"Scenarist_SCC V1.0\n\n00:00:00:05\t{_LOAD}\n\n00:00:01:00\t942c 942c\n\n"


def _user_data(number, kinds, pairs):
    pair = bytes.fromhex(pairs.get(number, "8080"))
    data = b"".join(bytes([0xFC | kind]) + pair for kind in kinds)
    return b"GA94\x03" + bytes([0x40 | len(kinds), 0xFF]) + data + b"\xff"


def _dvd_data(number):
    """One frame of two fields as on DVDs: the first one has the pair."""
    pair = bytes.fromhex(_PAIRS.get(number, "8080"))
    return b"CC\x01\xf8\x82\xff" + pair + b"\xfe\x80\x80"


def with_captions(path, codec, kinds=(0,), pairs=_PAIRS):
    """Make a film with captions in its pictures: as MPEG-2 user data or as SEI of H.264.

    No kinds stand for the captions of DVDs.
    """
    plain = path.with_name(f"plain_{path.name}")
    ffmpeg(*PICTURES, "-c:v", codec, "-bf", "2", plain)
    with av.open(str(plain)) as source, av.open(str(path), "w") as result:
        video = source.streams.video[0]
        target = result.add_stream_from_template(video, opaque=True)
        for packet in source.demux(video):
            if not packet.size:
                continue
            number = round((packet.pts - video.start_time) * packet.time_base * 25)
            data = bytes(packet)
            said = _user_data(number, kinds, pairs) if kinds else _dvd_data(number)
            if codec == "mpeg2video":
                said, slices = b"\0\0\1\xb2" + said, [data.find(b"\0\0\1\1")]
            else:
                sei = b"\xb5\0\x31" + said
                said = b"\0\0\1\x06\x04" + bytes([len(sei)]) + sei + b"\x80"
                slices = [data.find(b"\0\0\1" + bytes([nal])) for nal in (0x65, 0x41, 0x61, 1)]
            first = min(place for place in slices if place >= 0)
            new = av.Packet(data[:first] + said + data[first:])
            new.time_base, new.pts, new.dts = packet.time_base, packet.pts, packet.dts
            new.stream, new.is_keyframe = target, packet.is_keyframe
            result.mux(new)


def in_pictures(path):
    """Captions as FFmpeg reads them out of the pictures."""
    film = str(path).replace("\\", "/").replace(":", "\\:")
    return ffmpeg("-f", "lavfi", "-i", f"movie={film}[out+subcc]", "-map", "0:1", "-f", "srt", "-")


def texts(path, kind="ass"):
    return ffmpeg("-i", path, "-map", "0:s:0", "-f", kind, "-")


@pytest.mark.parametrize("source", ["mpeg2video", "libx264"])
def test_h264_carries_captions_in_its_pictures(tmp_path, source):
    path = tmp_path / "a.ts"
    with_captions(path, source)
    assert "Hello" in in_pictures(path)
    output, result = color_film(path, tmp_path / "out", codec="libx264")
    assert (result.lost, result.notes) == ((), ())
    assert in_pictures(output) == in_pictures(path)


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1", "ffv1"])
def test_captions_become_subtitles_with_their_places(tmp_path, codec):
    path = tmp_path / "a.ts"
    with_captions(path, "libx264")
    output, result = color_film(path, tmp_path / "out", codec=codec, container="mkv")
    assert result.lost == ()
    assert "closed captions are in a stream of their own (ass)" in result.notes
    (line,) = [x for x in texts(output).splitlines() if x.startswith("Dialogue")]
    assert line.endswith(r"{\an7}{\pos(38,243)}Hello")
    # Shown from the picture that says so to the one that erases it.
    assert line.split(",")[1:3] == ["0:00:00.76", "0:00:01.40"]


def test_captions_of_dvds_become_subtitles(tmp_path):
    path = tmp_path / "a.vob"
    with_captions(path, "mpeg2video", kinds=())
    assert "00:00:00,760 --> 00:00:01,400" in in_pictures(path)
    output, result = color_film(path, tmp_path / "out", codec="ffv1")
    assert result.lost == ()
    assert "00:00:00,760 --> 00:00:01,400" in texts(output, "srt")
    assert "Hello" in texts(output, "srt")


def test_captions_in_quicktime_are_a_track_of_the_same_bytes(tmp_path):
    path = tmp_path / "a.ts"
    with_captions(path, "mpeg2video")
    output, result = color_film(path, tmp_path / "out", codec="prores_ks")
    assert result.lost == ()
    assert "eia_608" in described(output)
    track = ffmpeg("-i", output, "-map", "0:s:0", "-c", "copy", "-f", "scc", "-")
    said = [word for line in track.splitlines()[2:] for word in line.split()[1:]]
    assert said == [*_LOAD.split(), "942c", "942c"]


def test_captions_in_mp4_are_plain_text(tmp_path):
    path = tmp_path / "a.ts"
    with_captions(path, "mpeg2video", kinds=(0, 3))
    output, result = color_film(path, tmp_path / "out", codec="libx265", container="mp4")
    assert result.lost == (
        "closed captions (CEA-708)",
        "places and colors of closed captions",
    )
    assert "00:00:00,760 --> 00:00:01,400\nHello\n" in texts(output, "srt")


def test_captions_without_a_place_are_listed(tmp_path):
    path = tmp_path / "a.ts"
    with_captions(path, "mpeg2video")
    choice = what_container_keeps(probe_film(path), "webm", "libsvtav1")
    assert choice.lost == ("closed captions (line 21)",)


def test_padding_is_no_caption(tmp_path):
    path = tmp_path / "a.ts"
    with_captions(path, "mpeg2video", pairs={})
    _, result = color_film(path, tmp_path / "out", codec="ffv1")
    assert (result.lost, result.notes) == ((), ())


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "mov"), ("ffv1", "mkv")])
def test_a_track_of_captions(tmp_path, codec, suffix):
    path, script = tmp_path / "a.mov", tmp_path / "a.scc"
    script.write_text(_SCC)
    pictures = (*PICTURES, "-i", script, "-map", "0", "-map", "1")
    ffmpeg(*pictures, "-c:v", "libx264", "-c:s", "copy", path)
    output, result = color_film(path, tmp_path / "out", codec=codec)
    assert (output.suffix, result.lost, result.damage) == (f".{suffix}", (), ())
    if suffix == "mov":
        bytes_of = ("-map", "0:s:0", "-c", "copy", "-f", "scc", "-")
        assert ffmpeg("-i", output, *bytes_of) == ffmpeg("-i", path, *bytes_of)
    else:
        assert r"{\pos(38,243)}Hello" in texts(output)


def _bitmap():
    """A subtitle of DVDs (a bitmap of 16 x 4 in one color) by hand: size, lines, commands."""
    lines = bytes([0, 1]) * 2
    second, commands = 4 + len(lines), 4 + 2 * len(lines)
    body = b"".join(
        (
            bytes(2) + commands.to_bytes(2, "big"),
            bytes.fromhex("033210 04ffff 0500000f000003"),
            b"\x06" + (4).to_bytes(2, "big") + second.to_bytes(2, "big") + b"\x01\xff",
        )
    )
    head = (commands + len(body)).to_bytes(2, "big") + commands.to_bytes(2, "big")
    return head + lines + lines + body


def with_bitmaps(path):
    """Make a film with two subtitles of DVDs."""
    plain = path.with_name(f"plain_{path.stem}.mkv")
    make_film(plain, frames=50)
    with av.open(str(plain)) as source, av.open(str(path), "w") as result:
        video = result.add_stream_from_template(source.streams.video[0])
        titles = result.add_mux_stream("dvd_subtitle")
        titles.time_base = Fraction(1, 1000)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = video
                result.mux(packet)
        for start in (400, 1200):
            packet = av.Packet(_bitmap())
            packet.stream, packet.time_base = titles, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = 400
            result.mux(packet)


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_bitmap_subtitles_keep_their_bytes(tmp_path, suffix, container):
    path = tmp_path / f"a.{suffix}"
    with_bitmaps(path)
    output, result = color_film(path, tmp_path / "out", container=container)
    assert (result.lost, result.damage) == ((), ())
    copies = [
        ffmpeg("-i", film, "-map", "0:s:0", "-c", "copy", "-f", "framehash", "-").splitlines()
        for film in (path, output)
    ]
    hashes = [[row.split()[-1] for row in rows if row[0] != "#"] for rows in copies]
    assert len(hashes[0]) == 2
    assert hashes[0] == hashes[1]
    assert len(shown(output)) == 50
