"""How a picture lies in what the generator sees, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from colorize_core.color.letterbox import GRID, Letterbox

SHAPES = [(64, 64), (48, 96), (300, 40), (1, 500), (500, 1), (1, 1), (3, 2), (1, 20_000)]
ASPECTS = [(300, 300), (200, 300), (300, 169), (100, 239), (100, 300), (100, 301), (1600, 100)]


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("is_mirrored", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_goes_in_comes_out(shape: tuple[int, int], turns: int, is_mirrored: bool):
    box = Letterbox.of(*shape, 64, quarter_turns=turns, is_mirrored=is_mirrored)
    picture = torch.rand(1, 2, *box.stored_size, generator=torch.Generator().manual_seed(0)) * 100
    shown = box.to_working(picture)
    assert shown.shape == (len(box.starts), 2, *box.shown_size)
    assert all(side % GRID == 0 for side in box.shown_size)
    assert shown.min() >= picture.min()
    assert shown.max() <= picture.max()
    torch.testing.assert_close(box.from_working(shown), picture, rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", ASPECTS)
def test_the_short_side_has_128_rows_and_the_aspect_is_kept(shape: tuple[int, int]):
    box = Letterbox.of(*shape, 256)
    assert min(box.height, box.width) >= 128
    assert box.width / box.height == pytest.approx(shape[1] / shape[0], rel=0.01)
    long = max(shape) / min(shape)
    assert (len(box.starts) > 1) == (long > 3)
    if long <= 2:
        assert max(box.height, box.width) == 256


def test_shrinking_is_an_antialiased_resize():
    L = torch.rand(1, 1, 300, 400, generator=torch.Generator().manual_seed(1)) * 100
    small = Letterbox.of(300, 400, 128).shrink(L)
    pillow = Image.fromarray(L[0, 0].numpy()).resize((128, 96), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(small[0, 0].numpy(), np.asarray(pillow), atol=0.01)


def test_the_generator_sees_the_picture_upright_with_its_mirror_image_around():
    stored = torch.arange(32.0)[:, None] + torch.zeros(1, 1, 32, 24)
    box = Letterbox.of(24, 32, 32, quarter_turns=1)
    (shown,) = box.to_working(stored)
    assert shown.shape == (1, 32, 32)
    # A quarter turn counter-clockwise lays the first row on the left side.
    torch.testing.assert_close(shown[0, 16], torch.arange(32.0))
    plain = torch.arange(16.0)[:, None] + torch.zeros(1, 1, 16, 32)
    (padded,) = Letterbox.of(16, 32, 32).to_working(plain)
    assert padded[0, :, 0].tolist() == [*range(7, -1, -1), *range(16), *range(15, 7, -1)]


def test_parts_overlap_by_half_and_fade_into_each_other():
    box = Letterbox.of(100, 1600, 256)
    steps = np.diff(box.starts)
    assert box.starts[0] == 0
    assert box.starts[-1] + box.length == box.width
    assert steps.max() <= box.length / 2
    shown = box.to_working(torch.zeros(1, 1, *box.stored_size))
    colors = torch.arange(float(len(shown))).view(-1, 1, 1, 1).expand_as(shown) * 10
    row = box.from_working(colors)[0, 0, box.height // 2]
    assert (row.diff() >= 0).all()
    assert row.diff().max() < 10 / 64  # parts 10 apart: no step is seen
    assert row[0] == 0
    assert row[-1] == 10 * (len(shown) - 1)


@pytest.mark.parametrize("shape", [(60, 80), (80, 60), (30, 900), (900, 30)])
def test_places_of_the_picture_are_found_in_every_part(shape: tuple[int, int]):
    box = Letterbox.of(*shape, 64)
    rng = np.random.default_rng(0)
    for y, x in zip(rng.integers(0, box.height, 20), rng.integers(0, box.width, 20), strict=True):
        point = torch.zeros(1, 1, box.height, box.width)
        point[..., y, x] = 1
        shown = box.to_working(point)
        places = box.shown_at(int(y), int(x))
        assert places
        assert all(shown[part, 0, row, column] == 1 for part, row, column in places)


def test_a_line_is_not_cut_into_thousands_of_parts():
    assert len(Letterbox.of(1, 1_000_000, 256).starts) <= 64


@pytest.mark.parametrize("bad", [(0, 5, 64), (5, 5, 0), (5, 0, 64)])
def test_impossible_sizes_are_refused(bad: tuple[int, int, int]):
    with pytest.raises(ValueError, match="cannot place"):
        Letterbox.of(*bad)
