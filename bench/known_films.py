"""What known colors bring to films: the first frame of each shot, or five points on it.

    python -m bench.known_films [COLOR_CLIP...] [--photos FOLDER] [--frames N]

The protocol of exemplar papers: of each shot the first frame is given in color, and the rest is
judged, at most 100 frames, beside: nothing given, the stabilizer alone, the stabilizer with
anchors (what the job does without hints), and ab copied along the motion alone. Made clips are
slow pans over photos whose light changes.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from bench.known_colors import WORKING, Picture, change, shots
from colorize_core.config import TemporalSettings
from colorize_core.evaluation.clips import (
    Clip,
    Steadiness,
    full_frames,
    held_ab,
    make_clip,
    measure_frames,
    per_frame_ab,
)
from colorize_core.inference.anchors import Anchors
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.hints import Hint, hint_planes, what_is_meant
from colorize_core.inference.references import CELL, KnownColors, carry_to, known_colors, see
from colorize_core.inference.temporal import stabilize
from colorize_core.media.film.anchor_frames import AnchorShot, spread_frames
from colorize_core.media.motion.flow import FlowEstimator, flow_codes, resize, warp

Array = NDArray[np.float32]

_POINTS = 5
_RATE = 25.0
_PAN = 60  # frames of a made clip


def made_shots(folder: Path, count: int) -> Iterator[Picture]:
    """Pans over photos: two thirds of each are seen, the light falls by a fifth."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".jpg", ".png", ".webp"))
    for path in random.sample(files, min(count, len(files))):
        whole = np.asarray(Image.open(path).convert("RGB").resize((360, 360)), np.float32)
        frames = []
        for n in range(_PAN):
            at = round(n * 119 / (_PAN - 1))
            part = whole[at // 2 : at // 2 + 240, at : at + 240]
            frames.append((part * (1 - 0.2 * n / _PAN)).astype(np.uint8))
        yield np.stack(frames)


def shown_L(clip: Clip, frame: int) -> Tensor:
    """L of a frame as the generator is shown it."""
    return clip.box.to_working(torch.from_numpy(clip.small_L[frame])[None, None])


def carried_ab(clip: Clip, known: list[KnownColors], colorizer: Colorizer) -> Array:
    """Ab of every frame with what is known of the first, and with anchors, as the job does it."""
    shown = [shown_L(clip, n) for n in range(len(clip.truth))]
    anchors = Anchors(
        [AnchorShot(0, len(shown), spread_frames(0, len(shown), _RATE))],
        lambda frames: {n: shown[n] for n in frames},
        colorizer.predict_and_recognize,
        reach=round(20 * _RATE),
    )
    frames = []
    for n, L in enumerate(shown):
        planes = carry_to(colorizer, L, known)
        said = colorizer.predict_and_recognize(L, carried=planes)
        ab = anchors.hold(n, L, said, planes)
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
    meant = what_is_meant(colorizer.recognize(shown)[2:4], shown, planes)
    sure = F.avg_pool2d(meant, CELL)[0].flatten()
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


def judge_shot(truth: Picture, colorizer: Colorizer) -> dict[str, Steadiness]:
    """Figures of all frames of a shot but the first, by row."""
    clip = make_clip(truth, working=WORKING)
    alone = per_frame_ab(clip, colorizer)
    first, points = known_colors(colorizer, truth[0]), points_of(clip, colorizer)
    rows = {
        "nothing given": alone,
        "stabilizer alone": _steady(clip, alone),
        "stabilizer and anchors": _steady(clip, held_ab(clip, colorizer)),
        "ab copied along the motion": along_motion(clip),
        "first frame given": _steady(clip, carried_ab(clip, first, colorizer)),
        "five points": _steady(clip, carried_ab(clip, points, colorizer)),
        "truth": clip.small_ab,
    }
    return {row: _rest(clip, ab) for row, ab in rows.items()}


def _steady(clip: Clip, ab: Array) -> Array:
    pairs = zip(clip.small_L, ab, strict=True)
    return np.stack(list(stabilize(pairs, TemporalSettings())))


def _rest(clip: Clip, ab: Array) -> Steadiness:
    rest = Clip(
        clip.truth[1:], clip.L[1:], clip.small_L[1:], clip.small_ab[1:], clip.moved[1:], clip.box
    )
    return measure_frames(rest, full_frames(rest, ab[1:]))


def mean_of(found: list[tuple[int, Mapping[str, Steadiness]]]) -> dict[str, Steadiness]:
    """Figures of all shots of a clip, each as long as it is."""
    weights = [length for length, _ in found]
    names = [field.name for field in fields(Steadiness)]
    return {
        row: Steadiness(
            *(
                np.average([getattr(s[row], name) for _, s in found], weights=weights)
                for name in names
            )
        )
        for row in found[0][1]
    }


def say(name: str, found: list[tuple[int, Mapping[str, Steadiness]]]) -> None:
    """The rows of one clip."""
    rows = mean_of(found)
    before = rows["stabilizer and anchors"].ciede2000
    frames = sum(length for length, _ in found)
    for row, figures in rows.items():
        print(
            f"| {name}, {len(found)} shots, {frames} frames | {row} "
            f"| {figures.ciede2000:.2f} ({change(figures.ciede2000, before)}) "
            f"| {1000 * figures.warp_dis:.3f} | {figures.warp_dis_ab:.3f} "
            f"| {1000 * figures.cdc:.2f} | {figures.colorfulness:.1f} |",
            flush=True,
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--photos", type=Path, help="folder of color photos for pans")
    parser.add_argument("--pans", type=int, default=4)
    parser.add_argument("--frames", type=int, default=100, help="of each shot, at most")
    parser.add_argument("--weights", default="shipped")
    args = parser.parse_args()
    torch.set_num_threads(1)
    random.seed(1)
    colorizer = Colorizer.load(args.weights, device="cpu", render_size=WORKING)
    print("| | | CIEDE2000 | warp error x1000 | of ab | CDC x1000 | colorfulness |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for path in args.clips:
        found = [shot[: args.frames] for shot in shots(path, 250)]
        say(path.stem, [(len(shot) - 1, judge_shot(shot, colorizer)) for shot in found])
    if args.photos:
        random.seed(1)  # the same photos whatever came before
        pans = list(made_shots(args.photos, args.pans))
        say("pans", [(len(shot) - 1, judge_shot(shot, colorizer)) for shot in pans])


if __name__ == "__main__":
    main()
