"""All settings, as frozen dataclasses, and the strict YAML loader for them. Imports no torch."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import yaml

from colorize_core.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True)
class ModelSettings:
    """Which generator runs, and how."""

    weights: str = "shipped"  # "shipped" or a path to .safetensors
    precision: Literal["fp32", "bf16"] = "fp32"


@dataclass(frozen=True)
class RenderSettings:
    """From L to color, for photos and films alike."""

    size: int = 256  # working long side in pixels, a multiple of 32
    batch_size: int = (
        8  # every batch is padded to this many pictures, so results do not depend on packing
    )
    strength: float = 1.0  # chroma multiplier; 0 would be gray and is refused
    upsample: Literal["guided", "bilinear"] = "guided"


@dataclass(frozen=True)
class PhotoSettings:
    """Photo archives."""

    shard_photos: int = 32
    max_pixels: int = 250_000_000
    jpeg_quality: int = 95


@dataclass(frozen=True)
class TemporalSettings:
    """The film stabilizer."""

    enabled: bool = True
    radius: Literal[1, 3, 7, 15, 31] = 7  # frames seen on each side; also the segment halo
    luma_tolerance: float = 10.0  # L* residual at which a neighbor's weight falls to 1/e
    cut_threshold: float = 0.55  # share of structure (0 to 1) below which two frames are a cut


@dataclass(frozen=True)
class VideoSettings:
    """Films."""

    codec: Literal[
        "libx264", "libx265", "libsvtav1", "ffv1", "prores_ks", "h264_nvenc", "hevc_nvenc"
    ] = "libx264"
    crf: int = 18
    preset: str = "medium"
    threads: int = 1  # a constant: encoders give other pixels for other thread counts
    container: Literal["source", "mkv", "mp4", "mov"] = "source"
    deinterlace: Literal["keep", "bwdif"] = "keep"
    segment_frames: int = 300
    max_pixels: int = 70_000_000
    max_frames: int = 2_000_000
    frames: Literal["none", "png"] = "none"  # "png" writes a folder of frames instead of a film
    as_film: bool = False  # a folder of numbered pictures counts as one film
    fps: float = 24.0  # of such a folder
    verify_luma: bool = (
        False  # decode the result and compare Y' with the source's (lossless codecs)
    )


@dataclass(frozen=True)
class ColorizeConfig:
    """One colorize run: everything that can change pixels, and nothing else."""

    model: ModelSettings = field(default_factory=ModelSettings)
    render: RenderSettings = field(default_factory=RenderSettings)
    photo: PhotoSettings = field(default_factory=PhotoSettings)
    video: VideoSettings = field(default_factory=VideoSettings)
    temporal: TemporalSettings = field(default_factory=TemporalSettings)
    colored: Literal["copy", "leave", "recolor"] = "copy"

    def __post_init__(self) -> None:
        _require(
            self.render.size >= 32 and self.render.size % 32 == 0,
            "render.size",
            self.render.size,
            "a multiple of 32",
        )
        _require(
            1 <= self.render.batch_size <= 1024,
            "render.batch_size",
            self.render.batch_size,
            "1 to 1024",
        )
        _require(
            0 < self.render.strength <= 2,
            "render.strength",
            self.render.strength,
            "above 0, at most 2",
        )
        _require(
            1 <= self.photo.jpeg_quality <= 100,
            "photo.jpeg_quality",
            self.photo.jpeg_quality,
            "1 to 100",
        )
        _require(
            self.photo.shard_photos >= 1,
            "photo.shard_photos",
            self.photo.shard_photos,
            "at least 1",
        )
        _require(
            self.photo.max_pixels >= 1, "photo.max_pixels", self.photo.max_pixels, "at least 1"
        )
        _require(0 <= self.video.crf <= 63, "video.crf", self.video.crf, "0 to 63")
        _require(
            self.video.segment_frames >= 16,
            "video.segment_frames",
            self.video.segment_frames,
            "at least 16",
        )
        _require(self.video.threads >= 1, "video.threads", self.video.threads, "at least 1")
        _require(self.video.fps > 0, "video.fps", self.video.fps, "above 0")
        _require(
            self.temporal.luma_tolerance > 0,
            "temporal.luma_tolerance",
            self.temporal.luma_tolerance,
            "above 0",
        )
        _require(
            0 <= self.temporal.cut_threshold <= 1,
            "temporal.cut_threshold",
            self.temporal.cut_threshold,
            "0 to 1",
        )


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

    def __post_init__(self) -> None:
        _require(1 <= self.depth <= 5, "depth", self.depth, "1 to 5")
        _require(
            self.base_channels >= 1 and self.max_channels >= self.base_channels,
            "base_channels",
            self.base_channels,
            "1 to max_channels",
        )
        _require(self.residual_blocks >= 0, "residual_blocks", self.residual_blocks, "0 or more")
        _require(
            len(self.decoder_channels) == 5, "decoder_channels", self.decoder_channels, "5 widths"
        )
        _require(len(self.hint_channels) == 4, "hint_channels", self.hint_channels, "4 widths")
        _require(
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
        _require(self.weight > 0, f"weight of {self.name}", self.weight, "above 0")


@dataclass(frozen=True)
class TrainDataConfig:
    """The cache of decoded color photos."""

    cache_sizes: tuple[int, ...] = (64, 128, 256)  # stored squares; a photo takes the best fit
    min_colorfulness: float = 8.0  # grayer photos are dropped and counted
    on_device: bool = False  # keep the whole cache on the device as uint8
    loader_workers: int = 0

    def __post_init__(self) -> None:
        _require(
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
    blur: float = 0.0
    grain: float = 0.0
    fade: float = 0.0
    contrast: float = 0.0
    scratches: float = 0.0
    jpeg: float = 0.0
    border: float = 0.0
    vignette: float = 0.0


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
    consistency: float = 0.0  # distance to the teacher's output for a shifted copy


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
        _require(
            self.size >= 32 and self.size % 32 == 0, f"{at}: size", self.size, "a multiple of 32"
        )
        _require(self.batch >= 1, f"{at}: batch", self.batch, "at least 1")
        _require(
            (self.samples > 0) != (self.epochs > 0),
            f"{at}: samples and epochs",
            (self.samples, self.epochs),
            "exactly one of them",
        )
        _require(
            (self.loss.adversarial > 0) == (self.n_critic > 0),
            f"{at}: n_critic",
            self.n_critic,
            "a number above 0 if and only if loss.adversarial is above 0",
        )
        # Without hints the generator is the automatic colorizer: that is its first duty.
        _require(0 <= self.hints <= 0.5, f"{at}: hints", self.hints, "0 to 0.5")
        _require(
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
    frozen_blocks: int = 0  # first blocks of that encoder kept as they are; saves time on CPUs
    perceptual_weights: str = ""  # VGG19 or MobileNetV2 for the perceptual and style losses
    teacher_weights: str = ""  # a generator for the consistency loss; empty = the moving average
    init_weights: str = ""  # a .safetensors generator of this configuration to start from
    skip_stages: int = 0  # stages that the run behind `init_weights` has done

    def __post_init__(self) -> None:
        _require(bool(self.stages), "stages", list(self.stages), "at least one stage")
        _require(
            0 <= self.skip_stages < len(self.stages),
            "skip_stages",
            self.skip_stages,
            "0 to one less than the number of stages",
        )
        needs = any(s.loss.perceptual > 0 or s.loss.style > 0 for s in self.stages)
        _require(
            not needs or bool(self.perceptual_weights),
            "perceptual_weights",
            self.perceptual_weights,
            "a weights file, since a stage has a perceptual or style loss",
        )
        _require(
            bool(self.encoder_weights) or all(s.loss.recognition == 0 for s in self.stages),
            "encoder_weights",
            self.encoder_weights,
            "a weights file, since a stage has a recognition loss",
        )
        _require(
            self.generator.architecture == "flagship"
            or all(s.loss.recognition == 0 for s in self.stages),
            "generator.architecture",
            self.generator.architecture,
            "flagship, since a stage has a recognition loss",
        )
        _require(
            self.optimizer.ema > 0
            or bool(self.teacher_weights)
            or all(s.loss.consistency == 0 for s in self.stages),
            "optimizer.ema",
            self.optimizer.ema,
            "above 0, or teacher_weights: a stage has a consistency loss",
        )


@dataclass(frozen=True)
class NetworkFile:
    """A pretrained network, supplied by the user for one metric, which is left out without it."""

    file: str = ""  # path or URL
    sha256: str = ""  # needed for a URL, checked where given


@dataclass(frozen=True)
class EvaluateConfig:
    """One evaluation on color photos and films as ground truth."""

    model: ModelSettings = field(default_factory=ModelSettings)
    render: RenderSettings = field(default_factory=RenderSettings)
    temporal: TemporalSettings = field(default_factory=TemporalSettings)
    crop: Literal["squeeze", "center", "whole"] = "squeeze"  # how a photo becomes the truth
    side: int = 256  # of the square truth; "whole" keeps the photo's own size
    max_pixels: int = 250_000_000
    clip_side: int = 448  # longest side at which films are judged
    clip_frames: int = 120  # at most so many frames of a film, from its beginning
    hints: int = 10  # true points given in the row "with N hints"; 0 = no such row
    hint_radius: int = 3  # a point is the mean of, and is written on, 2 * radius + 1 pixels squared
    triples: int = 20  # random pictures on the page
    resamples: int = 1000  # of the bootstrap
    seed: int = 0  # of the points, the page and the bootstrap
    squeezenet: NetworkFile = field(default_factory=NetworkFile)  # squeezenet Frechet distance
    inception: NetworkFile = field(default_factory=NetworkFile)  # FID, KID, inception score
    lpips: NetworkFile = field(default_factory=NetworkFile)  # torchvision's weights of lpips_net
    lpips_net: Literal["alex", "vgg"] = "alex"

    def __post_init__(self) -> None:
        _require(self.side >= 16, "side", self.side, "at least 16")
        _require(self.max_pixels >= 1, "max_pixels", self.max_pixels, "at least 1")
        _require(self.clip_side >= 64, "clip_side", self.clip_side, "at least 64")
        _require(5 <= self.clip_frames <= 1000, "clip_frames", self.clip_frames, "5 to 1000")
        _require(0 <= self.hints <= 1000, "hints", self.hints, "0 to 1000")
        _require(0 <= self.hint_radius <= 32, "hint_radius", self.hint_radius, "0 to 32")
        _require(self.triples >= 0, "triples", self.triples, "0 or more")
        _require(self.resamples >= 100, "resamples", self.resamples, "at least 100")


@dataclass(frozen=True)
class RunOptions:
    """Where and how fast a run goes; nothing here changes a pixel, so nothing here is in a key."""

    runner: Literal["ray", "serial"] = "ray"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: int | None = None  # None: min(cores or GPUs, memory / 1.5 GB)
    drain_seconds: float = 45.0  # for running units after the first SIGINT or SIGTERM
    retry_failed: bool = False
    limit: int | None = None  # at most so many pending items
    compare: bool = False  # before and after side by side, when all is done
    max_units: int | None = None  # at most so many units: calibration
    blocked_wait_seconds: float = 60.0  # how long a full disk is waited for
    min_lease_seconds: float = 300.0  # a unit may run this long before its worker counts as hung


def _require(ok: bool, key: str, value: object, allowed: str) -> None:
    if not ok:
        raise ConfigError(f"{key}: {value!r} is not allowed", remedy=f"use {allowed}")


def load_config(cls: type[T], path: Path | None = None, overrides: Sequence[str] = ()) -> T:
    """Read a YAML file into the dataclass `cls`, then apply `key.sub=value` overrides.

    Raises:
        ConfigError: the file is missing, is not YAML, or has an unknown key, a wrong type or a
            value out of range; the message names the key and the file.
    """
    tree: dict[str, Any] = {}
    where = str(path) if path else "--set"
    if path is not None:
        try:
            loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigError(
                f"{path}: cannot be read: {error.strerror}", remedy="check CONFIG="
            ) from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
        if loaded is not None and not isinstance(loaded, dict):
            raise ConfigError(
                f"{path}: the top level must be a mapping, found {type(loaded).__name__}"
            )
        tree = loaded or {}
    for override in overrides:
        _apply_override(tree, override)
    return from_tree(cls, tree, where=where)


def _apply_override(tree: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"--set {override!r}: not of the form key.sub=value")
    *parents, last = key.split(".")
    node: Any = tree
    for parent in parents:
        node = _child(node, parent, override)
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: the value is not valid YAML") from error
    if isinstance(node, list):
        _child(node, last, override)
        node[int(last)] = value
    else:
        node[last] = value


def _child(node: Any, key: str, override: str) -> Any:
    """Step into a group, or into a list by number (`stages.0.samples=1000`)."""
    if isinstance(node, list):
        if not key.isdigit() or int(key) >= len(node):
            raise ConfigError(
                f"--set {override!r}: {key!r} is no place in a list of {len(node)}",
                remedy="count from 0",
            )
        return node[int(key)]
    child = node.setdefault(key, {})
    if not isinstance(child, dict | list):
        raise ConfigError(f"--set {override!r}: {key!r} is a value, not a group of settings")
    return child


def from_tree(cls: type[T], tree: Mapping[str, Any], *, where: str, prefix: str = "") -> T:
    """Build the dataclass `cls` from nested mappings; `where` is named in errors.

    Raises:
        ConfigError: unknown key, wrong type, or a value that `cls` refuses.
    """
    hints = typing.get_type_hints(cls)
    names = [f.name for f in dataclasses.fields(cls)]  # type: ignore[arg-type]
    unknown = [str(key) for key in tree if key not in names]
    if unknown:
        raise ConfigError(
            f"{where}: unknown key {prefix}{unknown[0]}", remedy=f"known here: {', '.join(names)}"
        )
    values = {
        key: _coerce(hints[key], value, f"{where}: {prefix}{key}", f"{prefix}{key}.", where)
        for key, value in tree.items()
    }
    try:
        return cls(**values)
    except ConfigError as error:
        message = error.message if error.message.startswith(where) else f"{where}: {error.message}"
        raise ConfigError(message, remedy=error.remedy) from error
    except TypeError as error:
        raise ConfigError(f"{where}: {prefix.rstrip('.') or 'top level'}: {error}") from error


def _coerce(hint: Any, value: Any, at: str, prefix: str, where: str) -> Any:
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, dict):
            raise ConfigError(f"{at}: expected a group of settings, found {value!r}")
        return from_tree(typing.cast(type, hint), value, where=where, prefix=prefix)
    if origin is Literal:
        if value not in typing.get_args(hint) or isinstance(value, bool):
            raise ConfigError(
                f"{at}: {value!r} is not one of {', '.join(map(str, typing.get_args(hint)))}"
            )
        return value
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        inner = next(a for a in typing.get_args(hint) if a is not type(None))
        return _coerce(inner, value, at, prefix, where)
    if origin is tuple:
        return _coerce_tuple(hint, value, at, prefix, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(
            f"{at}: expected {hint.__name__}, found {value!r}", remedy=_type_remedy(hint, value)
        )
    return value


def _coerce_tuple(hint: Any, value: Any, at: str, prefix: str, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ConfigError(f"{at}: expected a list, found {value!r}")
    parts = typing.get_args(hint)
    if parts[-1] is Ellipsis:
        parts = (parts[0],) * len(value)
    if len(parts) != len(value):
        raise ConfigError(f"{at}: expected {len(parts)} values, found {len(value)}")
    return tuple(
        _coerce(p, v, f"{at}[{i}]", f"{prefix}", where)
        for i, (p, v) in enumerate(zip(parts, value, strict=True))
    )


def _type_remedy(hint: type, value: object) -> str:
    if hint is float and isinstance(value, str):
        return "YAML reads 2e-4 as text: write 2.0e-4 or 0.0002"
    if hint is str and isinstance(value, bool):
        return "YAML reads no/yes/on/off as a truth value: put it in quotes"
    return ""
