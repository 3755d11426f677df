"""PatchGAN critic (Isola et al. 2017) for a Wasserstein loss: no normalization, no sigmoid."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from colorize_core.config import CriticConfig


class PatchCritic(nn.Module):
    """Scores overlapping patches of L and ab; with 3 strided layers each sees 70 x 70 pixels."""

    def __init__(self, config: CriticConfig) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for i in range(config.layers + 1):
            outputs = config.channels * min(2**i, 8)
            stride = 2 if i < config.layers else 1
            layers += [nn.Conv2d(inputs, outputs, 4, stride, 1), nn.LeakyReLU(0.2)]
            inputs = outputs
        layers.append(nn.Conv2d(inputs, 1, 4, 1, 1))
        self.layers = nn.Sequential(*layers)

    def forward(self, L: Tensor, ab: Tensor) -> Tensor:
        """L [B,1,H,W] and ab/110 [B,2,H,W] -> unbounded scores [B,1,h,w], higher = more real."""
        return cast(Tensor, self.layers(torch.cat([L, ab], 1)))
