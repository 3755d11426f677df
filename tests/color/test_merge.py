"""From a picture of any shape to the working square and back."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from skimage import color

from colorize_core.color.lab import rgb_to_lab
from colorize_core.color.merge import crop_working, merge, merge_rows, place, to_working
from tests.color.pictures import bundled, to_array

SHAPES = [(64, 64), (48, 96), (300, 40), (1, 500), (500, 1), (1, 1), (3, 2), (1, 20_000)]


@pytest.mark.parametrize("shape", SHAPES)
def test_working_square_holds_the_whole_picture_at_its_aspect(shape):
    L = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(0)) * 100
    working, where = to_working(L, 64)
    assert working.shape == (1, 1, 64, 64)
    inner = crop_working(working, where)
    assert max(inner.shape[-2:]) == 64
    expected = min(shape) / max(shape) * 64
    assert abs(min(inner.shape[-2:]) - max(expected, 1)) <= 0.5
    small = F.interpolate(L, inner.shape[-2:], mode="bilinear", antialias=True)
    torch.testing.assert_close(inner, small)
    assert working.min() >= inner.min()
    assert working.max() <= inner.max()


def test_padding_mirrors_the_picture():
    L = torch.arange(64.0).expand(1, 1, 16, 64)
    working, where = to_working(L + 10 * torch.arange(16.0)[:, None], 64)
    assert (where.top, where.inner_height) == (24, 16)
    torch.testing.assert_close(working[:, :, 23], working[:, :, 24])
    torch.testing.assert_close(working[:, :, 8], working[:, :, 39])
    torch.testing.assert_close(working[:, :, 7], working[:, :, 39])
    torch.testing.assert_close(working[:, :, 63], working[:, :, 31])


def test_pixel_aspect_makes_the_network_see_square_pixels():
    where = place(576, 720, 256, pixel_aspect=64 / 45)
    assert (where.inner_width, where.inner_height) == (256, 144)
    narrow = place(480, 720, 256, pixel_aspect=0.5)
    assert (narrow.inner_width, narrow.inner_height) == (192, 256)


@pytest.mark.parametrize("bad", [(0, 5, 64, 1.0), (5, 5, 0, 1.0), (5, 5, 64, 0.0)])
def test_impossible_sizes_are_refused(bad):
    height, width, size, aspect = bad
    with pytest.raises(ValueError, match="cannot place"):
        place(height, width, size, pixel_aspect=aspect)


def merged(name: str, factor: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """True Lab, merged RGB in [0,1], and the same through bilinear upsampling."""
    lab = rgb_to_lab(bundled(name))
    working, where = to_working(lab[:, :1], 128)
    ab = torch.cat([to_working(lab[:, i : i + 1], 128)[0] for i in (1, 2)], 1)
    results = [
        merge(lab[:, :1], ab, working, where, strength=factor, upsample=m)
        for m in ("guided", "bilinear")
    ]
    return lab, *results


@pytest.mark.parametrize("strength", [1.0, 3.0])
@pytest.mark.parametrize("levels", [255, 65535])
def test_lightness_of_the_rounded_picture_is_the_sources(strength, levels):
    lab, rgb, _ = merged("astronaut", strength)
    assert rgb.min() >= 0
    assert rgb.max() <= 1
    rounded = np.round(to_array(rgb) * levels) / levels
    moved = np.abs(color.rgb2lab(rounded)[..., 0] - lab[0, 0].double().numpy())
    assert moved.max() < 0.5


def test_true_color_comes_back_closer_than_through_bilinear():
    for name in ("astronaut", "coffee", "chelsea"):
        lab, rgb, plain = merged(name, 1.0)
        truth = to_array(bundled(name))
        distance = [
            color.deltaE_ciede2000(color.rgb2lab(to_array(x)), color.rgb2lab(truth)).mean()
            for x in (rgb, plain)
        ]
        assert distance[0] < 0.95 * distance[1]
        assert distance[0] < 2.5
        assert lab.shape == (1, 3, *rgb.shape[-2:])


def test_strength_multiplies_chroma():
    L = torch.full((1, 1, 64, 64), 60.0)
    working, where = to_working(L, 64)
    ab = torch.full((1, 2, 64, 64), 8.0)
    out = rgb_to_lab(merge(L, ab, working, where, strength=1.5))
    torch.testing.assert_close(out[:, 1:], torch.full((1, 2, 64, 64), 12.0), rtol=0, atol=0.01)


def test_padding_does_not_reach_the_result():
    L = torch.rand(1, 1, 40, 80, generator=torch.Generator().manual_seed(1)) * 100
    working, where = to_working(L, 64)
    ab = torch.full((1, 2, 64, 64), 90.0)
    ab[:, :, where.top : where.top + where.inner_height] = 5.0
    chroma = rgb_to_lab(merge(L, ab, working, where))[:, 1:].norm(dim=1)
    assert chroma.max() < 5.0 * 2**0.5 + 0.1


def test_rows_make_up_the_whole():
    L = torch.rand(1, 1, 700, 300, generator=torch.Generator().manual_seed(2)) * 100
    working, where = to_working(L, 64)
    ab = torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(3)) * 30
    rows = list(merge_rows(L, ab, working, where))
    assert len(rows) > 1
    whole = merge(L, ab, working, where)
    torch.testing.assert_close(torch.cat([r for _, r in rows], 2), whole, rtol=0, atol=0)


def test_another_pictures_placement_is_refused():
    L = torch.zeros(1, 1, 40, 80)
    working, where = to_working(L, 64)
    with pytest.raises(ValueError, match="placed"):
        merge(L[..., :-1], torch.zeros(1, 2, 64, 64), working, where)


def test_merge_of_a_batch_at_working_size_has_the_papers_shape():
    """The paper's structural check: (B, 3, 256, 256) float32 after the merge."""
    pictures = [torch.rand(1, 1, 256, 256) * 100 for _ in range(3)]
    merged = []
    for L in pictures:
        working, where = to_working(L, 256)
        merged.append(merge(L, torch.zeros(1, 2, 256, 256), working, where))
    batch = torch.cat(merged)
    assert batch.shape == (3, 3, 256, 256)
    assert batch.dtype == torch.float32
