"""Two films beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colorize_core.errors import VerifyError
from colorize_core.media.film.comparison import compare_films, panel_size
from colorize_core.media.photo.comparison import LONGEST_SIDE, panel_of
from tests.film_helpers import decode, make_film


@pytest.mark.parametrize(
    ("film", "panel"),
    [
        ((96, 64), (96, 64)),
        ((97, 33), (96, 32)),
        ((1, 1), (2, 2)),
        ((1920, 1080), (958, 538)),
        ((3840, 2160), (958, 538)),
        ((1080, 1920), (606, 1080)),
        ((720, 576), (720, 576)),
    ],
)
def test_both_fit_a_full_hd_screen_and_are_never_enlarged(
    film: tuple[int, int], panel: tuple[int, int]
):
    assert panel_size(*film) == panel


def test_a_stop_leaves_nothing_behind(tmp_path: Path):
    make_film(tmp_path / "a.mp4", frames=20)
    asked = []

    def is_stopped() -> bool:
        asked.append(1)
        return len(asked) > 5

    target = tmp_path / "new" / "both.mp4"
    film = tmp_path / "a.mp4"
    assert not compare_films(film, film, target, "note", fps=25, is_stopped=is_stopped)
    assert len(asked) == 6
    assert list(target.parent.iterdir()) == []
    assert compare_films(film, film, target, "note", fps=25)
    assert len(decode(target)) == 20


def test_films_of_different_lengths_are_refused(tmp_path: Path):
    make_film(tmp_path / "a.mp4", frames=5)
    make_film(tmp_path / "b.mp4", frames=6)
    with pytest.raises(VerifyError, match="5 frames before, 6 after"):
        compare_films(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "both.mp4", "note", fps=25)
    assert not (tmp_path / "both.mp4").exists()


def test_huge_photos_are_shrunk():
    pixels = np.full((50, 2 * LONGEST_SIDE), 128 * 257, np.uint16)
    panel = panel_of(pixels)
    assert panel.shape == (25, LONGEST_SIDE, 3)
    assert panel.dtype == np.uint8
    assert (panel == 128).all()
