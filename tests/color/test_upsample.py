"""Upsampling along luma edges, measured on true color."""

import pytest
import torch
import torch.nn.functional as F

from colorize_core.color.lab import rgb_to_lab
from colorize_core.color.upsample import upsample_ab, upsample_rows
from tests.color.pictures import BUNDLED, bundled


def shrink(x: torch.Tensor, factor: int) -> torch.Tensor:
    return F.interpolate(x, scale_factor=1 / factor, mode="bilinear", antialias=True)


def near_edges(L: torch.Tensor) -> torch.Tensor:
    """Pixels within 2 of the tenth of the picture where L is steepest."""
    dx = F.pad(L[..., 2:] - L[..., :-2], (1, 1, 0, 0), mode="replicate")
    dy = F.pad(L[..., 2:, :] - L[..., :-2, :], (0, 0, 1, 1), mode="replicate")
    steepness = torch.hypot(dx, dy)
    steep = (steepness > steepness.flatten().quantile(0.9)).float()
    return F.max_pool2d(steep, 5, 1, 2) > 0


def ab_psnr(ab: torch.Tensor, truth: torch.Tensor, where: torch.Tensor) -> float:
    """In dB, peak 220."""
    error = (ab - truth).square()[where.expand_as(truth)].mean()
    return float(10 * torch.log10(220**2 / error))


def gain(name: str, factor: int, grain: float) -> tuple[float, float]:
    """Guided minus bilinear in dB: near luma edges, and on the whole picture."""
    lab = rgb_to_lab(bundled(name, factor))
    noise = torch.randn(lab[:, :1].shape, generator=torch.Generator().manual_seed(0))
    L = (lab[:, :1] + grain * noise).clamp(0, 100)
    edges = near_edges(lab[:, :1])
    low, ab, truth = shrink(L, factor), shrink(lab[:, 1:], factor), lab[:, 1:]
    guided, plain = (upsample_ab(ab, low, L, method=m) for m in ("guided", "bilinear"))
    everywhere = torch.ones_like(edges)
    return tuple(ab_psnr(guided, truth, w) - ab_psnr(plain, truth, w) for w in (edges, everywhere))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_guided_beats_bilinear_near_edges_and_everywhere(factor):
    gains = [gain(name, factor, grain=0.0) for name in BUNDLED]
    assert min(min(pair) for pair in gains) > 0.3
    assert sum(edge for edge, _ in gains) / len(gains) > 0.8


@pytest.mark.parametrize("grain", [4.0, 8.0])
def test_grain_in_luma_leaves_most_of_the_gain(grain):
    gains = [gain(name, 4, grain) for name in BUNDLED]
    assert min(min(pair) for pair in gains) > 0.0
    assert sum(edge for edge, _ in gains) / len(gains) > 0.7


def test_grain_alone_makes_no_color():
    ab = torch.full((1, 2, 16, 16), 20.0)
    L = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1)) * 100
    out = upsample_ab(ab, shrink(L, 4), L)
    torch.testing.assert_close(out, torch.full_like(out, 20.0), rtol=0, atol=1e-4)


@pytest.mark.parametrize("offset", range(8))
def test_a_step_neither_rings_nor_bleeds(offset):
    L = torch.where(torch.arange(64) < 24 + offset, 30.0, 70.0).expand(1, 1, 64, 64)
    truth = torch.cat((L - 50, 50 - L), 1) * 2
    low = shrink(torch.cat((L, truth), 1), 8)
    guided = upsample_ab(low[:, 1:], low[:, :1], L)
    plain = upsample_ab(low[:, 1:], low[:, :1], L, method="bilinear")
    assert guided.abs().max() <= 40.0 + 1e-3
    assert (guided - truth).abs().mean() < 0.6 * (plain - truth).abs().mean()


def test_output_stays_within_the_range_of_the_neighborhood():
    generator = torch.Generator().manual_seed(2)
    ab = torch.randn(1, 2, 12, 20, generator=generator) * 30
    low = torch.rand(1, 1, 12, 20, generator=generator) * 100
    L = torch.rand(1, 1, 48, 80, generator=generator) * 100
    out = upsample_ab(ab, low, L)
    around = F.pad(ab, (2, 2, 2, 2), mode="replicate")
    highest = F.interpolate(F.max_pool2d(around, 5, 1), (48, 80), mode="nearest")
    lowest = F.interpolate(-F.max_pool2d(-around, 5, 1), (48, 80), mode="nearest")
    assert (out <= highest + 1e-4).all()
    assert (out >= lowest - 1e-4).all()


@pytest.mark.parametrize("method", ["guided", "bilinear"])
@pytest.mark.parametrize("size", [(47, 61), (9, 200), (5, 7), (1, 300), (300, 1), (16, 16)])
def test_strip_size_and_batch_do_not_change_a_bit(method, size):
    generator = torch.Generator().manual_seed(3)
    ab = torch.randn(2, 2, 16, 16, generator=generator) * 20
    low = torch.rand(2, 1, 16, 16, generator=generator) * 100
    L = torch.rand(2, 1, *size, generator=generator) * 100
    whole = upsample_ab(ab, low, L, method=method, strip_pixels=1 << 30)
    assert whole.shape == (2, 2, *size)
    for strip_pixels in (1, 100, 1000):
        strips = upsample_ab(ab, low, L, method=method, strip_pixels=strip_pixels)
        torch.testing.assert_close(strips, whole, rtol=0, atol=0)
    second = upsample_ab(ab[1:], low[1:], L[1:], method=method)
    torch.testing.assert_close(second, whole[1:], rtol=0, atol=0)


def test_bilinear_is_torchs_bilinear():
    ab = torch.randn(1, 2, 7, 9, generator=torch.Generator().manual_seed(4))
    L = torch.zeros(1, 1, 33, 50)
    expected = F.interpolate(ab, (33, 50), mode="bilinear", align_corners=False)
    got = upsample_ab(ab, torch.zeros(1, 1, 7, 9), L, method="bilinear")
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)


def test_a_picture_smaller_than_working_size_is_averaged_down():
    ab = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(5))
    L = torch.full((1, 1, 8, 8), 50.0)
    out = upsample_ab(ab, torch.full((1, 1, 32, 32), 50.0), L)
    torch.testing.assert_close(out, shrink(ab, 4), rtol=0, atol=1e-5)


def test_equal_sizes_change_nothing():
    ab = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(6))
    L = torch.rand(1, 1, 16, 16) * 100
    torch.testing.assert_close(upsample_ab(ab, L, L), ab, rtol=0, atol=1e-4)


def test_memory_of_rows_is_bounded():
    ab, low, L = torch.zeros(1, 2, 8, 8), torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 999, 100)
    rows = [r for r, _ in upsample_rows(ab, low, L, strip_pixels=1000)]
    assert all(r.stop - r.start <= 10 for r in rows)
    assert [i for r in rows for i in range(r.start, r.stop)] == list(range(999))


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="cubic"):
        upsample_ab(
            torch.zeros(1, 2, 4, 4),
            torch.zeros(1, 1, 4, 4),
            torch.zeros(1, 1, 8, 8),
            method="cubic",
        )
