"""Generators and how they are trained."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from colorize_core.config.loading import require


@dataclass(frozen=True)
class GeneratorConfig:
    """Which generator is built. It travels inside the weights file."""

    architecture: Literal["paper", "flagship"] = "flagship"
    # paper: strided-convolution U-Net
    base_channels: int = 64
    max_channels: int = 512
    depth: int = 5  # halvings of the side
    residual_blocks: int = 2  # at the bottom
    instance_norm: bool = False
    # flagship: MobileNetV2 encoder, residual decoder
    decoder_channels: tuple[int, ...] = (256, 192, 96, 64, 32)  # at 1/32, 1/16, 1/8, 1/4, 1/2
    attention_heads: int = 4
    hint_channels: tuple[int, ...] = (32, 64, 96, 128)  # at 1/4, 1/8, 1/16, 1/32
    # Exponent of the output's chroma: above 1 what is timid gets grayer, what is sure more vivid.
    chroma_contrast: float = 1.0

    def __post_init__(self) -> None:
        require(1 <= self.depth <= 5, "depth", self.depth, "1 to 5")
        require(
            self.base_channels >= 1 and self.max_channels >= self.base_channels,
            "base_channels",
            self.base_channels,
            "1 to max_channels",
        )
        require(self.residual_blocks >= 0, "residual_blocks", self.residual_blocks, "0 or more")
        require(
            len(self.decoder_channels) == 5, "decoder_channels", self.decoder_channels, "5 widths"
        )
        require(
            (1 <= self.chroma_contrast <= 2 and self.architecture == "flagship")
            or self.chroma_contrast == 1,
            "chroma_contrast",
            self.chroma_contrast,
            "1 to 2, and 1 with the paper's generator",
        )
        require(len(self.hint_channels) == 4, "hint_channels", self.hint_channels, "4 widths")
        require(
            self.attention_heads >= 1
            and all(c % self.attention_heads == 0 for c in self.decoder_channels[:2]),
            "attention_heads",
            self.attention_heads,
            "a divisor of the first two decoder widths",
        )


@dataclass(frozen=True)
class GroupWeight:
    """How often pictures of one group (their first folder, or their archive) are drawn."""

    name: str
    weight: float = 1.0

    def __post_init__(self) -> None:
        require(self.weight > 0, f"weight of {self.name}", self.weight, "above 0")


@dataclass(frozen=True)
class TrainDataConfig:
    """The cache of decoded color photos."""

    cache_sizes: tuple[int, ...] = (64, 128, 256)  # stored squares; a photo takes the best fit
    min_colorfulness: float = 8.0  # grayer photos are dropped and counted
    on_device: bool = False  # keep the whole cache on the device as uint8
    loader_workers: int = 0

    def __post_init__(self) -> None:
        require(
            bool(self.cache_sizes) and list(self.cache_sizes) == sorted(set(self.cache_sizes)),
            "cache_sizes",
            self.cache_sizes,
            "sides in rising order",
        )


@dataclass(frozen=True)
class DegradeConfig:
    """Chance per picture of each old-photo fault of L, and what a crop may be."""

    flip: float = 0.5
    min_crop: float = 1.0  # smallest crop side as a part of the short side; 1 = whole picture
    squeeze: float = 0.0  # chance that the whole picture is squeezed to the square
    paste: float = 0.0  # a rectangle of another photo of the batch lies on the picture
    blur: float = 0.0
    grain: float = 0.0
    fade: float = 0.0
    contrast: float = 0.0
    scratches: float = 0.0
    jpeg: float = 0.0
    border: float = 0.0
    vignette: float = 0.0
    emulsion: float = 0.0  # red, green and blue weighed as another film does


@dataclass(frozen=True)
class LossConfig:
    """Weights of the generator's losses; 0 turns one off."""

    l1: float = 1.0
    smooth_beta: float = 0.0  # smooth-L1 width in ab/110; 0 = plain L1
    chroma_weight: float = 0.0  # extra weight of a pixel per unit of chroma/110
    rebalance: float = 0.0  # 0..1, share of the inverse-frequency weight of the ab bin
    saturation: float = 1.0  # multiplies the target's ab
    distribution: float = 0.0  # of the batch's colors as a whole, see losses.distribution_loss
    perceptual: float = 0.0
    style: float = 0.0  # of the batch as a whole, see perceptual.PerceptualLoss
    recognition: float = 0.0  # the encoder still tells what ImageNet's network tells of the photo
    adversarial: float = 0.0
    gradient_penalty: float = 10.0
    consistency: float = 0.0  # distance to the teachers' output for a shifted copy


@dataclass(frozen=True)
class StageConfig:
    """One stretch of training at one size. `samples` counts what the generator sees."""

    name: str
    size: int
    batch: int  # pictures per step over all workers
    samples: int = 0  # either samples ...
    epochs: int = 0  # ... or passes over the photos
    lr: float = 1e-3
    encoder_lr: float = 2e-4  # of a pretrained encoder
    critic_lr: float = 2e-4
    final_lr: float = 0.02  # part of lr left at the end
    warmup: float = 0.02  # part of the stage
    schedule: Literal["cosine", "constant-linear", "constant"] = "cosine"
    n_critic: int = 0  # critic steps per generator step; 0 = no critic
    critic_start: int = 0  # critic steps before the generator's first step of this stage
    hints: float = 0.0  # part of the batches that carry color hints
    groups: tuple[GroupWeight, ...] = ()  # empty = every photo alike
    min_source: int = 0  # smallest cache size used
    degrade: DegradeConfig = field(default_factory=DegradeConfig)
    loss: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        at = f"stage {self.name}"
        require(
            self.size >= 32 and self.size % 32 == 0, f"{at}: size", self.size, "a multiple of 32"
        )
        require(self.batch >= 1, f"{at}: batch", self.batch, "at least 1")
        require(
            (self.samples > 0) != (self.epochs > 0),
            f"{at}: samples and epochs",
            (self.samples, self.epochs),
            "exactly one of them",
        )
        require(
            (self.loss.adversarial > 0) == (self.n_critic > 0),
            f"{at}: n_critic",
            self.n_critic,
            "a number above 0 if and only if loss.adversarial is above 0",
        )
        # Without hints the generator is the automatic colorizer: that is its first duty.
        require(0 <= self.hints <= 0.5, f"{at}: hints", self.hints, "0 to 0.5")
        require(
            self.loss.consistency == 0 or self.size >= 64,
            f"{at}: size",
            self.size,
            "at least 64 with a consistency loss, which leaves the edges out",
        )


@dataclass(frozen=True)
class OptimizerConfig:
    """Adam for the generator and the critic."""

    beta1: float = 0.9
    beta2: float = 0.99
    weight_decay: float = 0.0
    clip_norm: float = 0.0  # 0 = no clipping
    ema: float = 0.0  # decay per generator step; 0 = none
    precision: Literal["fp32", "bf16"] = "fp32"  # of the generator; the penalty is always fp32


@dataclass(frozen=True)
class CriticConfig:
    """PatchGAN on L and ab together."""

    channels: int = 64
    layers: int = 3  # strided layers; 3 sees 70 x 70 pixels


@dataclass(frozen=True)
class SavingConfig:
    """What is written while training."""

    every_steps: int = 500
    every_epochs: int = 1
    keep: int = 3
    export_epochs: int = 10  # a .pt of the generator every so many epochs
    log_every: int = 50
    page_pictures: int = 20
    page_size: int = 256
    epoch_samples: int = 0  # what counts as one epoch; 0 = one pass over the photos


@dataclass(frozen=True)
class TrainConfig:
    """One training run. Every field can change the weights; where it runs is not among them."""

    stages: tuple[StageConfig, ...]
    seed: int = 0
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    critic: CriticConfig = field(default_factory=CriticConfig)
    data: TrainDataConfig = field(default_factory=TrainDataConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    saving: SavingConfig = field(default_factory=SavingConfig)
    encoder_weights: str = ""  # MobileNetV2 to start from; empty = random
    # Strided layers of the encoder that are averaged before the first step, 0 (the stem) to 4; none
    # that was trained or averaged in `init_weights`.
    soften_strides: tuple[int, ...] = ()
    frozen_blocks: int = 0  # first blocks of that encoder kept as they are, 17 = all of it
    perceptual_weights: str = ""  # VGG19 or MobileNetV2 for the perceptual and style losses
    # Generators whose mean the consistency loss follows; none = the moving average.
    teacher_weights: tuple[str, ...] = ()
    init_weights: str = ""  # a .safetensors generator of this configuration to start from
    skip_stages: int = 0  # stages that the run behind `init_weights` has done

    def __post_init__(self) -> None:
        require(bool(self.stages), "stages", list(self.stages), "at least one stage")
        require(
            0 <= self.skip_stages < len(self.stages),
            "skip_stages",
            self.skip_stages,
            "0 to one less than the number of stages",
        )
        strides = range(5 if self.generator.architecture == "flagship" else 0)
        require(
            set(self.soften_strides) <= set(strides),
            "soften_strides",
            list(self.soften_strides),
            "numbers from 0 to 4, of a flagship",
        )
        needs = any(s.loss.perceptual > 0 or s.loss.style > 0 for s in self.stages)
        require(
            not needs or bool(self.perceptual_weights),
            "perceptual_weights",
            self.perceptual_weights,
            "a weights file, since a stage has a perceptual or style loss",
        )
        recognizes = any(s.loss.recognition > 0 for s in self.stages)
        require(
            not recognizes or bool(self.encoder_weights),
            "encoder_weights",
            self.encoder_weights,
            "a weights file, since a stage has a recognition loss",
        )
        require(
            not recognizes or self.generator.architecture == "flagship",
            "generator.architecture",
            self.generator.architecture,
            "flagship, since a stage has a recognition loss",
        )
        require(
            self.optimizer.ema > 0
            or bool(self.teacher_weights)
            or all(s.loss.consistency == 0 for s in self.stages),
            "optimizer.ema",
            self.optimizer.ema,
            "above 0, or teacher_weights: a stage has a consistency loss",
        )
