"""What references bring to photos.

    python -m bench.known_colors COLOR_CLIP... [--photos FOLDER] [--pairs N] [--sheet FILE]

Pairs are frames of one shot 1 to 2 s apart, and photos beside their own crop, mirrored and relit;
each is also given a picture that it has nothing to do with: of another clip, another photo.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from colorize_core.color.lab import rgb_to_lab
from colorize_core.evaluation.clips import make_clip
from colorize_core.inference.colorizer import Colorizer
from colorize_core.media.film.ground_truth import read_color_clip
from colorize_core.media.film.probe import probe_film
from colorize_core.metrics.image import ciede2000

Picture = NDArray[np.uint8]

SIZE = 448
WORKING = 256
_ON_SHEET = 8


@dataclass(frozen=True)
class Pair:
    """A picture, another one of the same, and one of something else."""

    picture: Picture
    reference: Picture
    other: Picture


def colored(picture: Picture, colorizer: Colorizer, *references: Picture) -> tuple[Picture, float]:
    """A photo made gray and colored, and its mean CIEDE2000."""
    gray = np.asarray(Image.fromarray(picture).convert("L"))
    rgb = colorizer.colorize(gray, reference=references)
    return rgb, float(ciede2000(_lab(rgb), _lab(picture)).mean())


def _lab(rgb: Picture) -> torch.Tensor:
    return rgb_to_lab(torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1)[None])


def shots(path: Path, frames: int, *, least: int = 24) -> list[Picture]:
    """Of the first frames of a clip the shots that are long enough, [n, H, W, 3] each."""
    truth = read_color_clip(path, side=SIZE, frames=frames, max_pixels=70_000_000)
    moved = make_clip(truth, working=WORKING).moved
    borders = [0, *(n for n, motion in enumerate(moved, 1) if motion is None), len(truth)]
    return [truth[a:b] for a, b in itertools.pairwise(borders) if b - a >= least]


def frame_pairs(
    clips: dict[str, list[Picture]], rates: dict[str, float], count: int
) -> Iterator[Pair]:
    """Frames of one shot, 1 to 2 s apart, and a frame of another clip."""
    for name, found in clips.items():
        others = [shot for other in clips if other != name for shot in clips[other]] or found
        longest = [shot for shot in found if len(shot) > rates[name]] or [max(found, key=len)]
        for _ in range(count):
            shot = random.choice(longest)
            apart = min(len(shot) - 1, round(random.uniform(1, 2) * rates[name]))
            first = random.randrange(len(shot) - apart)
            yield Pair(shot[first], shot[first + apart], random.choice(random.choice(others)))


def made_pairs(folder: Path, count: int) -> list[Pair]:
    """Four fifths of photos mirrored and relit, the photos themselves, and other photos."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".png", ".webp"))
    chosen = random.sample(files, min(count, len(files)))
    found = [np.asarray(Image.open(path).convert("RGB")) for path in chosen]
    others = found[len(found) // 2 :] + found[: len(found) // 2]
    return [Pair(_part(whole), whole, other) for whole, other in zip(found, others, strict=True)]


def _part(whole: Picture) -> Picture:
    high, wide = whole.shape[:2]
    y, x = random.randrange(high // 5 + 1), random.randrange(wide // 5 + 1)
    part = whole[y : y + high * 4 // 5, x : x + wide * 4 // 5]
    part = part[:, ::-1] if random.random() < 0.5 else part
    relit = 255 * (part / 255) ** random.uniform(0.7, 1.4) * random.uniform(0.85, 1)
    return np.ascontiguousarray(relit.astype(np.uint8))


def judge(name: str, pairs: list[Pair], colorizer: Colorizer) -> list[list[Picture]]:
    """Print what references of the same and of something else do; pictures of each pair."""
    rows, errors = [], []
    for pair in pairs:
        results = [
            colored(pair.picture, colorizer),
            colored(pair.picture, colorizer, pair.reference),
            colored(pair.picture, colorizer, pair.other),
        ]
        errors.append([error for _, error in results])
        rows.append([pair.picture, pair.reference, pair.other, *(rgb for rgb, _ in results)])
    alone, given, unlike = np.array(errors).T
    cells = [
        f"{values.mean():.2f} ({change(values.mean(), alone.mean())})" for values in (given, unlike)
    ]
    worst = [f"{100 * (values / alone - 1).max():+.0f} %" for values in (given, unlike)]
    print(
        f"| {name}, {len(pairs)} | {alone.mean():.2f} | {cells[0]} | {worst[0]} "
        f"| {cells[1]} | {worst[1]} |",
        flush=True,
    )
    return rows


def change(after: float, before: float) -> str:
    """In percent."""
    return f"{100 * (after / before - 1):+.1f} %"


def sheet(rows: list[list[Picture]]) -> Image.Image:
    """Truth, reference, something else, alone, with the one, with the other."""
    lines = [
        np.concatenate([np.asarray(Image.fromarray(p).resize((192, 144))) for p in row], 1)
        for row in rows
    ]
    return Image.fromarray(np.concatenate(lines))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--photos", type=Path, help="folder of color photos for made pairs")
    parser.add_argument("--pairs", type=int, default=10, help="of each clip")
    parser.add_argument("--made", type=int, default=40, help="pairs of photos")
    parser.add_argument("--frames", type=int, default=250, help="of each clip")
    parser.add_argument("--sheet", type=Path, help="picture of some pairs")
    parser.add_argument("--weights", default="shipped")
    args = parser.parse_args()
    torch.set_num_threads(1)
    random.seed(1)
    colorizer = Colorizer.load(args.weights, device="cpu", render_size=WORKING)
    print("Mean CIEDE2000, and the worst change of a single picture.")
    print("| pairs | alone | a reference of it | | of something else | |")
    print("|---|---|---|---|---|---|", flush=True)
    shown = []
    if args.clips:
        clips = {path.stem: shots(path, args.frames) for path in args.clips}
        rates = {path.stem: float(probe_film(path).frame_rate) for path in args.clips}
        shown += judge("frames", list(frame_pairs(clips, rates, args.pairs)), colorizer)
    if args.photos:
        shown += judge("photos", made_pairs(args.photos, args.made), colorizer)
    if args.sheet:
        sheet(shown[:: max(1, len(shown) // (2 * _ON_SHEET))]).save(args.sheet)


if __name__ == "__main__":
    main()
