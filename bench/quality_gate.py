"""How well the quality gate finds hand-made faults: recall per fault, and false alarms.

    python -m bench.quality_gate PHOTOS [--clips CLIPS] [--weights FILE]

PHOTOS is a folder of color photos, CLIPS one of color clips. Without --weights the true colors
count as the good result, which is harder than a generator's own: real photos have color edges
without a luma edge. With --weights the good result is what that generator gives.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from colorize_core.color.lab import rgb_to_lab
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.signals import (
    FilmSignals,
    archive_median,
    photo_signals,
    suspicions,
)
from colorize_core.media.motion.shots import CutFinder

SIZE = 256
CLIP_FRAMES = 120
Picture = tuple[Tensor, Tensor]
Fault = Callable[[Picture, np.random.Generator], Picture]


def vector(length: float, rng: np.random.Generator) -> Tensor:
    angle = rng.uniform(0, 2 * math.pi)
    pair = [math.cos(angle) * length, math.sin(angle) * length]
    return torch.tensor(pair, dtype=torch.float32).view(1, 2, 1, 1)


def dropped(picture: Picture, rng: np.random.Generator) -> Picture:
    """Nearly no color is left."""
    return picture[0], picture[1] * rng.uniform(0.0, 0.15)


def patched(picture: Picture, rng: np.random.Generator) -> Picture:
    """One to three soft ellipses of a wrong color, blind to what is below them."""
    ab = picture[1].clone()
    y, x = np.mgrid[:SIZE, :SIZE]
    for _ in range(rng.integers(1, 4)):
        center_y, center_x = rng.uniform(40, SIZE - 40, 2)
        shape, radius = rng.uniform(0.6, 1.6), rng.uniform(15, 45)
        distance = np.hypot((y - center_y) / shape, (x - center_x) * shape)
        mask = torch.from_numpy(1 / (1 + np.exp((distance - radius) / 3))).float()
        ab += vector(rng.uniform(25, 60), rng) * mask
    return picture[0], ab


def smeared(picture: Picture, rng: np.random.Generator) -> Picture:
    """Large, soft clouds of a wrong color, which no signal is made for."""
    ab = picture[1].clone()
    y, x = np.mgrid[:SIZE, :SIZE]
    for _ in range(rng.integers(1, 4)):
        center_y, center_x = rng.uniform(40, SIZE - 40, 2)
        width = rng.uniform(18, 40)
        mask = np.exp(-((y - center_y) ** 2 + (x - center_x) ** 2) / (2 * width**2))
        ab += vector(rng.uniform(20, 45), rng) * torch.from_numpy(mask).float()
    return picture[0], ab


def cast(picture: Picture, rng: np.random.Generator) -> Picture:
    """One hue over everything."""
    return picture[0], picture[1] * 0.6 + vector(rng.uniform(15, 35), rng)


PHOTO_FAULTS: dict[str, Fault] = {
    "uncolored": dropped,
    "blotches": patched,
    "soft clouds": smeared,
    "cast": cast,
}


def load_photos(folder: Path, colorizer: Colorizer | None) -> list[Picture]:
    pictures = []
    for path in sorted(p for p in folder.rglob("*") if p.suffix in (".jpg", ".png", ".webp")):
        with Image.open(path) as image:
            rgb = np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.LANCZOS))
        lab = to_lab(rgb)
        ab = colorizer.predict_ab(lab[:, :1]) if colorizer else lab[:, 1:]
        pictures.append((lab[:, :1], ab))
    if not pictures:
        sys.exit(f"{folder}: no .jpg, .png or .webp in it")
    return pictures


def to_lab(rgb: np.ndarray) -> Tensor:
    return rgb_to_lab(torch.from_numpy(rgb.copy()).permute(2, 0, 1)[None].float() / 255)


def measure_photos(pictures: list[Picture], rng: np.random.Generator) -> None:
    good = [photo_signals(*picture) for picture in pictures]
    median = archive_median(good)
    print(f"{len(good)} good photos; median", {k: round(v, 2) for k, v in median.items()})
    for name in ("uncolored", "blotches", "cast"):
        spread = np.quantile(
            [s[name if name != "uncolored" else "colorfulness"] for s in good],
            [0.01, 0.05, 0.5, 0.9, 0.95, 0.97, 0.99],
        )
        print(f"  {name:10} of the good ones at 1 5 50 90 95 97 99 %:", spread.round(2))
    alarms = [suspicions(signals, median) for signals in good]
    kinds = Counter(reason.split(":")[0] for reasons in alarms for reason in reasons)
    print(f"false alarms: {sum(map(bool, alarms)) / len(good):.1%} of photos", dict(kinds))
    for name, fault in PHOTO_FAULTS.items():
        bad = [photo_signals(*fault(picture, rng)) for picture in pictures]
        reasons = [suspicions(signals, median) for signals in bad]
        own = sum(any(r.startswith(name) for r in found) for found in reasons) / len(bad)
        some = sum(map(bool, reasons)) / len(bad)
        print(f"{name:11} recall {own:.0%} by its own signal, {some:.0%} listed for any reason")


def clip_frames(path: Path) -> Iterator[Tensor]:
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number == CLIP_FRAMES:
                return
            yield to_lab(frame.reformat(width=192, height=144, format="rgb24").to_ndarray())


def clip_signals(frames: list[Tensor], jump: Callable[[], Tensor]) -> dict[str, float]:
    signals = FilmSignals()
    finder = CutFinder()
    for lab in frames:
        is_cut = finder.begins_shot(lab[0, 0].numpy())
        signals.add(lab[:, :1], lab[:, 1:] + jump(), cut=is_cut)
    return signals.result()


def measure_clips(folder: Path, rng: np.random.Generator) -> None:
    found: dict[str, list[bool]] = {}
    for path in sorted(folder.iterdir()):
        try:
            frames = list(clip_frames(path))
        except (av.error.FFmpegError, ValueError) as error:
            print(f"  {path.name}: left out, {error}")
            continue
        if len(frames) < 3:
            continue
        values = []
        for size in (0.0, 1.0, 2.0, 4.0):
            signals = clip_signals(frames, lambda size=size: vector(size, rng))
            values.append(signals["flicker"])
            is_found = any(r.startswith("flicker") for r in suspicions(signals, {}))
            found.setdefault(f"{size:g}", []).append(is_found)
        print(f"  {path.name}: flicker", np.round(values, 2))
    for size, hits in found.items():
        what = "false alarms" if size == "0" else f"recall at jumps of {size} ab units"
        print(f"flicker: {what} {sum(hits) / len(hits):.0%} of {len(hits)} clips")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--weights")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    colorizer = Colorizer.load(options.weights) if options.weights else None
    measure_photos(load_photos(options.photos, colorizer), rng)
    if options.clips:
        measure_clips(options.clips, rng)


if __name__ == "__main__":
    main()
