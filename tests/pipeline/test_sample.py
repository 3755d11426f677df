"""A sample is spread over the archive, and what has color is replaced by what has none."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import pytest
from skimage import data

from colorize_core.archive.source.item import SourceItem
from colorize_core.cli.main import main
from colorize_core.pipeline.sample import sample_order, spread


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8, 100, 1023])
def test_every_item_comes_once_and_the_first_lie_apart(count: int):
    order = list(spread(range(count)))
    assert sorted(order) == list(range(count))
    for taken in (4, 8, 16):
        first = sorted(order[:taken])
        if count >= 4 * taken:
            gaps = [b - a for a, b in pairwise(first)]
            assert max(gaps) <= 2 * count / taken
            assert min(gaps) >= count / taken / 3


def test_films_are_taken_only_where_there_are_no_photos():
    films = [SourceItem(f"{n}.mkv", "/f", size, "s", "film") for n, size in enumerate([9, 2, 5])]
    photos = [SourceItem(f"{n}.png", "/p", 1, "s", "photo") for n in range(3)]
    assert {item.kind for item in sample_order([*films, *photos])} == {"photo"}
    assert [item.size for item in sample_order(films)] == [2, 5, 9]


def test_as_many_as_asked_for_are_colored(
    tiny_weights: Path, gray_folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source = gray_folder(8)
    for number in range(8):
        colored = cv2.cvtColor(data.astronaut()[::8, ::8], cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(source / "box 0" / f"scan {number:03d} in color.png"), colored)
    options = ["--out", str(tmp_path / "out"), "--runner", "serial", "--no-report"]
    options += ["--set", f"model.weights={tiny_weights}"]
    assert main([str(source), *options, "--sample", "6"]) == 0
    assert "6 done" in capsys.readouterr().err
    assert main([str(source), *options, "--sample", "6"]) == 0
    assert "8 done" in capsys.readouterr().err  # there are no more
