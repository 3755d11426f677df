"""The original of a film in pieces, as a review finds it again."""

from __future__ import annotations

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


def test_other_pieces_than_those_of_the_run_are_not_shown(
    folder: Path, tmp_path: Path, tiny_weights: Path
):
    review = reviewed(str(folder), tmp_path / "out", tiny_weights)
    assert frames(review, NAMES[0]) == 50
    third = folder / "GL030001.MP4"
    third.write_bytes((folder / NAMES[1]).read_bytes())
    with pytest.raises(MissingError, match="not those of the run"):
        frames(review, NAMES[0])
    third.unlink()
    elsewhere = (folder / NAMES[1]).rename(tmp_path / "elsewhere.mp4")
    (folder / NAMES[1]).symlink_to(elsewhere)
    with pytest.raises(MissingError, match="not in the source"):
        frames(review, NAMES[0])
