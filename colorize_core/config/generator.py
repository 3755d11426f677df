"""Settings of the generator's shape."""

from __future__ import annotations

from typing import Annotated, Literal

from colorize_core.config.settings import Settings, about, require

EncoderName = Literal["mobilenet_v2", "efficientnet_lite2"]


class GeneratorConfig(Settings, frozen=True):
    """Which generator is built. It travels inside the weights file."""

    architecture: Annotated[
        Literal["paper", "flagship"],
        about("the paper's U-Net, or a pretrained encoder with a residual decoder"),
    ] = "flagship"
    base_channels: Annotated[int, about("paper: channels of the first layer", ge=1)] = 64
    max_channels: Annotated[int, about("paper: most channels of a layer", ge=1)] = 512
    depth: Annotated[int, about("paper: halvings of the side", ge=1, le=5)] = 5
    residual_blocks: Annotated[int, about("paper: residual blocks at the bottom", ge=0)] = 2
    instance_norm: Annotated[bool, about("paper: normalize each picture's channels")] = False
    encoder: Annotated[EncoderName, about("flagship: the pretrained encoder")] = "mobilenet_v2"
    decoder_channels: Annotated[
        tuple[int, ...],
        about("flagship: widths of the decoder at 1/32, 1/16, 1/8, 1/4 and 1/2 of the side"),
    ] = (256, 192, 96, 64, 32)
    attention_heads: Annotated[
        int,
        about("flagship: heads of the attention at 1/32 and 1/16; a divisor of both widths", ge=1),
    ] = 4
    hint_channels: Annotated[
        tuple[int, ...], about("flagship: widths of the hints' path at 1/4, 1/8, 1/16 and 1/32")
    ] = (32, 64, 96, 128)
    chroma_contrast: Annotated[
        float,
        about(
            "flagship: exponent of the output's chroma: above 1, timid colors get grayer, "
            "sure ones more vivid",
            ge=1,
            le=2,
        ),
    ] = 1.0

    def _check(self) -> None:
        require(
            self.max_channels >= self.base_channels,
            "base_channels",
            self.base_channels,
            "1 to max_channels",
        )
        require(
            len(self.decoder_channels) == 5, "decoder_channels", self.decoder_channels, "5 widths"
        )
        require(
            self.chroma_contrast == 1 or self.architecture == "flagship",
            "chroma_contrast",
            self.chroma_contrast,
            "1 with the paper's generator",
        )
        require(len(self.hint_channels) == 4, "hint_channels", self.hint_channels, "4 widths")
        require(
            all(c % self.attention_heads == 0 for c in self.decoder_channels[:2]),
            "attention_heads",
            self.attention_heads,
            "a divisor of the first two decoder widths",
        )
