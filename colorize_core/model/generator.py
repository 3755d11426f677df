"""Generators: L in, ab out. `flagship` is the one we ship, `paper` the paper's residual U-Net."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_core.config import GeneratorConfig
from colorize_core.model.depthwise import Conv
from colorize_core.model.encoder import SEMANTIC_CHANNELS, Pointwise, build_encoder, relu
from colorize_core.model.paper import PaperUNet

HINT_CHANNELS = 3  # a/110, b/110, mask
_HINT_STRIDE = 4
_HINT_SCALE = 5.0  # ab/110 of a photo is about .15: this brings a hint's color to the mask's size
_KEPT_CHROMA = 2 / 11  # 20 in Lab: what `chroma_contrast` neither lifts nor lowers


def build_generator(config: GeneratorConfig) -> nn.Module:
    """Build the generator that `config` names, randomly initialized.

    Its forward takes L [B,1,H,W] in [-1,1] and, for `flagship`, hints [B,3,H,W] (ab/110 and a 0/1
    mask) or None; it returns ab/110 [B,2,H,W] in [-1,1]. H and W are multiples of 32.
    """
    return PaperUNet(config) if config.architecture == "paper" else FlagshipUNet(config)


class GlobalBlock(nn.Module):
    """Self-attention over all positions, then two 1x1 layers (Vaswani et al. 2017, norm first)."""

    def __init__(self, channels: int, *, heads: int, expansion: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, channels * 3)
        self.attended = nn.Linear(channels, channels)
        self.norm_mlp = nn.LayerNorm(channels)
        self.widen = nn.Linear(channels, channels * expansion)
        self.narrow = nn.Linear(channels * expansion, channels)
        for last in (self.attended, self.narrow):
            nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,h,w] -> the same."""
        b, c, h, w = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(b, h * w, c)
        q, k, v = (
            self.qkv(self.norm_attention(tokens))
            .reshape(b, h * w, 3, self.heads, c // self.heads)
            .permute(2, 0, 3, 1, 4)
        )
        mixed = _attend(q, k, v)
        tokens = tokens + self.attended(mixed.transpose(1, 2).reshape(b, h * w, c))
        tokens = tokens + self.narrow(relu(self.widen(self.norm_mlp(tokens))))
        mapped: Tensor = tokens.reshape(b, h, w, c)
        return mapped.permute(0, 3, 1, 2)


class LocalBlock(nn.Module):
    """5x5 depthwise, then two 1x1 layers, around a skip."""

    def __init__(self, channels: int, *, expansion: int) -> None:
        super().__init__()
        self.depthwise = Conv(channels, channels, 5, padding=2, groups=channels)
        self.widen = Pointwise(channels, channels * expansion)
        self.narrow = Pointwise(channels * expansion, channels)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x: Tensor) -> Tensor:
        """[B,C,H,W] -> the same."""
        return cast(Tensor, x + self.narrow(relu(self.widen(self.depthwise(x)))))


class HintPath(nn.Module):
    """Color hints as additions to the decoder at 1/4 .. 1/32 and to the picture's context.

    No layer before the last ones has a bias, so hints with an empty mask add exactly nothing; the
    last ones start at zero, so an untrained path changes nothing.
    """

    def __init__(
        self, widths: tuple[int, ...], targets: tuple[int, ...], context_channels: int
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.sides = nn.ModuleList()
        inputs = HINT_CHANNELS
        for i, (width, target) in enumerate(zip(widths, targets, strict=True)):
            self.layers.append(
                nn.Conv2d(inputs, width, 3, stride=1 if i == 0 else 2, padding=1, bias=False)
            )
            self.sides.append(_zero(Pointwise(width, target, bias=False)))
            inputs = width
        self.context = _zero(nn.Linear(inputs, context_channels, bias=False))

    def forward(self, hints: Tensor) -> tuple[list[Tensor], Tensor]:
        """Hints [B,3,H,W] -> additions at 1/4, 1/8, 1/16, 1/32 and to the context [B,context]."""
        mask = hints[:, 2:]
        known = F.avg_pool2d(hints[:, :2] * mask, _HINT_STRIDE)
        share = F.avg_pool2d(mask, _HINT_STRIDE)
        known = _HINT_SCALE * known / share.clamp_min(1e-4)
        x = torch.cat([known, (share > 0).to(known.dtype)], 1)
        additions = []
        for layer, side in zip(self.layers, self.sides, strict=True):
            x = F.relu(layer(x))
            additions.append(side(x))
        return additions, self.context(x.mean((2, 3)))


def _zero(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    nn.init.zeros_(layer.weight)
    return layer


class FlagshipUNet(nn.Module):
    """Pretrained encoder, attention at 1/32 and 1/16, residual decoder, ab at 1/2.

    Colors are smooth where luma is not: the last doubling is left to bilinear interpolation here
    and to the luma-guided upsampling of the merge.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        d32, d16, d8, d4, d2 = config.decoder_channels
        heads = config.attention_heads
        self.chroma_contrast = config.chroma_contrast
        self.encoder = build_encoder(config.encoder)
        s2, s4, s8, s16, s32 = self.encoder.channels
        self.context = nn.Linear(SEMANTIC_CHANNELS, d32)
        self.enter = Pointwise(s32, d32)
        self.global32 = nn.Sequential(
            GlobalBlock(d32, heads=heads, expansion=3), GlobalBlock(d32, heads=heads, expansion=3)
        )
        self.up16, self.skip16 = Pointwise(d32, d16), Pointwise(s16, d16)
        self.global16 = GlobalBlock(d16, heads=heads, expansion=3)
        self.local16 = LocalBlock(d16, expansion=2)
        self.up8, self.skip8 = Pointwise(d16, d8), Pointwise(s8, d8)
        self.local8 = nn.Sequential(LocalBlock(d8, expansion=3), LocalBlock(d8, expansion=3))
        self.up4, self.skip4 = Pointwise(d8, d4), Pointwise(s4, d4)
        self.local4 = LocalBlock(d4, expansion=2)
        self.up2, self.skip2 = Pointwise(d4, d2), Pointwise(s2, d2)
        self.mix2 = nn.Conv2d(d2, d2, 3, padding=1, groups=d2)
        self.head = nn.Conv2d(d2, 2, 3, padding=1)
        self.context16, self.context8, self.context4 = (
            nn.Linear(d32, width) for width in (d16, d8, d4)
        )
        self.hints = HintPath(config.hint_channels, (d4, d8, d16, d32), d32)
        with torch.no_grad():
            self.head.weight.mul_(0.02)

    @property
    def first_encoder_weight(self) -> nn.Parameter:
        """The weight every gradient must reach."""
        return cast(nn.Parameter, self.encoder.stem.weight)

    def encoder_parameters(self) -> list[nn.Parameter]:
        """Parameters that start pretrained and are trained on."""
        return [p for p in self.encoder.parameters() if p.requires_grad]

    def forward(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """See `build_generator`."""
        return self.color(*self.encoder.recognize(L), hints)

    def color(
        self, pyramid: list[Tensor], described: Tensor, hints: Tensor | None = None
    ) -> Tensor:
        """The same from what the encoder recognizes."""
        s2, s4, s8, s16, s32 = pyramid
        context = self.context(described)
        hint4 = hint8 = hint16 = hint32 = None
        if hints is not None:
            (hint4, hint8, hint16, hint32), hint_context = self.hints(hints)
            context = context + hint_context
        context = F.relu(context)

        x = _add(self.enter(s32) + context[:, :, None, None], hint32)
        x = self.global32(x)
        x = _up(self.up16(x) + self.context16(context)[:, :, None, None]) + self.skip16(s16)
        x = self.local16(self.global16(_add(x, hint16)))
        x = _up(self.up8(x) + self.context8(context)[:, :, None, None]) + self.skip8(s8)
        x = self.local8(_add(x, hint8))
        x = _up(self.up4(x) + self.context4(context)[:, :, None, None]) + self.skip4(s4)
        x = self.local4(_add(x, hint4))
        x = relu(_up(self.up2(x)) + self.skip2(s2))
        x = relu(x + self.mix2(x))
        return raise_chroma(torch.tanh(_up(self.head(x))), self.chroma_contrast)


def raise_chroma(ab: Tensor, exponent: float) -> Tensor:
    """Raise the chroma of ab/110 [B,2,H,W] to a power, hues kept.

    The mean of what a place may be has a little of every color: where a generator does not know, it
    is timid. An exponent above 1 makes that grayer and the rest more vivid (decision 0008).
    """
    if exponent == 1.0:
        return ab
    chroma = ab.square().sum(1, keepdim=True).clamp_min(1e-8).sqrt()
    return (ab * (chroma / _KEPT_CHROMA).pow(exponent - 1)).clamp(-1, 1)


def _attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Scaled dot-product attention: queries, keys, values [B,heads,n,c] -> [B,heads,n,c]."""
    if q.device.type != "cpu" or not torch.is_grad_enabled():
        return F.scaled_dot_product_attention(q, k, v)
    # On CPUs the fused backward pass takes three times as long as that of the plain products.
    share = torch.softmax(q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2), -1)
    return share.to(v.dtype) @ v


def _up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def _add(x: Tensor, addition: Tensor | None) -> Tensor:
    return x if addition is None else x + addition
