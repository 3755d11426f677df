"""Films in pieces are one film: titles of DVDs, chapters of cameras, files cut at 4 GB."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import pytest

from colorize_core.archive.source.contents import stage_item
from colorize_core.config import ColorizeConfig, VideoSettings
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from colorize_core.pipeline.find_items import find_items
from jobs import colorize_archive
from tests.ffmpeg_helpers import ffmpeg, shown
from tests.film_helpers import decode, make_film, make_frame
from tests.segment_helpers import color_film

_BASE = Fraction(1, 25)


def scanned(source: str, out: Path, pieces: str = "join"):
    config = ColorizeConfig(video=VideoSettings(pieces=pieces))
    return find_items(
        source, out, follow_links=False, staging=None, config_for=lambda _path: config
    )


def found(folder: Path, out: Path, pieces: str = "join"):
    return list(scanned(str(folder), out, pieces).items)


def title(folder: Path, *, frames: int = 60) -> Path:
    """A DVD's title in two files, cut between two packs and so inside a picture."""
    whole = folder / "whole.mpg"
    make_film(
        whole, frames=frames, codec="mpeg2video", audio=["mp2"], time_base=_BASE, size=(352, 288)
    )
    data = whole.read_bytes()
    cut = len(data) // 2 // 2048 * 2048
    place = folder / "VIDEO_TS"
    place.mkdir()
    for name, part in (("VTS_01_1.VOB", data[:cut]), ("VTS_01_2.VOB", data[cut:])):
        (place / name).write_bytes(part)
    return whole


def chapters(folder: Path, names: list[str], *, size=(96, 64)) -> list[Path]:
    """Files that each begin at time 0, as cameras write them."""
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in names]
    for number, path in enumerate(paths):
        draw = partial(_frame, 25 * number, size)
        make_film(path, frames=25, audio=["aac"], time_base=_BASE, size=size, draw=draw)
    return paths


def _frame(first: int, size: tuple[int, int], index: int):
    return make_frame(first + index, "yuv420p", *size)


def test_a_title_of_a_dvd_is_one_film(tmp_path, tiny_weights):
    whole = title(tmp_path)
    source = tmp_path / "VIDEO_TS"
    out = tmp_path / "out"
    fixed = ["--out", str(out), "--runner", "serial", "--no-report"]
    fixed += ["--set", f"model.weights={tiny_weights}", "--set", "render.size=64"]
    fixed += ["--set", "video.preset=ultrafast", str(source)]
    assert colorize_archive.main(fixed) == 0
    (item,) = json.loads((out / ".colorize" / "summary.json").read_text())["items"]
    assert (item["source"], item["status"]) == ("VTS_01_1.VOB", "done")
    assert "one film of 2 pieces: VTS_01_1.VOB, VTS_01_2.VOB" in str(item)
    result = out / item["output"]
    assert len(shown(result)) == len(shown(whole)) == 60
    # Sound too: packet by packet what FFmpeg reads from the whole.
    copied = ("-map", "0:a", "-c", "copy", "-f", "md5", "-")
    assert ffmpeg("-i", result, *copied) == ffmpeg("-i", whole, *copied)
    assert colorize_archive.main(["--verify", "--verify-source", *fixed]) == 0
    data = bytearray((source / "VTS_01_2.VOB").read_bytes())
    data[-5000] ^= 1
    (source / "VTS_01_2.VOB").write_bytes(data)
    assert colorize_archive.main(["--verify", "--verify-source", *fixed]) == 2


def test_chapters_of_a_camera_are_one_film_that_is_cut_anywhere(tmp_path):
    names = ["GH010042.MP4", "GH020042.MP4", "GH030042.MP4"]
    paths = chapters(tmp_path / "in", names)
    (item,) = found(tmp_path / "in", tmp_path / "out")
    assert (item.path, len(item.pieces)) == (names[0], 2)
    with stage_item(item, tmp_path / "staging") as listed:
        probe = probe_film(listed)
        assert (probe.frames, probe.is_segmentable, probe.notes) == (75, True, ())
        assert (probe.pts * probe.time_base * 25).tolist() == list(range(75))
        expected = [bytes(f.planes[0]) for path in paths for f in decode(path)]
        for start, stop in ((0, 75), (20, 30), (48, 52), (70, 75)):
            frames = list(read_frames(listed, probe, start, stop))
            assert not any(f.is_held or f.is_corrupt for f in frames)
            assert [bytes(f.frame.planes[0]) for f in frames] == expected[start:stop]
        result, said = color_film(listed, tmp_path / "colored")
    assert said.damage == ()
    assert result.suffix == ".mp4"
    assert len(shown(result)) == 75
    assert not list((tmp_path / "staging").iterdir())


def test_what_does_not_belong_together_stays_apart(tmp_path):
    folder = tmp_path / "in"
    chapters(folder, ["GOPR0001.MP4"])
    chapters(folder, ["GP010001.MP4"], size=(128, 64))  # another picture
    chapters(folder, ["MVI_0001.MP4", "MVI_0002.MP4"])  # not full: two recordings
    chapters(folder, ["GX010007.MP4", "GX030007.MP4"])  # one is missing
    assert [len(item.pieces) for item in found(folder, tmp_path / "out")] == [0] * 6


@pytest.mark.parametrize(("pieces", "films"), [("join", 1), ("apart", 2)])
def test_a_file_that_was_cut_at_4_gb_goes_on_in_the_next_number(tmp_path, pieces, films):
    folder = tmp_path / "in"
    first, _ = chapters(folder, ["MVI_0007.MOV", "MVI_0008.MOV"])
    with first.open("r+b") as file:  # a box of nothing up to the limit; no disk is needed
        end = file.seek(0, 2)
        size = 2**32 - 40_000_000
        file.write((1).to_bytes(4, "big") + b"free" + (size - end).to_bytes(8, "big"))
        file.truncate(size)
    assert len(found(folder, tmp_path / "out", pieces)) == films


def test_a_broadcast_in_pieces_goes_by_its_clock(tmp_path):
    whole = tmp_path / "whole.ts"
    make_film(whole, frames=50, codec="mpeg2video", audio=["mp2"], time_base=_BASE)
    data = whole.read_bytes()
    cut = len(data) // 2 // 188 * 188
    for name, second in (("a", data[cut:]), ("b", data[:cut])):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "VTS_03_1.VOB").write_bytes(data[:cut])
        (folder / "VTS_03_2.VOB").write_bytes(second)
    assert len(found(tmp_path / "a", tmp_path / "out")) == 1
    assert len(found(tmp_path / "b", tmp_path / "out")) == 2


def test_a_title_in_color_is_copied_file_by_file(tmp_path, tiny_weights):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("GL010001.MP4", "GL020001.MP4"):
        make_film(folder / name, frames=25, time_base=_BASE, colored=True)
    out = tmp_path / "out"
    fixed = ["--out", str(out), "--runner", "serial", "--no-report"]
    fixed += ["--set", f"model.weights={tiny_weights}", str(folder)]
    assert colorize_archive.main(fixed) == 0
    for path in folder.iterdir():
        assert (out / "GL010001.MP4.pieces" / path.name).read_bytes() == path.read_bytes()
    assert colorize_archive.main(["--verify", "--verify-source", *fixed]) == 0


def test_ffmpeg_reads_the_list(tmp_path):
    folder = tmp_path / "it's a folder"
    chapters(folder, ["GH010042.MP4", "GH020042.MP4"])
    (item,) = found(folder, tmp_path / "out")
    with stage_item(item, tmp_path / "staging") as listed:
        assert len(shown(listed, before=("-safe", "0"))) == 50


def test_a_stream_without_a_decoder_keeps_films_apart_and_ends_no_scan(tmp_path):
    paths = chapters(tmp_path / "in", ["GH010042.MP4", "GH020042.MP4"])
    for path in paths:
        path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))
    assert [item.pieces for item in found(tmp_path / "in", tmp_path / "out")] == [(), ()]


def test_times_with_and_without_a_zone_keep_films_apart(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number, said in ((1, "2020-01-01T12:00:00"), (2, "2020-01-01T12:00:01+00:00")):
        film = folder / f"GH0{number}0042.mkv"
        make_film(film, frames=25, time_base=_BASE, metadata={"creation_tima": said})
        # FFmpeg would write its own spelling of the time.
        film.write_bytes(film.read_bytes().replace(b"CREATION_TIMA", b"creation_time"))
        with av.open(str(film)) as container:
            assert container.metadata["creation_time"] == said
        film.rename(film.with_suffix(".MP4"))
    assert [item.pieces for item in found(folder, tmp_path / "out")] == [(), ()]


@pytest.mark.parametrize(("odd", "films"), [("\u2028", 1), ("\x85", 1), ("\n", 2), ("\r", 2)])
def test_odd_characters_in_the_name_of_a_folder_end_no_run(tmp_path, odd, films):
    folder = tmp_path / f"a{odd}b"
    chapters(folder, ["GH010042.MP4", "GH020042.MP4"])
    items = found(folder, tmp_path / "out")
    assert len(items) == films
    with stage_item(items[0], tmp_path / "staging") as listed:
        assert probe_film(listed).frames == 50 // films


def test_pieces_listed_twice_are_one_film_still(tmp_path):
    paths = chapters(tmp_path / "in", ["GH010042.MP4", "GH020042.MP4", "GH010007.MP4"])
    (tmp_path / "list.txt").write_text("\n".join(map(str, [*paths, *paths])))
    scan = scanned(f"@{tmp_path / 'list.txt'}", tmp_path / "out")
    assert [(Path(i.path).name, len(i.pieces)) for i in scan.items] == [
        ("GH010007.MP4", 0),
        ("GH010042.MP4", 1),
    ]
    assert (scan.problems, scan.ignored) == ((), {"listed twice": 3})


def test_a_folder_of_pieces_and_a_film_of_that_name_are_not_written_over_each_other(tmp_path):
    folder = tmp_path / "in"
    chapters(folder, ["GH010042.MP4", "GH020042.MP4"])
    chapters(folder / "GH010042.MP4.pieces", ["other.mp4"])
    scan = scanned(str(folder), tmp_path / "out")
    assert [path for path, _ in scan.problems] == ["GH010042.MP4.pieces/other.mp4"]
