"""Pretrained encoders as feature pyramids, batch normalization folded in.

MobileNetV2 (Sandler et al. 2018), and EfficientNet-Lite2 (Tan & Le 2019, Lite: ReLU6, no
squeeze-and-excitation) which is twice as costly and recognizes more of a gray picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_core.config import EncoderName
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
SEMANTIC_CHANNELS = 1280  # features that the classifiers of both networks read
_STEM = 32
# (kernel, expansion, channels, repeats, stride): EfficientNet-B0's groups, widths x 1.1 to a
# multiple of 8 and repeats x 1.2 rounded up but for the first and last, as in Lite2.
_LITE2 = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 3, 2),
    (5, 6, 48, 3, 2),
    (3, 6, 88, 4, 2),
    (5, 6, 120, 4, 1),
    (5, 6, 208, 5, 2),
    (3, 6, 352, 1, 1),
)
_LITE2_EPSILON = 1e-3  # of its batch normalization
# Lite2 reads (255 x - 127) / 128, and we give it 2 x - 1.
_LITE2_SCALE, _LITE2_SHIFT = 127.5 / 128, 0.5 / 128


class SameConv(Conv):
    """3x3 or 5x5 convolution with TensorFlow's "SAME" padding, at stride 2 less left and on top.

    At stride 2 the kernel is larger by one and starts with a zero row and column: the same
    function without a padded copy of the input.
    """

    def __init__(
        self, inputs: int, outputs: int, *, kernel: int = 3, stride: int = 1, groups: int = 1
    ) -> None:
        side = kernel if stride == 1 else kernel + 1
        super().__init__(inputs, outputs, side, stride, kernel // 2, groups=groups)


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
    """1x1 expansion, 3x3 or 5x5 depthwise, 1x1 projection without activation."""

    def __init__(
        self, inputs: int, outputs: int, *, expansion: int, stride: int, kernel: int = 3
    ) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = Pointwise(inputs, hidden) if expansion > 1 else None
        self.depthwise = SameConv(hidden, hidden, kernel=kernel, stride=stride, groups=hidden)
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


class Encoder(nn.Module):
    """Inverted-residual network over gray or color pictures, sRGB-encoded in [-1,1].

    L/50-1 is close enough to gray.

    Args:
        groups: (kernel, expansion, channels, repeats, stride) of its blocks; the first block of a
            group has the stride.
        in_channels: 1 or 3.
    """

    def __init__(
        self, groups: Sequence[tuple[int, int, int, int, int]], in_channels: int = 1
    ) -> None:
        super().__init__()
        self.stem = SameConv(in_channels, _STEM, stride=2)
        blocks: list[nn.Module] = []
        widths: list[int] = []  # of every block's output
        ends: list[int] = []  # the last block at each scale
        width = _STEM
        for kernel, expansion, channels, repeats, stride in groups:
            if stride > 1:
                ends.append(len(blocks) - 1)
            for i in range(repeats):
                blocks.append(
                    InvertedResidual(
                        width,
                        channels,
                        expansion=expansion,
                        stride=stride if i == 0 else 1,
                        kernel=kernel,
                    )
                )
                width = channels
                widths.append(width)
        self._ends = (*ends, len(blocks) - 1)
        self.channels = tuple(widths[i] for i in self._ends)  # at 1/2, 1/4, 1/8, 1/16, 1/32
        self.blocks = nn.ModuleList(blocks)
        self.semantic = Pointwise(width, SEMANTIC_CHANNELS)

    def pretrained(self, state: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """Weight and bias of each convolution in forward order, for RGB in [-1,1].

        Raises:
            KeyError: `state` is of another network.
        """
        raise NotImplementedError

    def freeze(self, blocks: int) -> None:
        """Keep the stem and the first `blocks` blocks as they are; with all 17, everything."""
        parts = [self.stem, *self.blocks[:blocks]]
        if blocks >= len(self.blocks):
            parts.append(self.semantic)
        for part in parts:
            part.requires_grad_(False)

    def pyramid(self, x: Tensor) -> list[Tensor]:
        """Features at 1/2, 1/4, 1/8, 1/16 and 1/32 with `channels` channels."""
        # The 1x1 convolutions read pixel by pixel; from channels first each would copy its input.
        x = F.relu6(self.stem(x.contiguous(memory_format=torch.channels_last)), inplace=True)
        found = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self._ends:
                found.append(x)
        return found

    def describe(self, deepest: Tensor) -> Tensor:
        """What is in the picture: [B,C,h,w] -> [B,1280], the features its classifier reads."""
        return F.relu6(self.semantic(deepest)).mean((2, 3))

    def recognize(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """`pyramid` and what `describe` makes of its deepest level."""
        found = self.pyramid(x)
        return found, self.describe(found[-1])


class MobileNetV2(Encoder):
    """3.5 million parameters; 0.3 billion multiplications at 224x224."""

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__([(3, *group) for group in GROUPS], in_channels)

    def pretrained(self, state: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """From keys conv0..conv51 (.weight, .bias), batch normalization folded in."""
        for i in range(len(_convolutions(self))):
            yield state[f"conv{i}.weight"].float(), state[f"conv{i}.bias"].float()


class EfficientNetLite2(Encoder):
    """4.8 million parameters; 0.64 billion multiplications at 224x224."""

    def __init__(self, in_channels: int = 1) -> None:
        super().__init__(_LITE2, in_channels)

    def pretrained(self, state: Mapping[str, Tensor]) -> Iterator[tuple[Tensor, Tensor]]:
        """From the keys of efficientnet-lite-pytorch, whose batch normalization is folded here."""

        def folded(convolution: str, norm: str) -> tuple[Tensor, Tensor]:
            weight = state[f"{convolution}.weight"].double()
            scale, bias, mean, variance = (
                state[f"{norm}.{key}"].double()
                for key in ("weight", "bias", "running_mean", "running_var")
            )
            scale = scale / (variance + _LITE2_EPSILON).sqrt()
            return (weight * scale[:, None, None, None]).float(), (bias - mean * scale).float()

        weight, bias = folded("_conv_stem", "_bn0")
        yield weight * _LITE2_SCALE, bias + _LITE2_SHIFT * weight.sum((1, 2, 3))
        for i, block in enumerate(self.blocks):
            assert isinstance(block, InvertedResidual)
            layers = [("_expand_conv", "_bn0")] if block.expand is not None else []
            for name, norm in (*layers, ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2")):
                yield folded(f"_blocks.{i}.{name}", f"_blocks.{i}.{norm}")
        yield folded("_conv_head", "_bn1")


_ENCODERS: dict[EncoderName, type[MobileNetV2] | type[EfficientNetLite2]] = {
    "mobilenet_v2": MobileNetV2,
    "efficientnet_lite2": EfficientNetLite2,
}


def build_encoder(name: EncoderName, in_channels: int = 1) -> Encoder:
    """The encoder that a configuration names, randomly initialized."""
    return _ENCODERS[name](in_channels)


def load_imagenet(encoder: Encoder, path: Path) -> None:
    """Fill `encoder` from a state dict of its own network, see `pretrained` of its class.

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
    network = type(encoder).__name__
    try:
        found = list(encoder.pretrained(state))
    except KeyError as error:
        raise ModelError(f"{path}: has no {error}, so is not {network}") from error
    for i, (layer, (weight, bias)) in enumerate(zip(_convolutions(encoder), found, strict=True)):
        if i == 0 and layer.in_channels == 1:
            weight = weight.sum(1, keepdim=True)
        if layer.kernel_size[0] == weight.shape[-1] + 1:
            weight = F.pad(weight, (1, 0, 1, 0))
        if weight.shape != layer.weight.shape:
            raise ModelError(f"{path}: convolution {i} is {tuple(weight.shape)}, not {network}'s")
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)  # type: ignore[union-attr]


def _convolutions(encoder: Encoder) -> list[nn.Conv2d]:
    return [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]
