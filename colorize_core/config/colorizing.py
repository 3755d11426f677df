"""What may change a pixel of a colorized file, and how a run goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from colorize_core.config.loading import require


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
        require(
            self.render.size >= 32 and self.render.size % 32 == 0,
            "render.size",
            self.render.size,
            "a multiple of 32",
        )
        require(
            1 <= self.render.batch_size <= 1024,
            "render.batch_size",
            self.render.batch_size,
            "1 to 1024",
        )
        require(
            0 < self.render.strength <= 2,
            "render.strength",
            self.render.strength,
            "above 0, at most 2",
        )
        require(
            1 <= self.photo.jpeg_quality <= 100,
            "photo.jpeg_quality",
            self.photo.jpeg_quality,
            "1 to 100",
        )
        require(
            self.photo.shard_photos >= 1,
            "photo.shard_photos",
            self.photo.shard_photos,
            "at least 1",
        )
        require(self.photo.max_pixels >= 1, "photo.max_pixels", self.photo.max_pixels, "at least 1")
        require(0 <= self.video.crf <= 63, "video.crf", self.video.crf, "0 to 63")
        require(
            self.video.segment_frames >= 16,
            "video.segment_frames",
            self.video.segment_frames,
            "at least 16",
        )
        require(self.video.threads >= 1, "video.threads", self.video.threads, "at least 1")
        require(self.video.fps > 0, "video.fps", self.video.fps, "above 0")
        require(
            self.temporal.luma_tolerance > 0,
            "temporal.luma_tolerance",
            self.temporal.luma_tolerance,
            "above 0",
        )
        require(
            0 <= self.temporal.cut_threshold <= 1,
            "temporal.cut_threshold",
            self.temporal.cut_threshold,
            "0 to 1",
        )


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
    exclude: tuple[str, ...] = ()  # globs of what is left out
    include: tuple[str, ...] = ()  # where there are any, nothing else is taken
    max_units: int | None = None  # at most so many units: calibration
    blocked_wait_seconds: float = 60.0  # how long a full disk is waited for
    min_lease_seconds: float = 300.0  # a unit may run this long before its worker counts as hung
