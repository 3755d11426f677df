"""Perceptual and style losses after Johnson et al. 2016, on a network that a file brings."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_core.color.lab import lab_to_rgb
from colorize_core.errors import ModelError
from colorize_core.model.encoder import MobileNetV2, load_imagenet
from colorize_core.model.scale import net_to_ab, net_to_L
from colorize_core.training.workers import mean_over_workers

_VGG_MEAN = (123.68, 116.78, 103.94)  # of RGB*255; no division by a deviation
_VGG_LAYERS = ((0, 2), (5, 7), (10,))  # convolutions between the poolings, up to conv3_1


class VggFeatures(nn.Module):
    """VGG19 (Simonyan & Zisserman 2015) up to relu3_1."""

    mean: Tensor

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict()
        for index in (i for group in _VGG_LAYERS for i in group):
            weight = state[f"features.{index}.weight"].float()
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            layer.load_state_dict(
                {"weight": weight, "bias": state[f"features.{index}.bias"].float()}
            )
            self.convolutions[str(index)] = layer
        self.register_buffer("mean", torch.tensor(_VGG_MEAN).view(1, 3, 1, 1))

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """RGB [B,3,H,W] in [0,1] -> features after relu1_2, relu2_2 and relu3_1."""
        x = rgb * 255 - self.mean
        found = []
        for i, group in enumerate(_VGG_LAYERS):
            x = F.max_pool2d(x, 2) if i else x
            for index in group:
                x = F.relu(self.convolutions[str(index)](x))
            found.append(x)
        return found


class MobileNetFeatures(nn.Module):
    """MobileNetV2 on color, at 1/4 .. 1/32: a twentieth of VGG19's cost."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.net = MobileNetV2(in_channels=3)
        load_imagenet(self.net, path)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """RGB [B,3,H,W] in [0,1], sides multiples of 32 -> features at 1/4, 1/8, 1/16 and 1/32."""
        return self.net.pyramid(rgb * 2 - 1)[1:]


class PerceptualLoss(nn.Module):
    """Distances between the features of two colorings of one picture; the network never changes.

    Args:
        path: VGG19 (keys features.N) or MobileNetV2 (keys convN) state dict.

    Raises:
        ModelError: the file cannot be read or is neither.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.features = (
                VggFeatures(state) if "features.0.weight" in state else MobileNetFeatures(path)
            )
        except (OSError, RuntimeError, ValueError, EOFError, KeyError, UnpicklingError) as error:
            raise ModelError(
                f"{path}: perceptual weights cannot be read: {error}",
                remedy="check perceptual_weights",
            ) from error
        self.requires_grad_(False).eval()

    def forward(self, L: Tensor, predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Network-scaled L [B,1,H,W] and ab [B,2,H,W] -> (perceptual, style), scale-free.

        Style compares the batch as a whole: how much of everything there is, wherever it stands.
        """
        with torch.no_grad():
            wanted = self.features(net_rgb(L, target))
        found = self.features(net_rgb(L, predicted))
        pairs = [(f.float(), w.float()) for f, w in zip(found, wanted, strict=True)]
        content = [(f - w).abs().mean() / _size(w) for f, w in pairs]
        grams = [(mean_over_workers(_gram(f)), mean_over_workers(_gram(w))) for f, w in pairs]
        style = [(f - w).abs().mean() / _size(w) for f, w in grams]
        return torch.stack(content).mean(), torch.stack(style).mean()

    def train(self, mode: bool = True) -> PerceptualLoss:  # noqa: ARG002 - torch names it
        """Stay in eval whatever the module around does."""
        return super().train(False)


def net_rgb(L: Tensor, ab: Tensor) -> Tensor:
    """Network-scaled L [B,1,H,W] and ab [B,2,H,W] -> RGB [B,3,H,W] in [0,1]."""
    rgb: Tensor = lab_to_rgb(torch.cat([net_to_L(L), net_to_ab(ab)], 1))
    return rgb


def _gram(features: Tensor) -> Tensor:
    """[B,C,h,w] -> [C,C] of the whole batch: what there is, not in which picture."""
    flat = features.transpose(0, 1).flatten(1)
    with torch.autocast(flat.device.type, enabled=False):
        gram: Tensor = flat @ flat.T / flat.shape[1]
    return gram


def _size(wanted: Tensor) -> Tensor:
    return mean_over_workers(wanted.abs().mean()).clamp_min(1e-6)
