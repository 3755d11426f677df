"""Colors that hold still: with and without the anchors of a shot, at the same weights.

python -m bench.steadiness CLIP... [--weights FILE] [--frames N] [--rate N] [--sheets FOLDER]

Of color clips, made gray: drift of surfaces over 2 s and longer (see metrics.drift), CDC at 1, 5
and 25 frames, warp error, CIEDE2000 and colorfulness. Of all clips, gray ones too, sheets of 12
frames: the generator with the stabilizer above, with anchors below.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from colorize_core.color.lab import lab_to_rgb
from colorize_core.config import TemporalSettings
from colorize_core.evaluation.clips import (
    Clip,
    full_frames,
    held_ab,
    make_clip,
    measure_frames,
    per_frame_ab,
)
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.temporal import stabilize
from colorize_core.media.film.ground_truth import has_color, read_clip
from colorize_core.metrics.drift import drift, follow
from colorize_core.metrics.temporal import cdc, color_histograms

Array = NDArray[np.float32]

_SIDE = 256
_SECONDS = (1, 2, 4, 10)
_ON_SHEET = 12


def treatments(clip: Clip, colorizer: Colorizer) -> Iterator[tuple[str, Array, float]]:
    """Name, ab [n, 2, h, w] and processor milliseconds a frame, the generator's among them."""
    yield "stabilizer", *_timed(clip, per_frame_ab, colorizer)
    yield "and anchors", *_timed(clip, held_ab, colorizer)


def _timed(
    clip: Clip, color: Callable[[Clip, Colorizer], Array], colorizer: Colorizer
) -> tuple[Array, float]:
    started = time.process_time()
    frames = zip(clip.small_L, color(clip, colorizer), strict=True)
    steady = np.stack(list(stabilize(frames, TemporalSettings())))
    return steady, (time.process_time() - started) / len(steady) * 1e3


def figures(clip: Clip, ab: Array, rate: int) -> Iterator[str]:
    """The cells of a row."""
    tracks = follow(clip.moved, (clip.small_L.shape[1], clip.small_L.shape[2]))
    for seconds in _SECONDS:
        mine, real, count = drift(ab, clip.small_ab, tracks, round(seconds * rate))
        yield f"{mine:.2f} ({real:.2f})" if count >= 50 else "-"
    yield " ".join(f"{1e3 * value:.1f}" for value in _cdc(clip, ab))
    found = measure_frames(clip, full_frames(clip, ab))
    yield f"{found.warp_dis_ab:.2f}"
    yield f"{found.ciede2000:.2f}"
    yield f"{found.colorfulness:.2f}"


def _cdc(clip: Clip, ab: Array) -> Iterator[float]:
    """At 1, 5 and 25 frames, within shots."""
    borders = [0, *(n for n, moved in enumerate(clip.moved, 1) if moved is None), len(ab)]
    histograms = [color_histograms(rgb) for rgb in _pictures(clip, ab)]
    for distance in (1, 5, 25):
        shots = [histograms[a:b] for a, b in pairwise(borders) if b - a > distance]
        lengths = [len(shot) - distance for shot in shots]
        values = [cdc(shot, [distance]) for shot in shots]
        yield float(np.average(values, weights=lengths)) if shots else float("nan")


def _pictures(clip: Clip, ab: Array) -> Iterator[Array]:
    """RGB [3, H, W] in 0..1."""
    for lab in full_frames(clip, ab):
        yield lab_to_rgb(lab).clamp(0, 1)[0].numpy()


def sheet(clip: Clip, rows: list[Array]) -> Image.Image:
    """Twelve frames spread over the clip in columns of two rows each."""
    numbers = np.linspace(0, len(rows[0]) - 1, _ON_SHEET).round().astype(int)
    lines = []
    for ab in rows:
        shown = [p for n, p in enumerate(_pictures(clip, ab)) if n in set(numbers.tolist())]
        lines.append(np.concatenate(shown, 2))
    half = lines[0].shape[2] // 2
    parts = [line[:, :, :half] for line in lines] + [line[:, :, half : 2 * half] for line in lines]
    whole = np.concatenate(parts, 1).transpose(1, 2, 0)
    return Image.fromarray((whole * 255).round().astype(np.uint8))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--weights", default="shipped")
    parser.add_argument("--frames", type=int, default=100, help="of each clip")
    parser.add_argument("--rate", type=int, default=25, help="frames per second of all clips")
    parser.add_argument("--sheets", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    torch.set_num_threads(1)
    colorizer = Colorizer.load(args.weights, device="cpu", batch_size=8)
    lags = " | ".join(f"{n} s" for n in _SECONDS)
    print(f"Drift in ab over {lags} (the truth's own); CDC x1000 at 1, 5, 25 frames; processor ms.")
    print(f"| clip | | {lags} | CDC | warp error | CIEDE2000 | colorfulness | ms a frame |")
    print("|---|---|" + "---|" * (len(_SECONDS) + 5), flush=True)
    for path in args.clips:
        truth = read_clip(path, side=_SIDE, frames=args.frames)
        clip = make_clip(truth, working=_SIDE)
        rows = []
        for name, ab, each in treatments(clip, colorizer):
            rows.append(ab)
            cells = figures(clip, ab, args.rate) if has_color(truth) else []
            print("| " + " | ".join([path.stem, name, *cells, f"{each:.0f}"]) + " |", flush=True)
        if args.sheets:
            args.sheets.mkdir(parents=True, exist_ok=True)
            sheet(clip, rows).save(args.sheets / f"{path.stem}.png")


if __name__ == "__main__":
    main()
