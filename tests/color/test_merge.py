"""Predicted ab laid over L."""

import numpy as np
import pytest
import torch
from skimage import color

from colorize_core.color.lab import rgb_to_lab
from colorize_core.color.letterbox import Letterbox
from colorize_core.color.merge import merge, merge_rows
from tests.color.pictures import bundled, to_array


def merged(name: str, factor: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """True Lab, merged RGB in [0,1], and the same through bilinear upsampling."""
    lab = rgb_to_lab(bundled(name))
    low = Letterbox.of(*lab.shape[-2:], 128).shrink(lab)
    results = [
        merge(lab[:, :1], low[:, 1:], low[:, :1], strength=factor, upsample=m)
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
    ab = torch.full((1, 2, 64, 64), 8.0)
    out = rgb_to_lab(merge(L, ab, L, strength=1.5))
    torch.testing.assert_close(out[:, 1:], torch.full((1, 2, 64, 64), 12.0), rtol=0, atol=0.01)


def test_rows_make_up_the_whole():
    L = torch.rand(1, 1, 700, 300, generator=torch.Generator().manual_seed(2)) * 100
    low = Letterbox.of(700, 300, 64).shrink(L)
    generator = torch.Generator().manual_seed(3)
    ab = torch.randn(1, 2, *low.shape[-2:], generator=generator) * 30
    rows = list(merge_rows(L, ab, low))
    assert len(rows) > 1
    whole = merge(L, ab, low)
    torch.testing.assert_close(torch.cat([r for _, r in rows], 2), whole, rtol=0, atol=0)


def test_merge_of_a_batch_at_working_size_has_the_papers_shape():
    """The paper's structural check: (B, 3, 256, 256) float32 after the merge."""
    pictures = [torch.rand(1, 1, 256, 256) * 100 for _ in range(3)]
    batch = torch.cat([merge(L, torch.zeros(1, 2, 256, 256), L) for L in pictures])
    assert batch.shape == (3, 3, 256, 256)
    assert batch.dtype == torch.float32
