"""The paper's generator: a residual U-Net, pix2pix family."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from colorize_core.config import GeneratorConfig
from colorize_core.errors import ModelError


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a skip."""

    def __init__(self, channels: int, *, instance_norm: bool) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1),
            _norm(channels, instance_norm),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            _norm(channels, instance_norm),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> the same."""
        return cast(Tensor, x + self.body(x))


def _norm(channels: int, instance_norm: bool) -> nn.Module:
    return nn.InstanceNorm2d(channels) if instance_norm else nn.Identity()


class PaperUNet(nn.Module):
    """Strided encoder, residual blocks, transposed-convolution decoder, skips concatenated."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        widths = [
            min(config.base_channels * 2**i, config.max_channels) for i in range(config.depth)
        ]
        self.down = nn.ModuleList()
        for i, width in enumerate(widths):
            normed = config.instance_norm and i > 0
            self.down.append(
                nn.Sequential(
                    nn.Conv2d(widths[i - 1] if i else 1, width, 4, 2, 1),
                    _norm(width, normed),
                    nn.LeakyReLU(0.2),
                )
            )
        self.middle = nn.Sequential(
            *(
                ResidualBlock(widths[-1], instance_norm=config.instance_norm)
                for _ in range(config.residual_blocks)
            )
        )
        self.up = nn.ModuleList()
        inputs = widths[-1]
        for width in reversed(widths[:-1]):
            self.up.append(
                nn.Sequential(
                    nn.ConvTranspose2d(inputs, width, 4, 2, 1),
                    _norm(width, config.instance_norm),
                    nn.ReLU(),
                )
            )
            inputs = width * 2
        self.head = nn.ConvTranspose2d(inputs, 2, 4, 2, 1)

    @property
    def first_encoder_weight(self) -> nn.Parameter:
        """The weight every gradient must reach."""
        return cast(nn.Parameter, self.down[0][0].weight)  # type: ignore[index]

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters that start pretrained: none here."""
        return []

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """See `generator.build_generator`.

        Raises:
            ModelError: hints were given; this architecture takes none.
        """
        if hints is not None:
            raise ModelError(
                "the paper's generator takes no color hints", remedy="use the flagship weights"
            )
        x, skips = L, []
        for down in self.down:
            x = down(x)
            skips.append(x)
        x = self.middle(x)
        for up, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = torch.cat([up(x), skip], 1)
        return torch.tanh(self.head(x))
