"""MobileNetV2 (Sandler et al. 2018) as a feature pyramid, batch normalization folded in."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_core.errors import ModelError
from colorize_core.model.depthwise import Conv

# (expansion, channels, repeats, stride) of the inverted-residual groups, table 2 of the paper.
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
PYRAMID_CHANNELS = (16, 24, 32, 96, 320)  # at 1/2, 1/4, 1/8, 1/16, 1/32
SEMANTIC_CHANNELS = 1280
_PYRAMID_ENDS = (0, 2, 5, 12, 16)  # index of the last block at each scale


class SameConv(Conv):
    """3x3 convolution with TensorFlow's "SAME" padding, whose stride 2 pads right and bottom only.

    At stride 2 the kernel is 4x4 with padding 1 and starts with a zero row and column: the same
    function without a padded copy of the input.
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, 3 if stride == 1 else 4, stride, 1, groups=groups)


class Pointwise(nn.Conv2d):
    """1x1 convolution as one matrix product over the pixels.

    On CPUs this is 2-3 times faster than the general convolution, which copies its input at small
    batches. The output is a view: an in-place activation on it would cost a copy in the backward
    pass.
    """

    def __init__(self, inputs: int, outputs: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W] -> [B,outputs,H,W], channels last in memory."""
        y: Tensor = F.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias)
        return y.permute(0, 3, 1, 2)


def relu(x: Tensor, *, most: float | None = None) -> Tensor:
    """max(x, 0), and at most `most`; overwrites x unless autograd would pay for that."""
    if torch.is_grad_enabled():
        return F.relu(x) if most is None else F.hardtanh(x, 0.0, most)
    return x.clamp_(0.0, most)


class InvertedResidual(nn.Module):
    """1x1 expansion, 3x3 depthwise, 1x1 projection without activation."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = Pointwise(inputs, hidden) if expansion > 1 else None
        self.depthwise = SameConv(hidden, hidden, stride=stride, groups=hidden)
        self.project = Pointwise(hidden, outputs)
        self.is_residual = stride == 1 and inputs == outputs

    def hidden(self, x: Tensor) -> Tensor:
        """What the projection reads: [B,inputs,H,W] -> [B,hidden,H/stride,W/stride]."""
        y: Tensor = x if self.expand is None else relu(self.expand(x), most=6.0)
        return F.relu6(self.depthwise(y), inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """[B,inputs,H,W] -> [B,outputs,H/stride,W/stride]."""
        y: Tensor = self.project(self.hidden(x))
        return x + y if self.is_residual else y


class MobileNetV2(nn.Module):
    """Encoder of gray or color pictures, sRGB-encoded in [-1,1]; L/50-1 is close enough to gray."""

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__()
        self.stem = SameConv(in_channels, 32, stride=2)
        blocks: list[nn.Module] = []
        width = 32
        for expansion, channels, repeats, stride in GROUPS:
            for i in range(repeats):
                blocks.append(
                    InvertedResidual(
                        width, channels, expansion=expansion, stride=stride if i == 0 else 1
                    )
                )
                width = channels
        self.blocks = nn.ModuleList(blocks)
        self.semantic = Pointwise(width, SEMANTIC_CHANNELS)

    def freeze(self, blocks: int) -> None:
        """Keep the stem and the first `blocks` blocks as they are; with all 17, everything."""
        parts = [self.stem, *self.blocks[:blocks]]
        if blocks >= len(self.blocks):
            parts.append(self.semantic)
        for part in parts:
            part.requires_grad_(False)

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 with PYRAMID_CHANNELS channels."""
        # The 1x1 convolutions read pixel by pixel; from channels first each would copy its input.
        x = F.relu6(self.stem(x.contiguous(memory_format=torch.channels_last)), inplace=True)
        found = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in _PYRAMID_ENDS:
                found.append(x)
        return found

    def describe(self, deepest: Tensor) -> Tensor:
        """What is in the picture: [B,320,h,w] -> [B,1280], the features its classifier reads."""
        return F.relu6(self.semantic(deepest)).mean((2, 3))

    def recognize(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """`pyramid` and what `describe` makes of its deepest level."""
        found = self.pyramid(x)
        return found, self.describe(found[-1])


def load_imagenet(encoder: MobileNetV2, path: Path) -> None:
    """Fill `encoder` from a state dict with keys conv0..conv51 (.weight, .bias) in forward order.

    A gray encoder's stem is the sum of the color stem over R, G and B: the same function for R = G
    = B.

    Raises:
        ModelError: the file is missing, is no such state dict, or a shape differs.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise ModelError(
            f"{path}: encoder weights cannot be read: {error}", remedy="check encoder_weights"
        ) from error
    layers = [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
    for i, layer in enumerate(layers):
        try:
            weight, bias = state[f"conv{i}.weight"].float(), state[f"conv{i}.bias"].float()
        except KeyError as error:
            raise ModelError(f"{path}: has no {error}") from error
        if i == 0 and layer.in_channels == 1:
            weight = weight.sum(1, keepdim=True)
        if layer.kernel_size == (4, 4):
            weight = F.pad(weight, (1, 0, 1, 0))
        if weight.shape != layer.weight.shape:
            raise ModelError(f"{path}: conv{i} is {tuple(weight.shape)}, not MobileNetV2 1.0")
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)  # type: ignore[union-attr]
