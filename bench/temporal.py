"""How steady the colors of films are: per frame, plain mean of 5, stabilizer, ground truth.

python -m bench.temporal COLOR_CLIP... [--weights FILE] [--frames N] [--flicker]

Each clip is made gray, colored and compared with itself; a made clip with two shots comes last.
With --flicker the colors are not the generator's but the true ones with casts, blotches and noise.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from colorize_core.color.gamut import fit_chroma
from colorize_core.color.lab import L_to_gray, gray_to_L, lab_to_rgb, rgb_to_lab
from colorize_core.color.upsample import upsample_ab
from colorize_core.config import TemporalSettings
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.temporal import stabilize
from colorize_core.media.flow import resize, warp
from colorize_core.media.resize import squeezed
from colorize_core.metrics.image import colorfulness
from colorize_core.metrics.temporal import Motion, cdc, color_histograms, motions, warp_dis
from colorize_core.samples import sample_pictures

Array = NDArray[np.float32]

SIZE = 448  # long side at which steadiness is measured
WORKING = 256
GRID = 32
SHOT_FRAMES = 48


@dataclass
class Clip:
    """True colors sRGB [n,H,W,3] uint8; L [n,H,W] of its gray copy; that and true ab, small."""

    name: str
    truth: NDArray[np.uint8]
    L: Array
    small_L: Array
    small_ab: Array
    moved: list[Motion | None]


@dataclass
class Row:
    """Figures of one treatment."""

    cdc: float
    warp: float
    warp_ab: float
    colorfulness: float


def make_clip(name: str, truth: NDArray[np.uint8]) -> Clip:
    """Derive everything that the treatments and the metrics need."""
    n, high, wide, _ = truth.shape
    scale = WORKING / max(high, wide)
    small_size = (round(high * scale), round(wide * scale))
    L = np.empty((n, high, wide), np.float32)
    small = np.empty((n, 3, *small_size), np.float32)
    for i, frame in enumerate(truth):
        lab = rgb_to_lab(_rgb(frame))
        # The generator gets what an 8-bit gray film would give it.
        lab[:, :1] = gray_to_L((L_to_gray(lab[:, :1]) * 255).round() / 255)
        L[i] = lab[0, 0].numpy()
        small[i] = F.interpolate(lab, small_size, mode="bilinear", antialias=True)[0].numpy()
    return Clip(name, truth, L, small[:, 0], small[:, 1:], list(motions(L)))


def read_clip(path: Path, frames: int) -> NDArray[np.uint8]:
    """The first frames, [n,H,W,3], square pixels, long side SIZE."""
    pictures = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        aspect = float(stream.sample_aspect_ratio or 1)
        for frame in container.decode(stream):
            scale = SIZE / max(frame.width * aspect, frame.height)
            size = (round(frame.height * scale), round(frame.width * aspect * scale))
            pictures.append(squeezed(frame.to_ndarray(format="rgb24"), *size))
            if len(pictures) == frames:
                break
    return np.stack(pictures)


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


def generated(clip: Clip, colorizer: Colorizer) -> Array:
    """The generator's ab, frame by frame, [n,2,h,w]."""
    high, wide = clip.small_L.shape[1:]
    padding = (0, -wide % GRID, 0, -high % GRID)
    out = []
    for L in clip.small_L:
        padded = F.pad(torch.from_numpy(L)[None, None], padding, mode="reflect")
        out.append(colorizer.predict_ab(padded)[0, :, :high, :wide].numpy())
    return np.stack(out)


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


def measure(clip: Clip, labs: Iterator[torch.Tensor]) -> Row:
    """All figures of a sequence of Lab frames [1,3,H,W]."""
    frames = [(lab[0, 1:].numpy(), lab_to_rgb(lab).clamp(0, 1)) for lab in labs]
    return Row(
        cdc(color_histograms(rgb[0].numpy()) for _, rgb in frames),
        warp_dis((rgb[0].numpy() for _, rgb in frames), clip.moved),
        warp_dis((ab for ab, _ in frames), clip.moved),
        float(np.mean([float(colorfulness(rgb)) for _, rgb in frames])),
    )


def true_frames(clip: Clip) -> Iterator[torch.Tensor]:
    """Lab of the ground truth."""
    for frame in clip.truth:
        yield rgb_to_lab(_rgb(frame))


def full_frames(clip: Clip, ab: Array) -> Iterator[torch.Tensor]:
    """Lab at full size from the small ab, as a film would get it."""
    for L, small_L, small in zip(clip.L, clip.small_L, ab, strict=True):
        full_L = torch.from_numpy(L)[None, None]
        small_light = torch.from_numpy(small_L)[None, None]
        full = upsample_ab(torch.from_numpy(small)[None], small_light, full_L)
        yield fit_chroma(torch.cat([full_L, full], 1))


def _rgb(frame: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(frame.astype(np.float32) / 255).permute(2, 0, 1)[None]


def report(clip: Clip, per_frame: Array) -> None:
    """Print the table of one clip."""
    started = time.thread_time()
    pairs = zip(clip.small_L, per_frame, strict=True)
    steady = np.stack(list(stabilize(pairs, TemporalSettings())))
    each = (time.thread_time() - started) / len(per_frame) * 1e3
    rows = {
        "per frame": measure(clip, full_frames(clip, per_frame)),
        "mean of 5": measure(clip, full_frames(clip, mean_of_5(per_frame))),
        "stabilizer": measure(clip, full_frames(clip, steady)),
        "ground truth": measure(clip, true_frames(clip)),
    }
    cuts = sum(motion is None for motion in clip.moved)
    small = "x".join(map(str, clip.small_L.shape[:0:-1]))
    print(
        f"\n{clip.name}: {len(clip.truth)} frames, {cuts} cuts, stabilizer {each:.1f} ms at {small}"
    )
    print(f"{'':14}{'CDC':>10}{'warp_dis':>12}{'warp_dis ab':>13}{'colorfulness':>14}")
    for name, row in rows.items():
        print(
            f"{name:14}{row.cdc:10.6f}{row.warp:12.7f}{row.warp_ab:13.4f}{row.colorfulness:14.2f}"
        )
    raw, out, truth = rows["per frame"], rows["stabilizer"], rows["ground truth"]
    gap, left = raw.warp_ab - truth.warp_ab, out.warp_ab - truth.warp_ab
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
    sources = {path.name: (lambda p=path: read_clip(p, args.frames)) for path in args.clips}
    sources["made clip"] = made_clip
    for name, read in sources.items():
        clip = make_clip(name, read())
        report(clip, flickering(clip) if colorizer is None else generated(clip, colorizer))


if __name__ == "__main__":
    main()
