from fractions import Fraction

import av
import pytest

from tests.ffmpeg_helpers import described, ffmpeg, shown
from tests.film_helpers import make_film, make_frame, packets
from tests.segment_helpers import color_film


def _streams(path):
    with av.open(str(path)) as container:
        return [
            (s.type, s.codec_context.codec.canonical_name, s.metadata.get("language"))
            for s in container.streams
            if s.type in ("video", "audio", "subtitle")
        ]


def _texts(path, index):
    with av.open(str(path)) as container:
        found = []
        for packet in container.demux(container.streams[index]):
            if packet.size:
                found += [
                    (float(packet.pts * packet.time_base), event.dialogue)
                    for event in packet.decode()
                ]
        return found


TEXTS = [(0.2, b"Hello."), (0.7, "Grüße!".encode())]


@pytest.mark.parametrize(
    ("suffix", "text", "container"),
    [
        (".mp4", "mov_text", "source"),
        (".mkv", "subrip", "source"),
        (".mp4", "mov_text", "mkv"),
        (".mkv", "subrip", "mp4"),
        (".mkv", "subrip", "mov"),
    ],
)
def test_sound_subtitles_and_chapters_survive(tmp_path, suffix, text, container):
    path = tmp_path / f"a{suffix}"
    make_film(path, frames=50, audio=["aac", "libmp3lame"], subtitles=[text, text], chapters=True)
    output, result = color_film(path, tmp_path / "out", container=container)
    assert (result.lost, result.damage) == ((), ())
    kinds = _streams(output)
    assert [kind for kind, *_ in kinds] == ["video", "audio", "audio", "subtitle", "subtitle"]
    assert [codec for _, codec, _ in kinds[1:3]] == ["aac", "mp3"]
    # QuickTime's table of languages spells German "ger" only.
    second = None if container == "mov" else "deu"
    assert [language for *_, language in kinds[1:]] == ["eng", second, "eng", second]
    for index in (1, 2):
        before, after = packets(path, index), packets(output, index)
        assert [data for _, data in after] == [data for _, data in before]
    moved = next((float(n.split()[3]) / 1000 for n in result.notes if "later" in n), 0.0)
    for index in (3, 4):
        for (time, said), (wanted, spoken) in zip(_texts(output, index), TEXTS, strict=True):
            assert said == spoken
            assert time == pytest.approx(wanted + moved, abs=0.002)
    with av.open(str(path)) as source, av.open(str(output)) as joined:
        wanted = [(c["metadata"]["title"], c["start"] * c["time_base"]) for c in source.chapters()]
        got = [(c["metadata"]["title"], c["start"] * c["time_base"]) for c in joined.chapters()]
    assert [title for title, _ in got] == [title for title, _ in wanted] == ["Part 1", "Part 2"]
    assert [float(s) for _, s in got] == pytest.approx([float(s) for _, s in wanted], abs=0.002)


def test_sound_keeps_its_distance_to_the_pictures(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=40, audio=["aac"], pts=[2000 + 512 * i for i in range(40)])
    for container in ("mp4", "mkv"):
        output, _ = color_film(path, tmp_path / container, container=container)
        lags = []
        for film in (path, output):
            with av.open(str(film)) as opened:
                first = {}
                for packet in opened.demux():
                    if packet.size:
                        first.setdefault(packet.stream_index, packet.pts * packet.time_base)
                lags.append(first[1] - first[0])
        assert float(abs(lags[0] - lags[1])) < 0.0015


def test_attachments_survive_in_matroska(tmp_path):
    path = tmp_path / "a.mkv"
    font = bytes(range(256)) * 3
    make_film(path, frames=5, attachment=font)
    output, result = color_film(path, tmp_path / "out")
    assert result.lost == ()
    with av.open(str(output)) as container:
        (attached,) = [s for s in container.streams if s.type == "attachment"]
        assert attached.data == font
        assert attached.mimetype == "application/x-truetype-font"
        assert attached.metadata["filename"] == "font.ttf"


def _add_second_video(path, cover: bool) -> None:
    """Remux a film with a second video stream behind the first: another film, or a cover."""
    other = path.with_name(f"other{path.suffix}")
    codec = "mjpeg" if cover else "libx264"
    pix_fmt = "yuvj420p" if cover else "yuv420p"
    make_film(
        other,
        frames=1 if cover else 30,
        codec=codec,
        pix_fmt=pix_fmt,
        options={},
        draw=lambda i: make_frame(i + 100, pix_fmt),
    )
    joined = path.with_name(f"joined{path.suffix}")
    with (
        av.open(str(path)) as first,
        av.open(str(other)) as second,
        av.open(str(joined), "w") as result,
    ):
        targets = [
            result.add_stream_from_template(film.streams.video[0], opaque=True)
            for film in (first, second)
        ]
        if cover:
            targets[1].disposition = 1024
        for film, target in zip((first, second), targets, strict=True):
            for packet in film.demux(film.streams.video[0]):
                if packet.size:
                    packet.stream = target
                    result.mux(packet)
    joined.replace(path)


def test_a_second_film_is_copied(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=30)
    _add_second_video(path, cover=False)
    output, result = color_film(path, tmp_path / "out")
    assert [kind for kind, *_ in _streams(output)] == ["video", "video"]
    assert packets(output, 1) == packets(path, 1)
    assert result.notes == ("video stream 1 is copied as it is",)


def test_a_cover_stays_a_cover(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=30)
    _add_second_video(path, cover=True)
    covers = {}
    for container in ("mp4", "mkv"):
        output, result = color_film(path, tmp_path / container, container=container)
        assert result.lost == ()
        with av.open(str(output)) as opened:
            (cover,) = [s for s in opened.streams if s.disposition & 1024]
            index = cover.index
        ((_, covers[container]),) = packets(output, index)
    assert covers["mp4"] == covers["mkv"] == packets(path, 1)[0][1]


def test_dispositions_and_tags_of_streams(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=10, audio=["aac", "aac"])
    remuxed = tmp_path / "b.mkv"
    with av.open(str(path)) as source, av.open(str(remuxed), "w") as result:
        targets = [result.add_stream_from_template(s, opaque=True) for s in source.streams]
        targets[1].disposition = 0
        targets[2].disposition = 1 | 8
        targets[2].metadata.update({"title": "The director speaks", "language": "deu"})
        for packet in source.demux():
            if packet.size:
                packet.stream = targets[packet.stream_index]
                result.mux(packet)
    output, _ = color_film(remuxed, tmp_path / "out")
    with av.open(str(output)) as opened:
        streams = list(opened.streams)
        assert [int(s.disposition) for s in streams[1:]] == [0, 9]
        assert streams[2].metadata["title"] == "The director speaks"
        assert streams[2].metadata["language"] == "deu"


def test_reverse_domain_tags_survive(tmp_path):
    path = tmp_path / "a.mov"
    make_film(path, frames=5, metadata={"title": "x"})
    tagged = tmp_path / "b.mov"
    with (
        av.open(str(path)) as source,
        av.open(str(tagged), "w", options={"movflags": "use_metadata_tags"}) as result,
    ):
        result.metadata.update({"com.example.reel": "7", "title": "x"})
        target = result.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = target
                result.mux(packet)
    output, _ = color_film(tagged, tmp_path / "out")
    with av.open(str(output)) as opened:
        assert opened.metadata["com.example.reel"] == "7"
        assert "color is computed" in opened.metadata["comment"]


@pytest.mark.parametrize(
    ("codec", "container"),
    [
        ("libx264", "mov"),
        ("prores_ks", "mov"),
        ("libsvtav1", "mp4"),
        ("ffv1", "mp4"),
        ("ffv1", "mkv"),
        ("prores_ks", "mkv"),
    ],
)
def test_a_time_code_survives(tmp_path, codec, container):
    path = tmp_path / "a.mov"
    make_film(path, frames=10, metadata={"timecode": "01:02:03:04"}, rate=Fraction(25))
    assert "(tmcd / " in described(path)
    output, result = color_film(path, tmp_path / "out", codec=codec, container=container)
    assert "time code" not in " ".join(result.lost)
    said = [line.split(": ")[-1] for line in described(output).splitlines() if "imecode" in line]
    said = said or [x.split(": ")[-1] for x in described(output).splitlines() if "TIMECODE" in x]
    assert set(said) == {"01:02:03:04"}
    # QuickTime and MP4 keep it in a track of its own.
    assert ("(tmcd / " in described(output)) == (container != "mkv")


def test_tracks_of_subtitles_without_a_text_cost_nothing(tmp_path):
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as film:
        video = film.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        film.add_mux_stream("subrip").time_base = Fraction(1, 1000)
        for index in range(10):
            frame = make_frame(index)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
    for container in ("mp4", "mkv"):
        output, result = color_film(path, tmp_path / container, container=container)
        assert (result.lost, result.damage) == ((), ())
        assert "subtitle stream 1 is empty: left out" in result.notes
        assert len(shown(output)) == 10


def test_sound_behind_a_cover(tmp_path):
    path = tmp_path / "a.mp4"
    make_film(path, frames=30)
    _add_second_video(path, cover=True)
    both, sound = tmp_path / "both.mkv", tmp_path / "sound.mp4"
    make_film(sound, frames=30, audio=["aac"])
    maps = ("-map", "0:0", "-map", "0:1", "-map", "1:a")
    ffmpeg("-i", path, "-i", sound, *maps, "-c", "copy", "-disposition:1", "attached_pic", both)
    output, result = color_film(both, tmp_path / "out", container="mp4")
    assert (result.lost, result.damage) == ((), ())
    assert len(shown(output)) == 30
    assert len(shown(output, "a:0")) > 50
