"""The original of a film in pieces, as a review finds it again."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from colorize_core.cli.main import main
from colorize_core.errors import MissingError
from colorize_core.media.film.probe import probe_film
from colorize_core.review.state import Review
from tests.film_helpers import make_film

NAMES = ("GL010001.MP4", "GL020001.MP4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NAMES:
        make_film(folder / name, frames=25, time_base=Fraction(1, 25), colored=True)
    return folder


def reviewed(source: str, out: Path, weights: Path, *words: str) -> Review:
    fixed = ["run", source, "--out", str(out), "--runner", "serial", "--no-report", *words]
    assert main([*fixed, "--device", "cpu", "--set", f"model.weights={weights}"]) == 0
    return Review(out)


def frames(review: Review, source: str) -> int:
    entry = review.entry(review.catalog.ids[source])
    with review.originals.film(entry) as path:
        return probe_film(path).frames


@pytest.mark.parametrize(("pieces", "length"), [("join", 50), ("apart", 25)])
def test_pieces_that_a_list_names_are_what_they_were_in_the_run(
    folder: Path, tmp_path: Path, tiny_weights: Path, pieces: str, length: int
):
    (tmp_path / "list.txt").write_text("".join(f"in/{name}\n" for name in NAMES))
    words = ("--set", f"video.pieces={pieces}")
    review = reviewed(f"@{tmp_path / 'list.txt'}", tmp_path / "out", tiny_weights, *words)
    for source in review.catalog.ids:
        assert frames(review, source) == length


@pytest.mark.parametrize("source", ["in", "@list.txt", "in/*.MP4"])
def test_a_piece_that_was_left_out_stays_out(
    folder: Path, tmp_path: Path, tiny_weights: Path, source: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    third = folder / "GL030001.MP4"
    third.write_bytes((folder / NAMES[1]).read_bytes())
    (tmp_path / "list.txt").write_text("".join(f"in/{n}\n" for n in (*NAMES, third.name)))
    review = reviewed(source, tmp_path / "out", tiny_weights, "--exclude", f"**/{third.name}")
    (path,) = review.catalog.ids
    assert frames(review, path) == 50


@pytest.mark.parametrize("source", ["in/reel.film", "@list.txt"])
def test_a_film_under_an_unusual_suffix(
    folder: Path, tmp_path: Path, tiny_weights: Path, source: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (folder / NAMES[0]).rename(folder / "reel.film")
    (tmp_path / "list.txt").write_text("in/reel.film\n")
    review = reviewed(source, tmp_path / "out", tiny_weights)
    (path,) = review.catalog.ids
    assert review.entry(review.catalog.ids[path]).is_film
    assert frames(review, path) == 25


def test_other_pieces_than_those_of_the_run_are_not_shown(
    folder: Path, tmp_path: Path, tiny_weights: Path
):
    review = reviewed(str(folder), tmp_path / "out", tiny_weights)
    assert frames(review, NAMES[0]) == 50
    third = folder / "GL030001.MP4"
    third.write_bytes((folder / NAMES[1]).read_bytes())
    assert frames(review, NAMES[0]) == 50, "it came later"
    date = (folder / NAMES[1]).stat().st_mtime
    os.utime(folder / NAMES[1], (date, date + 9))
    with pytest.raises(MissingError, match="not those of the run"):
        frames(review, NAMES[0])
    elsewhere = (folder / NAMES[1]).rename(tmp_path / "elsewhere.mp4")
    (folder / NAMES[1]).symlink_to(elsewhere)
    with pytest.raises(MissingError, match="not in the source"):
        frames(review, NAMES[0])
