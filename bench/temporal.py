"""How steady the colors of films are: per frame, plain mean of 5, stabilizer, ground truth.

python -m bench.temporal COLOR_CLIP... [--weights FILE] [--frames N] [--flicker]

Each clip is made gray, colored and compared with itself; a made clip with two shots comes last.
With --flicker the colors are not the generator's but the true ones with casts, blotches and noise.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colorize_core.config import TemporalSettings
from colorize_core.evaluation.clips import (
    Clip,
    full_frames,
    make_clip,
    measure_frames,
    per_frame_ab,
    true_frames,
)
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.temporal import stabilize
from colorize_core.media.film.ground_truth import read_color_clip
from colorize_core.media.motion.flow import resize, warp
from colorize_core.samples import sample_pictures

Array = NDArray[np.float32]

SIZE = 448  # long side at which steadiness is measured
WORKING = 256
SHOT_FRAMES = 48


def made_clip() -> NDArray[np.uint8]:
    """Two shots: a pan over a photo, in front of which discs with parts of other photos move."""
    photos = sample_pictures()
    shots = (("astronaut", "coffee", 1), ("coffee", "cat", 2))
    return np.concatenate([_made_shot(photos[a], photos[b], seed) for a, b, seed in shots])


def _made_shot(ground: NDArray[np.uint8], skins: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    high, wide, discs = SIZE * 9 // 16, SIZE, 5
    back, front = _stretched(ground, 1.25, high, wide), _stretched(skins, 1.0, high, wide)
    y, x = np.mgrid[:high, :wide].astype(np.float32)
    centers = rng.uniform((0, 0), (wide, high), (discs, 2))
    sources = rng.uniform((60, 60), (wide - 60, high - 60), (discs, 2))
    steps, radii = rng.uniform(-4, 4, (discs, 2)), rng.uniform(25, 60, discs)
    frames = []
    for t in range(SHOT_FRAMES):
        frame = _window(back, 1.7 * t + 5, 0.9 * t + 5, high, wide)
        for center, source, step, radius in zip(centers, sources, steps, radii, strict=True):
            cx, cy = center + step * t
            inside = np.hypot(x - cx, y - cy) < radius
            frame[inside] = _window(front, source[0] - cx, source[1] - cy, high, wide)[inside]
        frames.append(np.clip(np.rint(frame), 0, 255).astype(np.uint8))
    return np.stack(frames)


def _stretched(picture: NDArray[np.uint8], factor: float, high: int, wide: int) -> Array:
    """A photo that covers `factor` times the frame."""
    scale = factor * max(high / picture.shape[0], wide / picture.shape[1])
    size = (round(picture.shape[0] * scale), round(picture.shape[1] * scale))
    return resize(picture.astype(np.float32), *size)


def _window(picture: Array, dx: float, dy: float, high: int, wide: int) -> Array:
    shift = np.empty((high, wide, 2), np.float32)
    shift[:] = dx, dy
    return warp(picture, shift)


def flickering(clip: Clip) -> Array:
    """True ab with what a poor generator might add to each frame."""
    rng = np.random.default_rng(0)
    high, wide = clip.small_L.shape[1:]
    out = np.empty_like(clip.small_ab)
    for i, ab in enumerate(clip.small_ab):
        blotches = resize(rng.normal(0, 3, (4, 6, 2)).astype(np.float32), high, wide)
        cast, noise = rng.normal(0, 2, (2, 1, 1)), rng.normal(0, 1, ab.shape)
        out[i] = ab + blotches.transpose(2, 0, 1) + cast + noise
    return out


def mean_of_5(ab: Array) -> Array:
    """Each frame averaged with two before and two after it, whatever they show."""
    return np.stack([ab[max(0, i - 2) : i + 3].mean(0) for i in range(len(ab))])


def report(name: str, clip: Clip, per_frame: Array) -> None:
    """Print the table of one clip."""
    started = time.thread_time()
    pairs = zip(clip.small_L, per_frame, strict=True)
    steady = np.stack(list(stabilize(pairs, TemporalSettings())))
    each = (time.thread_time() - started) / len(per_frame) * 1e3
    rows = {
        "per frame": measure_frames(clip, full_frames(clip, per_frame)),
        "mean of 5": measure_frames(clip, full_frames(clip, mean_of_5(per_frame))),
        "stabilizer": measure_frames(clip, full_frames(clip, steady)),
        "ground truth": measure_frames(clip, true_frames(clip)),
    }
    cuts = sum(motion is None for motion in clip.moved)
    small = "x".join(map(str, clip.small_L.shape[:0:-1]))
    print(f"\n{name}: {len(clip.truth)} frames, {cuts} cuts, stabilizer {each:.1f} ms at {small}")
    print(f"{'':14}{'CDC':>10}{'warp_dis':>12}{'warp_dis ab':>13}{'colorfulness':>14}")
    for treatment, row in rows.items():
        print(
            f"{treatment:14}{row.cdc:10.6f}{row.warp_dis:12.7f}{row.warp_dis_ab:13.4f}"
            f"{row.colorfulness:14.2f}"
        )
    raw, out, truth = rows["per frame"], rows["stabilizer"], rows["ground truth"]
    gap, left = raw.warp_dis_ab - truth.warp_dis_ab, out.warp_dis_ab - truth.warp_dis_ab
    verdict = "reached" if left <= 0.5 * gap else "missed"
    kept = out.colorfulness / raw.colorfulness
    print(f"ab plane: {left:+.4f} against 0.5 x {gap:+.4f}: {verdict}; color kept {kept:.1%}")


def main() -> None:
    """Print a table for each clip."""
    parser = argparse.ArgumentParser(prog="python -m bench.temporal")
    parser.add_argument("clips", nargs="*", type=Path, metavar="COLOR_CLIP")
    parser.add_argument("--weights", default="shipped")
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--flicker", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    colorizer = None if args.flicker else Colorizer.load(args.weights, device="cpu")
    for path in (*args.clips, None):
        truth = read_color_clip(path, side=SIZE, frames=args.frames) if path else made_clip()
        clip = make_clip(truth, working=WORKING)
        ab = flickering(clip) if colorizer is None else per_frame_ab(clip, colorizer)
        report(path.name if path else "made clip", clip, ab)


if __name__ == "__main__":
    main()
