"""How a generator is judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from colorize_core.config.colorizing import ModelSettings, RenderSettings, TemporalSettings
from colorize_core.config.loading import require


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
        require(self.side >= 16, "side", self.side, "at least 16")
        require(self.max_pixels >= 1, "max_pixels", self.max_pixels, "at least 1")
        require(self.clip_side >= 64, "clip_side", self.clip_side, "at least 64")
        require(5 <= self.clip_frames <= 1000, "clip_frames", self.clip_frames, "5 to 1000")
        require(0 <= self.hints <= 1000, "hints", self.hints, "0 to 1000")
        require(0 <= self.hint_radius <= 32, "hint_radius", self.hint_radius, "0 to 32")
        require(self.triples >= 0, "triples", self.triples, "0 or more")
        require(self.resamples >= 100, "resamples", self.resamples, "at least 100")
