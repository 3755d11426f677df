"""LPIPS on a backbone that the user supplies, with the file's linear heads or torchmetrics'."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import torch
import torchmetrics
from torch import Tensor, nn

from colorize_core.errors import ModelError
from colorize_core.metrics.networks import load_tensors, strictly

LpipsNet = Literal["alex", "vgg"]

# Output channels of VGG16's 3x3 convolutions, "M" is a 2x2 max pool; layers as in torchvision.
_VGG16: Final = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512)
_TAPS: Final = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}  # ReLUs compared
_SHIFT: Final = (-0.030, -0.088, -0.188)
_SCALE: Final = (0.458, 0.448, 0.450)
_EPSILON: Final = 1e-8


def backbone(net: LpipsNet) -> nn.Sequential:
    """The convolutional part of torchvision's alexnet or vgg16, without weights."""
    if net == "alex":
        return nn.Sequential(
            nn.Conv2d(3, 64, 11, 4, 2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
        )
    layers: list[nn.Module] = []
    channels = 3
    for entry in _VGG16:
        if isinstance(entry, str):
            layers.append(nn.MaxPool2d(2))
        else:
            layers += [nn.Conv2d(channels, entry, 3, padding=1), nn.ReLU()]
            channels = entry
    return nn.Sequential(*layers)


class Lpips(nn.Module):
    """Learned perceptual distance (Zhang et al. 2018), version 0.1, per picture.

    Args:
        net: "alex" (the usual one for reporting) or "vgg".
        path: torchvision's state dict of that network; classifier layers in it are left out. The
            heads may be in it too, as lin0 to lin4 [C]; otherwise they are torchmetrics'.
        device: where it runs; results come back to the CPU.

    Raises:
        ModelError: the file is another network, has some heads and not all, or torchmetrics does
            not bring them.
    """

    def __init__(self, net: LpipsNet, path: Path, device: torch.device | str = "cpu") -> None:
        super().__init__()
        self._taps = _TAPS[net]
        self.layers = backbone(net)
        found = load_tensors(path)
        tensors = {
            name.removeprefix("features."): value
            for name, value in found.items()
            if name.startswith("features.")
        }
        shapes = {name: tuple(value.shape) for name, value in self.layers.state_dict().items()}
        strictly(tensors, shapes, path)
        self.layers.load_state_dict(tensors)
        self.to(device).eval()
        self._device = device
        own = {name: value for name, value in found.items() if name.startswith("lin")}
        heads = _own_heads(own, net, path) if own else _heads(net)
        self._heads = [head.to(device) for head in heads]

    @torch.inference_mode()
    def forward(self, output: Tensor, truth: Tensor) -> Tensor:
        """LPIPS [B] between sRGB [B,3,H,W] in [0,1]."""
        total = torch.zeros(output.shape[0], device=self._device)
        a, b = _scaled(output.to(self._device)), _scaled(truth.to(self._device))
        heads = iter(self._heads)
        for index, layer in enumerate(self.layers):
            a, b = layer(a), layer(b)
            if index in self._taps:
                difference = (_unit(a) - _unit(b)).square()
                total = total + (difference * next(heads)).sum(1).mean((1, 2))
        return total.cpu()


def _own_heads(tensors: dict[str, Tensor], net: LpipsNet, path: Path) -> list[Tensor]:
    """Weights [1,C,1,1] of the five heads lin0 to lin4 of the user's file."""
    widths = [layer.out_channels for layer in backbone(net) if isinstance(layer, nn.Conv2d)]
    # Each head compares the ReLU behind a convolution.
    compared = [widths[_convolutions_until(net, tap) - 1] for tap in _TAPS[net]]
    strictly(tensors, {f"lin{i}": (width,) for i, width in enumerate(compared)}, path)
    return [tensors[f"lin{i}"].view(1, -1, 1, 1) for i in range(len(compared))]


def _convolutions_until(net: LpipsNet, index: int) -> int:
    return sum(isinstance(layer, nn.Conv2d) for layer in list(backbone(net))[:index])


def _heads(net: LpipsNet) -> list[Tensor]:
    """Weights [1,C,1,1] of the five linear heads, from torchmetrics' package."""
    folder = Path(torchmetrics.__file__).parent / "functional" / "image" / "lpips_models"
    path = folder / f"{net}.pth"
    if not path.is_file():
        raise ModelError(
            f"{path}: torchmetrics brings no LPIPS heads here", remedy="install torchmetrics 1.9"
        )
    tensors = load_tensors(path)
    return [tensors[f"lin{i}.model.1.weight"] for i in range(len(_TAPS[net]))]


def _scaled(rgb: Tensor) -> Tensor:
    shift = torch.tensor(_SHIFT, device=rgb.device).view(1, 3, 1, 1)
    scale = torch.tensor(_SCALE, device=rgb.device).view(1, 3, 1, 1)
    return (rgb.float() * 2.0 - 1.0 - shift) / scale


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True) + _EPSILON).sqrt()
