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
    precision: Literal["fp32", "bf16", "int8"] = "fp32"


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
    radius: int = 6  # frames seen on each side; also the segment halo
    persistence: float = 0.85  # weight kept per frame of distance where the flow is trusted
    luma_tolerance: float = 8.0  # L* residual at which a neighbor's weight falls to 1/e
    cut_threshold: float = 18.0  # mean |dL*| after motion compensation that counts as a cut


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
            0 <= self.temporal.radius <= 60, "temporal.radius", self.temporal.radius, "0 to 60"
        )
        _require(
            0 < self.temporal.persistence < 1,
            "temporal.persistence",
            self.temporal.persistence,
            "between 0 and 1",
        )


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
    node = tree
    for parent in parents:
        child = node.setdefault(parent, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override!r}: {parent!r} is a value, not a group of settings")
        node = child
    try:
        node[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {override!r}: the value is not valid YAML") from error


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
