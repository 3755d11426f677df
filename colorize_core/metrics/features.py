"""Networks whose features the set distances compare."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.errors import ModelError
from colorize_core.metrics.networks import first_line, load_script, load_tensors, strictly

# In, squeezed and expanded channels of SqueezeNet 1.1's fire2 to fire9 (Iandola et al. 2016).
_FIRES: Final = (
    (64, 16, 64),
    (128, 16, 64),
    (128, 32, 128),
    (256, 32, 128),
    (256, 48, 192),
    (384, 48, 192),
    (384, 64, 256),
    (512, 64, 256),
)
_POOLED_BEFORE: Final = (2, 4, 6)  # 3x3 stride 2 max pools before fire2, fire4 and fire6
_BGR_MEAN: Final = (104.0, 117.0, 123.0)
_SIDE: Final = 227


class SqueezeNet:
    """Mean over the picture of SqueezeNet 1.1's last layer before classification, 512 numbers.

    The file is a state dict with the Caffe names conv1, fireN/squeeze1x1, fireN/expand1x1,
    fireN/expand3x3, conv10.

    Args:
        path: of the file.
        device: where it runs; results come back to the CPU.

    Raises:
        ModelError: not this network.
    """

    def __init__(self, path: Path, device: torch.device | str = "cpu") -> None:
        self._device = device
        tensors = load_tensors(path)
        strictly(tensors, _squeezenet_shapes(), path)
        self._tensors = {name: tensor.to(device) for name, tensor in tensors.items()}

    @torch.inference_mode()
    def features(self, rgb: Tensor) -> Tensor:
        """Features [B,512] of sRGB [B,3,H,W] in [0,1]."""
        x = rgb.to(self._device).float() * 255.0
        x = F.interpolate(x, (_SIDE, _SIDE), mode="bilinear", antialias=True)
        x = x.flip(1) - torch.tensor(_BGR_MEAN, device=x.device).view(1, 3, 1, 1)
        x = self._conv(x, "conv1", stride=2)
        for number in range(2, 10):
            if number in _POOLED_BEFORE:
                x = F.max_pool2d(x, 3, 2, ceil_mode=True)
            squeezed = self._conv(x, f"fire{number}/squeeze1x1")
            one = self._conv(squeezed, f"fire{number}/expand1x1")
            three = self._conv(squeezed, f"fire{number}/expand3x3", padding=1)
            x = torch.cat((one, three), 1)
        return x.mean((2, 3)).cpu()

    def _conv(self, x: Tensor, name: str, *, stride: int = 1, padding: int = 0) -> Tensor:
        weight, bias = self._tensors[f"{name}.weight"], self._tensors[f"{name}.bias"]
        return F.relu(F.conv2d(x, weight, bias, stride, padding))


def _squeezenet_shapes() -> dict[str, tuple[int, ...]]:
    convolutions = {"conv1": (64, 3, 3, 3), "conv10": (1000, 512, 1, 1)}
    for number, (channels, squeezed, expanded) in enumerate(_FIRES, start=2):
        convolutions[f"fire{number}/squeeze1x1"] = (squeezed, channels, 1, 1)
        convolutions[f"fire{number}/expand1x1"] = (expanded, squeezed, 1, 1)
        convolutions[f"fire{number}/expand3x3"] = (expanded, squeezed, 3, 3)
    return {
        f"{name}.{part}": shape if part == "weight" else shape[:1]
        for name, shape in convolutions.items()
        for part in ("weight", "bias")
    }


class Inception:
    """Inception v3 as FID and IS use it, from NVIDIA's TorchScript form of inception-2015-12-05.

    The script takes pictures of any size in 0..255, resizes them to 299 as TensorFlow 1 did and
    scales them itself.

    Args:
        path: of the file.
        device: where it runs; results come back to the CPU.

    Raises:
        ModelError: not TorchScript, or a script with other arguments or results.
    """

    num_features = 2048

    def __init__(self, path: Path, device: torch.device | str = "cpu") -> None:
        self._path, self._device = path, device
        self._script = load_script(path).to(device)

    @torch.inference_mode()
    def features(self, rgb: Tensor) -> Tensor:
        """Pool3 features [B,2048] of sRGB [B,3,H,W] in [0,1]."""
        return self._call(rgb, "return_features", self.num_features)

    @torch.inference_mode()
    def probabilities(self, rgb: Tensor) -> Tensor:
        """Class probabilities [B,1008] (logits without bias, as IS is defined)."""
        values = self._call(rgb, "no_output_bias", None)
        if values.amin() < 0 or (values.sum(1) - 1).abs().amax() > 1e-2:
            raise ModelError(f"{self._path}: its output is not a probability per class")
        return values

    def _call(self, rgb: Tensor, option: str, width: int | None) -> Tensor:
        pixels = (rgb.to(self._device).float() * 255.0).round()
        try:
            values = self._script(pixels, **{option: True})
        except RuntimeError as error:
            raise ModelError(
                f"{self._path}: not the Inception script: {first_line(error)}",
                remedy=f"its forward must take pictures in 0..255 and {option}=True",
            ) from error
        if (
            not isinstance(values, Tensor)
            or values.ndim != 2
            or width not in (None, values.shape[1])
        ):
            raise ModelError(f"{self._path}: its output is not [B, {width or 'classes'}]")
        return values.float().cpu()
