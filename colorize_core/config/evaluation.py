"""How a generator is judged."""

from __future__ import annotations

from typing import Annotated, Literal

from colorize_core.config.colorizing import ModelSettings, RenderSettings, TemporalSettings
from colorize_core.config.settings import Settings, about


class NetworkFile(Settings, frozen=True):
    """A pretrained network, supplied by the user for one metric, which is left out without it."""

    file: Annotated[str, about("path or URL")] = ""
    sha256: Annotated[str, about("needed for a URL, checked where given")] = ""


class EvaluateConfig(Settings, frozen=True):
    """One evaluation on color photos and films as ground truth."""

    # Figures of one generator should not depend on the machine.
    model: ModelSettings = ModelSettings(precision="fp32")
    render: RenderSettings = RenderSettings()
    temporal: TemporalSettings = TemporalSettings()
    crop: Annotated[
        Literal["squeeze", "center", "whole"], about("how a photo becomes the truth")
    ] = "squeeze"
    side: Annotated[
        int, about('of the square truth; "whole" keeps the photo\'s own size', ge=16, le=8192)
    ] = 256
    max_pixels: Annotated[int, about("larger photos fail with a reason", ge=1)] = 250_000_000
    clip_side: Annotated[
        int, about("longest side in pixels at which films are judged", ge=64, le=8192)
    ] = 448
    clip_frames: Annotated[
        int, about("at most so many frames of a film, from its beginning", ge=5, le=1000)
    ] = 120
    hints: Annotated[
        int, about('true points given in the row "with N hints"; 0: no such row', ge=0, le=1000)
    ] = 10
    hint_radius: Annotated[
        int,
        about(
            "a point is the mean of, and is written on, 2 * radius + 1 pixels squared", ge=0, le=32
        ),
    ] = 3
    triples: Annotated[int, about("random pictures on the page", ge=0)] = 20
    resamples: Annotated[int, about("of the bootstrap", ge=100)] = 1000
    seed: Annotated[int, about("of the points, the page and the bootstrap", ge=0)] = 0
    squeezenet: Annotated[
        NetworkFile, about("SqueezeNet 1.1 with Caffe names: the squeezenet Frechet distance")
    ] = NetworkFile()
    inception: Annotated[
        NetworkFile,
        about("inception-2015-12-05.pt (TorchScript): FID, KID and inception score"),
    ] = NetworkFile()
    lpips: Annotated[
        NetworkFile,
        about(
            "torchvision's alexnet-owt-7be5be79.pth or vgg16-397923af.pth, or one with the "
            "heads lin0 to lin4 too: LPIPS"
        ),
    ] = NetworkFile()
    lpips_net: Annotated[Literal["alex", "vgg"], about("which of the two `lpips` is")] = "alex"
