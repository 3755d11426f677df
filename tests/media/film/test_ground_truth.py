"""Color films read as ground truth: true colors, upright, square pixels, a bounded size."""

from fractions import Fraction

import av
import numpy as np
import pytest

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.film.ground_truth import read_color_clip
from tests.film_helpers import make_film

PATCHES = [(200, 40, 30), (30, 160, 60), (40, 60, 190), (210, 200, 40)]


def quarters(width: int = 96, height: int = 64) -> np.ndarray:
    """Four patches: red, green above; blue, yellow below."""
    picture = np.empty((height, width, 3), np.uint8)
    for i, color in enumerate(PATCHES):
        top, left = (i // 2) * height // 2, (i % 2) * width // 2
        picture[top : top + height // 2, left : left + width // 2] = color
    return picture


def draw(_: int, matrix: str = "ITU709") -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(quarters(), format="rgb24")
    return frame.reformat(format="yuv444p", dst_colorspace=matrix)


def center_of(picture: np.ndarray, i: int) -> np.ndarray:
    high, wide = picture.shape[:2]
    return picture[(i // 2 * 2 + 1) * high // 4, (i % 2 * 2 + 1) * wide // 4].astype(int)


@pytest.mark.parametrize(("matrix", "tag"), [("ITU709", 1), ("ITU601", 6)])
def test_colors_follow_the_films_matrix(tmp_path, matrix, tag):
    path = tmp_path / "film.mkv"
    make_film(
        path, frames=7, codec="ffv1", pix_fmt="yuv444p", draw=lambda i: draw(i, matrix),
        tags={"colorspace": tag, "color_range": 1},
    )  # fmt: skip
    clip = read_color_clip(path, side=448, frames=5)
    assert clip.shape == (5, 64, 96, 3)
    assert clip.dtype == np.uint8
    for i, color in enumerate(PATCHES):
        assert np.abs(center_of(clip[-1], i) - color).max() <= 2


def test_size_aspect_and_rotation(tmp_path):
    path = tmp_path / "film.mp4"
    make_film(
        path, frames=6, pix_fmt="yuv444p", draw=draw, rotation=90,
        sample_aspect=Fraction(4, 3), tags={"colorspace": 1, "color_range": 1},
    )  # fmt: skip
    clip = read_color_clip(path, side=64, frames=100)
    assert clip.shape == (6, 64, 32, 3)  # 96 x 4/3 by 64, halved, on its side
    # Turned counter-clockwise, the right column comes to the top.
    for i, color in enumerate((PATCHES[1], PATCHES[3], PATCHES[0], PATCHES[2])):
        assert np.abs(center_of(clip[0], i) - color).max() <= 12


def test_a_gray_film_and_no_film_are_refused(tmp_path):
    make_film(tmp_path / "gray.mkv", frames=6)
    with pytest.raises(UnsupportedError, match="gray film"):
        read_color_clip(tmp_path / "gray.mkv", side=64, frames=5)
    (tmp_path / "text.mkv").write_bytes(b"no film")
    with pytest.raises(UndecodableError):
        read_color_clip(tmp_path / "text.mkv", side=64, frames=5)
