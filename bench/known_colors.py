"""What known colors bring: references for photos, the first frame of a shot, five points.

python -m bench.known_colors COLOR_CLIP... [--photos FOLDER] [--pairs N] [--frames N]

Pairs are frames of one shot 1 to 2 s apart, and photos beside their own crop, mirrored and relit;
each is also given a picture that it has nothing to do with. Of a clip, the first frame is given in
color, or five true points on it, and the rest of its first shot is judged, beside: nothing given,
the stabilizer alone, and ab copied along the motion alone.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from colorize_core.color.lab import rgb_to_lab
from colorize_core.config import TemporalSettings
from colorize_core.evaluation.clips import (
    Clip,
    Steadiness,
    full_frames,
    make_clip,
    measure_frames,
    per_frame_ab,
)
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.hints import Hint, hint_planes, nearness
from colorize_core.inference.references import CELL, KnownColors, carry_to, known_colors, see
from colorize_core.inference.temporal import stabilize
from colorize_core.media.film.ground_truth import read_color_clip
from colorize_core.media.motion.flow import FlowEstimator, flow_codes, resize, warp
from colorize_core.metrics.image import ciede2000

Picture = NDArray[np.uint8]
Array = NDArray[np.float32]

_SIZE = 448
_WORKING = 256
_POINTS = 5


def error(picture: Picture, colorizer: Colorizer, reference: Picture | None) -> float:
    """Mean CIEDE2000 of a photo that was made gray and colored."""
    gray = np.asarray(Image.fromarray(picture).convert("L"))
    given = () if reference is None else (reference,)
    rgb = colorizer.colorize(gray, reference=given)
    return float(ciede2000(_lab(rgb), _lab(picture)).mean())


def _lab(rgb: Picture) -> Tensor:
    return rgb_to_lab(torch.from_numpy(rgb.astype(np.float32) / 255).permute(2, 0, 1)[None])


def frame_pairs(clip: Picture, rate: float, count: int) -> Iterator[tuple[Picture, Picture]]:
    """Frames 1 to 2 s apart; the clip is one shot."""
    for _ in range(count):
        apart = min(len(clip) - 1, round(random.uniform(1, 2) * rate))
        first = random.randrange(len(clip) - apart)
        yield clip[first], clip[first + apart]


def made_pairs(folder: Path, count: int) -> Iterator[tuple[Picture, Picture]]:
    """Photos, and four fifths of each mirrored and relit."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".png", ".webp"))
    for path in random.sample(files, min(count, len(files))):
        whole = np.asarray(Image.open(path).convert("RGB"))
        high, wide = whole.shape[:2]
        y, x = random.randrange(high // 5 + 1), random.randrange(wide // 5 + 1)
        part = whole[y : y + high * 4 // 5, x : x + wide * 4 // 5]
        part = part[:, ::-1] if random.random() < 0.5 else part
        relit = 255 * (part / 255) ** random.uniform(0.7, 1.4) * random.uniform(0.85, 1)
        yield np.ascontiguousarray(relit.astype(np.uint8)), whole


def judge_pairs(name: str, pairs: list[tuple[Picture, Picture]], colorizer: Colorizer) -> None:
    """Print what references of the same and of something else do."""
    alone = [error(picture, colorizer, None) for picture, _ in pairs]
    given = [error(picture, colorizer, reference) for picture, reference in pairs]
    others = [pairs[(i + len(pairs) // 2) % len(pairs)][1] for i in range(len(pairs))]
    wrong = [error(pair[0], colorizer, other) for pair, other in zip(pairs, others, strict=True)]
    before, after, unlike = (float(np.mean(values)) for values in (alone, given, wrong))
    print(
        f"| {name}, {len(pairs)} pairs | {before:.2f} | {after:.2f} ({_change(after, before)}) "
        f"| {unlike:.2f} ({_change(unlike, before)}) |",
        flush=True,
    )


def _change(after: float, before: float) -> str:
    return f"{100 * (after / before - 1):+.0f} %"


def shown_L(clip: Clip, frame: int) -> Tensor:
    """L of a frame as the generator is shown it."""
    return clip.box.to_working(torch.from_numpy(clip.small_L[frame])[None, None])


def carried_ab(clip: Clip, known: list[KnownColors], colorizer: Colorizer) -> Array:
    """Ab of every frame with what is known of the first."""
    frames = []
    for n in range(len(clip.truth)):
        shown = shown_L(clip, n)
        ab = colorizer.predict_ab(shown, carried=carry_to(colorizer, shown, known))
        frames.append(clip.box.from_working(ab)[0].numpy())
    return np.stack(frames)


def points_of(clip: Clip, colorizer: Colorizer) -> list[KnownColors]:
    """The first frame colored with five true points, as a film is."""
    random.seed(5)
    size = (clip.box.height, clip.box.width)
    hints = []
    for _ in range(_POINTS):
        y, x = random.randrange(4, size[0] - 4), random.randrange(4, size[1] - 4)
        a, b = clip.small_ab[0, :, y - 3 : y + 4, x - 3 : x + 4].mean((1, 2))
        hints.append(Hint(y, x, float(a), float(b)))
    shown, planes = shown_L(clip, 0), hint_planes(hints, clip.box, size)
    ab = colorizer.predict_ab(shown, planes)
    sure = F.avg_pool2d(nearness(shown, planes), CELL)[0].flatten()
    cells = F.avg_pool2d(ab, CELL)[0].flatten(1).T
    return [KnownColors(see(colorizer, shown), cells, sure)]


def along_motion(clip: Clip) -> Array:
    """The first frame's true ab, warped from frame to frame."""
    flow = FlowEstimator("medium")
    high, wide = clip.small_L.shape[1:]
    frames = [clip.small_ab[0]]
    for before, after in zip(clip.small_L, clip.small_L[1:], strict=False):
        moved = flow(flow_codes(after), flow_codes(before))
        frames.append(np.stack([warp(resize(plane, high, wide), moved) for plane in frames[-1]]))
    return np.stack(frames)


def judge_clip(name: str, truth: Picture, colorizer: Colorizer) -> None:
    """Print the rows of one clip."""
    clip = make_clip(truth, working=_WORKING)
    alone = per_frame_ab(clip, colorizer)
    first = known_colors(colorizer, truth[0])
    rows = {
        "nothing given": alone,
        "stabilizer alone": _steady(clip, alone),
        "ab copied along the motion": along_motion(clip),
        "first frame given": _steady(clip, carried_ab(clip, first, colorizer)),
        "five points": _steady(clip, carried_ab(clip, points_of(clip, colorizer), colorizer)),
        "truth": clip.small_ab,
    }
    found = {row: _rest(clip, ab) for row, ab in rows.items()}
    before = found["stabilizer alone"].ciede2000
    for row, figures in found.items():
        print(
            f"| {name} | {row} | {figures.ciede2000:.2f} ({_change(figures.ciede2000, before)}) "
            f"| {1000 * figures.warp_dis:.3f} | {1000 * figures.cdc:.2f} "
            f"| {figures.colorfulness:.1f} |",
            flush=True,
        )


def _steady(clip: Clip, ab: Array) -> Array:
    pairs = zip(clip.small_L, ab, strict=True)
    return np.stack(list(stabilize(pairs, TemporalSettings())))


def _rest(clip: Clip, ab: Array) -> Steadiness:
    """Figures of all frames but the first."""
    rest = Clip(
        clip.truth[1:], clip.L[1:], clip.small_L[1:], clip.small_ab[1:], clip.moved[1:], clip.box
    )
    return measure_frames(rest, full_frames(rest, ab[1:]))


def _first_shot(clip: Clip, least: int = 24) -> slice:
    """From the first cut with enough frames behind it, to the next."""
    cuts = [0, *(n + 1 for n, moved in enumerate(clip.moved) if moved is None), len(clip.truth)]
    spans = itertools.pairwise(cuts)
    return next((slice(a, b) for a, b in spans if b - a >= least), slice(0, len(clip.truth)))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--photos", type=Path, help="folder of color photos for made pairs")
    parser.add_argument("--pairs", type=int, default=10, help="of each clip")
    parser.add_argument("--frames", type=int, default=100, help="of each clip")
    parser.add_argument("--weights", default="shipped")
    args = parser.parse_args()
    torch.set_num_threads(1)
    random.seed(1)
    colorizer = Colorizer.load(args.weights, device="cpu")
    clips = {}
    for path in args.clips:
        truth = read_color_clip(path, side=_SIZE, frames=args.frames, max_pixels=70_000_000)
        clips[path.stem] = truth[_first_shot(make_clip(truth, working=_WORKING))]
    print("| | alone | a reference of it | of something else |\n|---|---|---|---|", flush=True)
    pairs = [p for clip in clips.values() for p in frame_pairs(clip, 25.0, args.pairs)]
    if pairs:
        judge_pairs("frames", random.sample(pairs, len(pairs)), colorizer)
    if args.photos:
        made = list(made_pairs(args.photos, 4 * args.pairs))
        judge_pairs("photos", made, colorizer)
    print("\n| clip | | CIEDE2000 | warp error x1000 | CDC x1000 | colorfulness |")
    print("|---|---|---|---|---|---|", flush=True)
    for name, truth in clips.items():
        judge_clip(name, truth, colorizer)


if __name__ == "__main__":
    main()
