"""Generators and how they are trained."""

from __future__ import annotations

from typing import Annotated, Literal

from colorize_core.config.generator import GeneratorConfig
from colorize_core.config.settings import Settings, about, require


class GroupWeight(Settings, frozen=True):
    """How often pictures of one group (their first folder, or their archive) are drawn."""

    name: Annotated[str, about("the first folder of its pictures, or their archive")]
    weight: Annotated[
        float, about("how often its pictures are drawn, beside other groups", gt=0)
    ] = 1.0


class TrainDataConfig(Settings, frozen=True):
    """The cache of decoded color photos."""

    cache_sizes: Annotated[
        tuple[int, ...], about("stored squares in pixels, rising; a photo takes the best fit")
    ] = (64, 128, 256)
    min_colorfulness: Annotated[float, about("grayer photos are dropped and counted", ge=0)] = 8.0
    on_device: Annotated[bool, about("keep the whole cache on the device as uint8")] = False
    loader_workers: Annotated[int, about("processes that read the cache", ge=0)] = 0

    def _check(self) -> None:
        require(
            bool(self.cache_sizes) and list(self.cache_sizes) == sorted(set(self.cache_sizes)),
            "cache_sizes",
            self.cache_sizes,
            "sides in rising order",
        )


class DegradeConfig(Settings, frozen=True):
    """Chance per picture (0 to 1) of each old-photo fault of L, and what a crop may be."""

    flip: Annotated[float, about("mirrored", ge=0, le=1)] = 0.5
    min_crop: Annotated[
        float, about("smallest crop side as a part of the short side; 1: whole picture", gt=0, le=1)
    ] = 1.0
    squeeze: Annotated[float, about("the whole picture is squeezed to the square", ge=0, le=1)] = (
        0.0
    )
    paste: Annotated[
        float, about("a rectangle of another photo of the batch lies on the picture", ge=0, le=1)
    ] = 0.0
    blur: Annotated[float, about("out of focus", ge=0, le=1)] = 0.0
    grain: Annotated[float, about("film grain", ge=0, le=1)] = 0.0
    fade: Annotated[float, about("blacks and whites have faded", ge=0, le=1)] = 0.0
    contrast: Annotated[float, about("more or less contrast", ge=0, le=1)] = 0.0
    scratches: Annotated[float, about("light and dark scratches", ge=0, le=1)] = 0.0
    jpeg: Annotated[float, about("JPEG blocks", ge=0, le=1)] = 0.0
    border: Annotated[float, about("a frame of paper", ge=0, le=1)] = 0.0
    vignette: Annotated[float, about("dark corners", ge=0, le=1)] = 0.0
    emulsion: Annotated[
        float, about("red, green and blue weighed as another film does", ge=0, le=1)
    ] = 0.0


class LossConfig(Settings, frozen=True):
    """Weights of the generator's losses; 0 turns one off."""

    l1: Annotated[float, about("distance in ab", ge=0)] = 1.0
    smooth_beta: Annotated[float, about("smooth-L1 width in ab/110; 0: plain L1", ge=0)] = 0.0
    chroma_weight: Annotated[
        float, about("extra weight of a pixel per unit of chroma/110", ge=0)
    ] = 0.0
    rebalance: Annotated[
        float, about("share of the inverse-frequency weight of the ab bin", ge=0, le=1)
    ] = 0.0
    saturation: Annotated[float, about("multiplies the target's ab", gt=0)] = 1.0
    distribution: Annotated[
        float, about("of the batch's colors as a whole, see losses.distribution_loss", ge=0)
    ] = 0.0
    perceptual: Annotated[float, about("distance in a network's features", ge=0)] = 0.0
    style: Annotated[
        float, about("of the batch as a whole, see perceptual.PerceptualLoss", ge=0)
    ] = 0.0
    recognition: Annotated[
        float, about("the encoder still tells what ImageNet's network tells of the photo", ge=0)
    ] = 0.0
    adversarial: Annotated[float, about("what the critic says", ge=0)] = 0.0
    gradient_penalty: Annotated[float, about("of the critic", ge=0)] = 10.0
    consistency: Annotated[
        float, about("distance to the teachers' output for a shifted copy", ge=0)
    ] = 0.0
    own_teacher: Annotated[
        bool, about("consistency with the moving average in spite of teacher_weights")
    ] = False


class StageConfig(Settings, frozen=True):
    """One stretch of training at one size. `samples` counts what the generator sees."""

    name: Annotated[str, about("of the stage")]
    size: Annotated[int, about("side of the squares in pixels", ge=32, multiple_of=32)]
    batch: Annotated[int, about("pictures per step over all workers", ge=1)]
    samples: Annotated[int, about("pictures that the generator sees; this, or epochs", ge=0)] = 0
    epochs: Annotated[int, about("passes over the photos; this, or samples", ge=0)] = 0
    lr: Annotated[float, about("learning rate", ge=0)] = 1e-3
    encoder_lr: Annotated[float, about("learning rate of a pretrained encoder", ge=0)] = 2e-4
    critic_lr: Annotated[float, about("learning rate of the critic", ge=0)] = 2e-4
    final_lr: Annotated[float, about("part of lr left at the end", ge=0, le=1)] = 0.02
    warmup: Annotated[float, about("part of the stage in which lr rises", ge=0, le=1)] = 0.02
    schedule: Annotated[Literal["cosine", "constant-linear", "constant"], about("how lr falls")] = (
        "cosine"
    )
    n_critic: Annotated[int, about("critic steps per generator step; 0: no critic", ge=0)] = 0
    critic_start: Annotated[
        int, about("critic steps before the generator's first step of this stage", ge=0)
    ] = 0
    # Without hints the generator is the automatic colorizer: that is its first duty.
    hints: Annotated[float, about("part of the batches that carry color hints", ge=0, le=0.5)] = 0.0
    groups: Annotated[
        tuple[GroupWeight, ...], about("which photos, and how often; empty: every photo alike")
    ] = ()
    min_source: Annotated[int, about("smallest cache size used", ge=0)] = 0
    degrade: DegradeConfig = DegradeConfig()
    loss: LossConfig = LossConfig()

    def _check(self) -> None:
        at = f"stage {self.name}"
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
        require(
            self.loss.consistency == 0 or self.size >= 64,
            f"{at}: size",
            self.size,
            "at least 64 with a consistency loss, which leaves the edges out",
        )


class OptimizerConfig(Settings, frozen=True):
    """Adam for the generator and the critic."""

    beta1: Annotated[float, about("of Adam", ge=0, le=1)] = 0.9
    beta2: Annotated[float, about("of Adam", ge=0, le=1)] = 0.99
    weight_decay: Annotated[float, about("of Adam", ge=0)] = 0.0
    clip_norm: Annotated[float, about("longest gradient; 0: no clipping", ge=0)] = 0.0
    ema: Annotated[
        float, about("decay of the weights' moving average per generator step; 0: none", ge=0, le=1)
    ] = 0.0
    precision: Annotated[
        Literal["fp32", "bf16"], about("of the generator; the penalty is always fp32")
    ] = "fp32"


class CriticConfig(Settings, frozen=True):
    """PatchGAN on L and ab together."""

    channels: Annotated[int, about("of the first layer", ge=1)] = 64
    layers: Annotated[int, about("strided layers; 3 sees 70 x 70 pixels", ge=1, le=6)] = 3


class SavingConfig(Settings, frozen=True):
    """What is written while training."""

    every_steps: Annotated[int, about("a checkpoint every so many steps", ge=1)] = 500
    every_epochs: Annotated[int, about("a page of pictures every so many epochs", ge=1)] = 1
    keep: Annotated[int, about("checkpoints kept", ge=1)] = 3
    export_epochs: Annotated[int, about("a .pt of the generator every so many epochs", ge=1)] = 10
    log_every: Annotated[int, about("steps between lines of the log", ge=1)] = 50
    page_pictures: Annotated[int, about("pictures of a page", ge=1)] = 20
    page_size: Annotated[int, about("their side in pixels", ge=32)] = 256
    epoch_samples: Annotated[
        int, about("pictures that count as one epoch; 0: one pass over the photos", ge=0)
    ] = 0


class TrainConfig(Settings, frozen=True):
    """One training run. Every field can change the weights; where it runs is not among them."""

    stages: Annotated[tuple[StageConfig, ...], about("one after the other")]
    seed: Annotated[int, about("of weights and of what is drawn")] = 0
    generator: GeneratorConfig = GeneratorConfig()
    critic: CriticConfig = CriticConfig()
    data: TrainDataConfig = TrainDataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    saving: SavingConfig = SavingConfig()
    encoder_weights: Annotated[str, about("`generator.encoder` to start from; empty: random")] = ""
    soften_strides: Annotated[
        tuple[int, ...],
        about(
            "strided layers of the encoder that are averaged before the first step, 0 (the stem) "
            "to 4; none that was trained or averaged in init_weights"
        ),
    ] = ()
    frozen_blocks: Annotated[
        int, about("first blocks of that encoder kept as they are; 17 or 21: all of it", ge=0)
    ] = 0
    perceptual_weights: Annotated[
        str, about("VGG19 or MobileNetV2 for the perceptual and style losses")
    ] = ""
    teacher_weights: Annotated[
        tuple[str, ...],
        about("generators whose mean the consistency loss follows; none: the moving average"),
    ] = ()
    init_weights: Annotated[
        str,
        about(
            "a .safetensors generator of this configuration to start from; where only its encoder "
            "is another, its decoder is transplanted to `encoder_weights`"
        ),
    ] = ""
    skip_stages: Annotated[int, about("stages that the run behind init_weights has done", ge=0)] = 0

    def _check(self) -> None:
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
            or all(
                s.loss.consistency == 0 or (self.teacher_weights and not s.loss.own_teacher)
                for s in self.stages
            ),
            "optimizer.ema",
            self.optimizer.ema,
            "above 0, or teacher_weights: a stage has a consistency loss",
        )
