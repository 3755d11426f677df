from __future__ import annotations

import torch

from colorize_core.config import CriticConfig
from colorize_core.model.critic import PatchCritic


def test_each_score_sees_70_by_70_pixels():
    critic = PatchCritic(CriticConfig(channels=2))
    L = torch.zeros(1, 1, 256, 256)
    ab = torch.rand(1, 2, 256, 256, requires_grad=True)
    scores = critic(L, ab)
    assert scores.shape == (1, 1, 30, 30)
    scores[0, 0, 15, 15].backward()
    rows = ab.grad.abs().sum((0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 70


def test_no_normalization_and_no_sigmoid():
    kinds = {type(m).__name__ for m in PatchCritic(CriticConfig()).modules()}
    assert kinds == {"PatchCritic", "Sequential", "Conv2d", "LeakyReLU"}


def test_both_L_and_ab_count():
    critic = PatchCritic(CriticConfig(channels=4))
    L = torch.rand(1, 1, 64, 64, requires_grad=True)
    ab = torch.rand(1, 2, 64, 64, requires_grad=True)
    critic(L, ab).sum().backward()
    assert L.grad.abs().sum() > 0
    assert ab.grad.abs().sum() > 0
