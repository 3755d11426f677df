from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from colorize_core.config import LossConfig
from colorize_core.errors import ModelError
from colorize_core.training.data import PhotoCache
from colorize_core.training.degrade import RandomStream
from colorize_core.training.losses import (
    BINS,
    bin_weights,
    color_loss,
    critic_loss,
    distribution_loss,
    gradient_penalty,
    recognition_loss,
)
from colorize_core.training.perceptual import PerceptualLoss

EVEN = torch.ones(BINS, BINS)


def test_plain_l1_is_the_mean_distance():
    predicted, target = torch.rand(2, 2, 8, 8), torch.rand(2, 2, 8, 8)
    expected = np.abs(predicted.numpy() - target.numpy()).mean()
    assert color_loss(predicted, target, EVEN, LossConfig()) == pytest.approx(expected)


def test_the_loss_does_not_grow_with_the_batch():
    predicted, target = torch.rand(1, 2, 8, 8), torch.rand(1, 2, 8, 8)
    config = LossConfig(chroma_weight=2.0, rebalance=0.5, smooth_beta=0.1)
    one = color_loss(predicted, target, EVEN, config)
    four = color_loss(predicted.repeat(4, 1, 1, 1), target.repeat(4, 1, 1, 1), EVEN, config)
    torch.testing.assert_close(one, four)


def test_saturation_moves_the_target():
    target = torch.full((1, 2, 4, 4), 0.5)
    assert color_loss(target * 1.2, target, EVEN, LossConfig(saturation=1.2)) == pytest.approx(
        0, abs=1e-7
    )


def test_colorful_pixels_weigh_more():
    gray, vivid = torch.zeros(1, 2, 4, 4), torch.full((1, 2, 4, 4), 0.4)
    config = LossConfig(chroma_weight=3.0)
    miss = 0.1
    assert color_loss(vivid + miss, vivid, EVEN, config) > 2 * color_loss(
        gray + miss, gray, EVEN, config
    )


def test_rare_colors_weigh_more(tmp_path):
    pixels = np.full((20, 64, 64, 3), (120, 110, 100), np.uint8)
    pixels[0, :8] = (255, 0, 0)
    weights = bin_weights(PhotoCache(tmp_path, {64: pixels}, {64: ("",) * 20}, {}))
    red, beige = torch.tensor([0.73, 0.61]), torch.tensor([0.02, 0.06])
    config = LossConfig(rebalance=1.0)

    def loss(ab):
        target = ab[None, :, None, None].expand(1, 2, 4, 4)
        return float(color_loss(target + 0.1, target, weights, config))

    assert weights.min() >= 0.3
    assert weights.max() <= 5
    assert loss(red) > 2 * loss(beige)


class Linear(nn.Module):
    """A critic whose gradient in ab is known: `slope` on every value."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, L, ab):
        return self.slope * ab.sum((1, 2, 3), keepdim=True) + 0 * L.sum()


def test_the_gradient_penalty_of_a_known_critic():
    L, real, fake = torch.rand(3, 1, 4, 4), torch.rand(3, 2, 4, 4), torch.rand(3, 2, 4, 4)
    critic = Linear(0.5)
    penalty = gradient_penalty(critic, L, real, fake, RandomStream(0, torch.device("cpu")))
    norm = 0.5 * (2 * 4 * 4) ** 0.5
    assert float(penalty.detach()) == pytest.approx((norm - 1) ** 2, rel=1e-5)
    penalty.backward()
    assert critic.slope.grad.abs() > 0


def test_the_penalty_is_float32_under_autocast():
    L, real, fake = torch.rand(1, 1, 4, 4), torch.rand(1, 2, 4, 4), torch.rand(1, 2, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        penalty = gradient_penalty(
            Linear(0.5), L.bfloat16(), real.bfloat16(), fake.bfloat16(), RandomStream(0, L.device)
        )
    assert penalty.dtype == torch.float32


def test_the_critic_loss_is_the_wasserstein_distance():
    real, fake = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 0.0])
    assert float(critic_loss(real, fake)) == -2.5


def vgg_file(path):
    torch.manual_seed(0)
    widths = {0: (3, 4), 2: (4, 4), 5: (4, 8), 7: (8, 8), 10: (8, 8)}
    state = {}
    for i, (inputs, outputs) in widths.items():
        state[f"features.{i}.weight"] = torch.randn(outputs, inputs, 3, 3) * 0.2
        state[f"features.{i}.bias"] = torch.zeros(outputs)
    torch.save(state, path)


@pytest.mark.parametrize("network", ["vgg", "mobilenet"])
def test_perceptual_and_style_loss(network, tmp_path, mobilenet):
    vgg_file(tmp_path / "net.pt")
    loss = PerceptualLoss(tmp_path / "net.pt" if network == "vgg" else mobilenet)
    L = torch.rand(1, 1, 64, 64) - 0.5
    target = torch.rand(1, 2, 64, 64) - 0.5
    same = loss(L, target, target)
    assert [float(v) for v in same] == [0.0, 0.0]
    predicted = (target * 0.2).requires_grad_(True)
    near = loss(L, target * 0.9, target)
    far = loss(L, predicted, target)
    assert all(f > n > 0 for f, n in zip(far, near, strict=True))
    sum(far).backward()
    assert torch.isfinite(predicted.grad).all()
    assert predicted.grad.abs().sum() > 0
    assert not any(p.requires_grad for p in loss.parameters())
    assert not loss.train().training


def test_style_is_the_batchs_not_each_pictures(tmp_path):
    vgg_file(tmp_path / "net.pt")
    loss = PerceptualLoss(tmp_path / "net.pt")
    L = (torch.rand(1, 1, 64, 64) - 0.5).expand(2, 1, 64, 64)
    target = torch.rand(2, 2, 64, 64) - 0.5
    perceptual, style = loss(L, target.flip(0), target)
    assert float(perceptual) > 0.01
    assert float(style) == pytest.approx(0, abs=1e-5)


def test_a_foreign_perceptual_file_is_refused(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "net.pt")
    with pytest.raises(ModelError, match="conv0"):
        PerceptualLoss(tmp_path / "net.pt")
    with pytest.raises(ModelError, match="cannot be read"):
        PerceptualLoss(tmp_path / "missing.pt")


def test_the_distribution_loss_compares_the_colors_of_a_batch_not_their_places():
    red, blue = torch.tensor([0.3, 0.2]), torch.tensor([0.0, -0.4])
    target = torch.stack([red, blue])[:, :, None, None].expand(2, 2, 8, 8)
    swapped = target.flip(0)
    average = target.mean(0, keepdim=True).expand(2, 2, 8, 8)
    assert float(distribution_loss(target, target, 1.0)) == 0
    assert float(distribution_loss(swapped, target, 1.0)) == pytest.approx(0, abs=1e-7)
    assert float(distribution_loss(average, target, 1.0)) > 0.1
    assert float(distribution_loss(1.2 * target, target, 1.2)) == pytest.approx(0, abs=1e-7)


def test_the_distribution_loss_of_a_constant_shift_is_its_mean_projection():
    torch.manual_seed(0)
    target = torch.rand(2, 2, 16, 16) - 0.5
    shifted = target + torch.tensor([0.1, 0.0])[None, :, None, None]
    expected = 0.1 * float(torch.arange(8).mul(torch.pi / 8).cos().abs().mean())
    assert float(distribution_loss(shifted, target, 1.0)) == pytest.approx(expected, rel=1e-4)


def test_recognition_is_relative_to_what_there_is_to_know():
    known = torch.randn(4, 8, 2, 2, generator=torch.Generator().manual_seed(0))
    small, large = known, 100 * known
    assert float(recognition_loss([small, large], [small, large])) == 0
    nothing = [torch.full_like(k, float(k.mean())) for k in (small, large)]
    assert float(recognition_loss(nothing, [small, large])) == pytest.approx(1, abs=0.02)
