"""What may change a pixel of a colorized file, and how a run goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from colorize_core.config.settings import Settings, about, require


class ModelSettings(Settings, frozen=True):
    """Which generator runs, and how."""

    weights: Annotated[
        str,
        about(
            '"shipped", or the path of a .safetensors, or of an .onnx with its contract beside it'
        ),
    ] = "shipped"
    precision: Annotated[
        Literal["auto", "fp32", "bf16"],
        about(
            "bf16 is faster on GPUs and CPUs that have it; auto takes it in a new OUT where all "
            "workers have it, and keeps to what OUT was begun with"
        ),
    ] = "auto"


class RenderSettings(Settings, frozen=True):
    """From L to color, for photos and films alike."""

    size: Annotated[int, about("working long side in pixels", ge=32, le=4096, multiple_of=32)] = 256
    # Every batch is padded to this many pictures, so results do not depend on packing.
    batch_size: Annotated[
        int, about("pictures that go through the generator at once", ge=1, le=1024)
    ] = 8
    strength: Annotated[float, about("chroma multiplier", gt=0, le=2)] = 1.0
    look: Annotated[
        Literal["natural", "calm", "vivid"],
        about(
            "what the generator says as it is, with its strongest colors held back, or with more "
            "color; colors that the user gives stay",
            since="0.2.0",
        ),
    ] = "natural"
    upsample: Annotated[
        Literal["guided", "bilinear"],
        about("how color comes to full size: along the edges of the luma, or smoothly"),
    ] = "guided"


class PhotoSettings(Settings, frozen=True):
    """Photo archives."""

    shard_photos: Annotated[int, about("photos that one worker takes at a time", ge=1)] = 32
    max_pixels: Annotated[int, about("larger photos fail with a reason", ge=1)] = 250_000_000
    jpeg_quality: Annotated[int, about("of photos that are JPEG", ge=1, le=100)] = 95


class TemporalSettings(Settings, frozen=True):
    """The film stabilizer."""

    enabled: Annotated[bool, about("steady colors from frame to frame")] = True
    anchors: Annotated[
        bool,
        about(
            "hold surfaces to the colors that key frames of their shot agree on; the film is "
            "decoded once more for its cuts",
            since="0.2.0",
        ),
    ] = True
    # Also the segment's halo.
    radius: Annotated[Literal[1, 3, 7, 15, 31], about("frames seen on each side")] = 7
    luma_tolerance: Annotated[
        float, about("L* difference at which a neighbor's weight falls to 1/e", gt=0)
    ] = 10.0
    cut_threshold: Annotated[
        float, about("shared structure below which two frames are a cut", ge=0, le=1)
    ] = 0.55


class VideoSettings(Settings, frozen=True):
    """Films."""

    codec: Annotated[
        Literal["libx264", "libx265", "libsvtav1", "ffv1", "prores_ks", "h264_nvenc", "hevc_nvenc"],
        about(
            "encoder; ffv1 is lossless. What a container cannot hold goes into another one",
        ),
    ] = "libx264"
    crf: Annotated[
        int, about("quality, lower is better; not for ffv1 and prores_ks", ge=0, le=63)
    ] = 18
    preset: Annotated[
        Literal[
            "ultrafast",
            "superfast",
            "veryfast",
            "faster",
            "fast",
            "medium",
            "slow",
            "slower",
            "veryslow",
            "placebo",
        ],
        about("speed of libx264, libx265 and libsvtav1"),
    ] = "medium"
    # A constant: encoders give other pixels for other thread counts.
    threads: Annotated[
        int, about("of the encoder; other counts give other pixels", ge=1, le=1024)
    ] = 1
    container: Annotated[
        Literal["source", "mkv", "mp4", "mov"],
        about("source: the film's own where it fits, else MKV"),
    ] = "source"
    deinterlace: Annotated[
        Literal["keep", "bwdif"],
        about(
            "keep the fields, or bwdif: whole pictures, whose luma is no longer the source's",
        ),
    ] = "keep"
    segment_frames: Annotated[int, about("frames that one worker takes at a time", ge=16)] = 300
    max_pixels: Annotated[int, about("films with larger frames fail with a reason", ge=1)] = (
        70_000_000
    )
    max_frames: Annotated[int, about("longer films fail with a reason", ge=1)] = 2_000_000
    max_memory: Annotated[
        float,
        about(
            "films for which a worker would take more gigabytes fail with a reason; changes no "
            "pixel",
            gt=0,
            since="0.2.0",
        ),
    ] = 3.0
    frames: Annotated[
        Literal["none", "png", "tiff"],
        about("png, tiff: a folder of pictures and a table of times, not a film"),
    ] = "none"
    as_film: Annotated[bool, about("each folder of numbered pictures in SRC is one film")] = False
    fps: Annotated[
        float,
        about("frames per second of such a folder; 0: what its pictures say, else 24", ge=0),
    ] = 0.0
    sound: Annotated[
        bool,
        about(
            "the WAV in such a folder, or beside it under its name, becomes the film's sound",
            since="0.2.0",
        ),
    ] = False
    pieces: Annotated[
        Literal["join", "apart"],
        about(
            "join: VTS_01_1.VOB and those that follow, chapters of a camera and recordings that "
            "were cut at 2 or 4 GB are one film where their streams and clocks agree",
            since="0.2.0",
        ),
    ] = "join"
    tints: Annotated[
        Literal["replace", "keep"],
        about(
            "replace: a tinted or toned film gets the computed color alone; keep: each shot's tint "
            "is laid over it",
            since="0.2.0",
        ),
    ] = "replace"
    verify_luma: Annotated[
        bool,
        about(
            "decode the result and compare its luma with the source's; with ffv1 a difference fails"
        ),
    ] = False

    def _check(self) -> None:
        require(
            self.codec != "libsvtav1" or self.preset != "placebo",
            "video.preset",
            self.preset,
            "veryslow or faster with libsvtav1",
        )


class ColorizeConfig(Settings, frozen=True):
    """One colorize run: everything that can change pixels, and nothing else."""

    model: ModelSettings = ModelSettings()
    render: RenderSettings = RenderSettings()
    photo: PhotoSettings = PhotoSettings()
    video: VideoSettings = VideoSettings()
    temporal: TemporalSettings = TemporalSettings()
    colored: Annotated[
        Literal["copy", "leave", "recolor", "whole"],
        about(
            "what becomes of photos and films that already have color; whole is copy, but decides "
            "for a photo as one: nothing in it keeps its own color beside colored parts"
        ),
    ] = "copy"


@dataclass(frozen=True)
class Calibration:
    """The part of a source by which a dry run measures the whole.

    Attributes:
        paths: of items; nothing else is taken.
        photos: how many gray ones of them.
        segments: of each film.
    """

    paths: frozenset[str]
    photos: int
    segments: int


@dataclass(frozen=True)
class RunOptions:
    """Where and how fast a run goes; nothing here changes a pixel, so nothing here is in a key."""

    runner: Literal["ray", "serial"] = "ray"
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    workers: int | None = None  # None: as many as cores and memory allow
    workers_per_gpu: int | None = None  # None: as many as cores and the GPU's memory allow
    drain_seconds: float = 45.0  # for running units after the first SIGINT or SIGTERM
    retry_failed: bool = False
    keep_finished: bool = False  # results of other weights or older versions stay
    limit: int | None = None  # at most so many pending items
    sample: int | None = None  # gray items spread over the source, instead of all
    compare: bool = False  # before and after side by side, when all is done
    exclude: tuple[str, ...] = ()  # globs of what is left out
    include: tuple[str, ...] = ()  # where there are any, nothing else is taken
    calibration: Calibration | None = None
    blocked_wait_seconds: float = 60.0  # how long a full disk is waited for
    log_json: Path | None = None  # gets a JSON object per event
    prometheus: Path | None = None  # text file with counts, rates and ETA
    min_lease_seconds: float = 300.0  # a unit may run this long before its worker counts as hung
