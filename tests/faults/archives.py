"""A small mixed archive, as a folder and as a zip, and what an undisturbed run makes of it."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from colorize_core.config import GeneratorConfig
from colorize_core.model.checkpoint import save_generator
from colorize_core.model.generator import build_generator
from tests.faults.runs import Command, outputs
from tests.film_helpers import make_film

OPTIONS = (
    *("--set", "photo.shard_photos=2", "--set", "render.batch_size=2", "--set", "render.size=64"),
    *("--set", "video.segment_frames=16", "--wait-for-space", "0", "--drain-seconds", "5"),
)
CHANGING = "scans/4.png"


@dataclass(frozen=True)
class Archive:
    """What rounds begin with: nothing in it is changed.

    Attributes:
        folder: photos of several formats and a film.
        zipped: the same as one file.
        changed: a photo that takes the place of CHANGING in rounds with a changing source.
        weights: a small generator.
        whole: outputs of an undisturbed run, by their path; `whole_changed` with the other photo.
        seconds: that such a run takes, forked.
    """

    folder: Path
    zipped: Path
    changed: Path
    weights: Path
    whole: dict[str, str]
    whole_changed: dict[str, str]
    seconds: float


def make_archive(place: Path) -> Archive:
    """Make it, and run it undisturbed in one process."""
    folder, weights = place / "archive", place / "tiny.safetensors"
    for index, name in enumerate(("0.png", "1.jpg", "2.tif", "3.webp", "4.png", "5.bmp", "6.jpg")):
        write_photo(folder / "scans" / name, index)
    write_photo(place / "changed.png", 99)
    make_film(folder / "reel.mp4", frames=40, size=(192, 108))
    shutil.make_archive(str(place / "zipped"), "zip", folder)
    save_weights(weights)
    serial = (*OPTIONS, "--runner", "serial")
    # The first begins with the imports of the process that all others are forked from.
    whole = run_whole(Command(folder, place / "whole", weights, serial, is_forked=True))
    other = place / "other"
    shutil.copytree(folder, other)
    shutil.copy(place / "changed.png", other / CHANGING)
    began = time.monotonic()
    changed = run_whole(Command(other, place / "whole changed", weights, serial, is_forked=True))
    seconds = time.monotonic() - began
    zipped, photo = place / "zipped.zip", place / "changed.png"
    return Archive(folder, zipped, photo, weights, whole, changed, seconds)


def run_whole(command: Command) -> dict[str, str]:
    result = command.run()
    assert result.returncode == 0, result.stderr
    return outputs(command.out)


def write_photo(path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), cv2.resize(noise, (96, 72), interpolation=cv2.INTER_CUBIC))


def save_weights(path: Path) -> None:
    """A small generator with random weights that gives visible colors."""
    torch.manual_seed(3)
    config = GeneratorConfig(
        architecture="paper", base_channels=4, max_channels=8, depth=3, residual_blocks=1
    )
    module = build_generator(config)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(2.0)
    save_generator(path, module, config, extra={})
