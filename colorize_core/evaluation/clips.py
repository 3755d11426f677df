"""Color films as ground truth: made gray, colored, and judged over time.

Every treatment of a clip is compared at one size and along one motion, that of the gray clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from colorize_core.archive.source.contents import stage_item
from colorize_core.archive.source.item import SourceItem
from colorize_core.color.gamut import fit_chroma
from colorize_core.color.lab import L_to_gray, gray_to_L, lab_to_rgb, rgb_to_lab
from colorize_core.color.letterbox import Letterbox
from colorize_core.color.look import Look
from colorize_core.color.pixels import rgb_to_pixels
from colorize_core.color.upsample import Method, upsample_ab
from colorize_core.config import EvaluateConfig
from colorize_core.errors import InputError, UnsupportedError
from colorize_core.evaluation.photos import GENERATOR, GRAY, TRUTH, Example
from colorize_core.inference.anchors import Anchors
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.temporal import stabilize
from colorize_core.media.film.anchor_frames import REACH_SECONDS, AnchorShot, spread_frames
from colorize_core.metrics.image import ciede2000, colorfulness
from colorize_core.metrics.temporal import Motion, cdc, color_histograms, motions, warp_dis

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]

PER_FRAME: Final = f"{GENERATOR}, per frame"
STEADY: Final = f"{GENERATOR}, stabilized"
_RATE: Final = 25.0  # frames per second, where a clip is pictures alone
_LEAST_FRAMES: Final = 5  # CDC compares frames that are 4 apart


@dataclass(frozen=True)
class Clip:
    """A color clip and its gray copy, at full size and as the generator sees it.

    Attributes:
        truth: sRGB [n,H,W,3].
        L: of the gray copy, [n,H,W], 0..100.
        small_L: the same at working size, [n,h,w].
        small_ab: the true colors there, [n,2,h,w].
        moved: motion between consecutive frames, None across a cut.
        box: how the generator sees a frame.
    """

    truth: Picture
    L: Array
    small_L: Array
    small_ab: Array
    moved: list[Motion | None]
    box: Letterbox


@dataclass(frozen=True)
class Steadiness:
    """Figures of one treatment of one clip: see `metrics.temporal` and `metrics.image`."""

    cdc: float
    warp_dis: float
    warp_dis_ab: float
    colorfulness: float
    ciede2000: float

    def figures(self) -> dict[str, float]:
        """By name."""
        return asdict(self)


def make_clip(truth: Picture, *, working: int) -> Clip:
    """Make a color clip gray and find its motion.

    Args:
        truth: sRGB [n,H,W,3].
        working: long side that the generator sees.

    Raises:
        UnsupportedError: too short, or nothing in it can be followed from a frame to the next.
    """
    n, high, wide, _ = truth.shape
    if n < _LEAST_FRAMES:
        raise UnsupportedError(
            f"{n} frames are too few to judge over time", remedy=f"give {_LEAST_FRAMES} or more"
        )
    box = Letterbox.of(high, wide, working)
    L = np.empty((n, high, wide), np.float32)
    small = np.empty((n, 3, *box.stored_size), np.float32)
    for i, frame in enumerate(truth):
        lab = rgb_to_lab(_rgb(frame))
        # The generator gets what an 8-bit gray film would give it.
        lab[:, :1] = gray_to_L((L_to_gray(lab[:, :1]) * 255).round() / 255)
        L[i] = lab[0, 0].numpy()
        small[i] = box.shrink(lab)[0].numpy()
    moved = list(motions(L))
    if not any(motion is not None and motion.visible.any() for motion in moved):
        raise UnsupportedError(
            "no two consecutive frames show the same", remedy="give clips with a shot in them"
        )
    return Clip(truth, L, small[:, 0], small[:, 1:], moved, box)


def per_frame_ab(clip: Clip, colorizer: Colorizer, *, look: Look = "natural") -> Array:
    """The generator's ab of each frame by itself, [n,2,h,w]."""
    parts: list[Tensor] = []
    for frames in torch.split(torch.from_numpy(clip.small_L)[:, None], colorizer.batch_size):
        shown = [clip.box.to_working(L[None]) for L in frames]
        parts += colorizer.predict_pictures([clip.box] * len(shown), shown, look=look)
    return torch.cat(parts).numpy()


def held_ab(clip: Clip, colorizer: Colorizer, *, look: Look = "natural") -> Array:
    """Ab of each frame drawn to what key frames of its shot agree on, see `inference.anchors`."""
    if not colorizer.can_recognize:
        return per_frame_ab(clip, colorizer, look=look)
    shown = [clip.box.to_working(torch.from_numpy(L)[None, None]) for L in clip.small_L]
    borders = [0, *(n for n, moved in enumerate(clip.moved, 1) if moved is None), len(shown)]
    anchors = Anchors(
        (AnchorShot(a, b, spread_frames(a, b, _RATE)) for a, b in pairwise(borders)),
        lambda frames: {n: shown[n] for n in frames},
        partial(colorizer.predict_and_recognize, look=look),
        reach=round(REACH_SECONDS * _RATE),
    )
    held = []
    for start in range(0, len(shown), colorizer.batch_size):
        batch = shown[start : start + colorizer.batch_size]
        said = anchors.predict(torch.cat(batch)).chunk(len(batch))
        held += [
            anchors.hold(start + n, *frame) for n, frame in enumerate(zip(batch, said, strict=True))
        ]
    return np.stack([clip.box.from_working(color)[0].numpy() for color in held])


def full_frames(clip: Clip, ab: Array, method: Method = "guided") -> Iterator[Tensor]:
    """Lab [1,3,H,W] at full size from ab [n,2,h,w] at working size, as a film would get it."""
    for L, small_L, small in zip(clip.L, clip.small_L, ab, strict=True):
        full_L = torch.from_numpy(L)[None, None]
        small_light = torch.from_numpy(small_L)[None, None]
        full = upsample_ab(torch.from_numpy(small)[None], small_light, full_L, method=method)
        yield fit_chroma(torch.cat([full_L, full], 1))


def gray_frames(clip: Clip) -> Iterator[Tensor]:
    """Lab [1,3,H,W] of the gray copy."""
    for L in clip.L:
        light = torch.from_numpy(L)[None, None]
        yield torch.cat([light, torch.zeros_like(light).expand(-1, 2, -1, -1)], 1)


def true_frames(clip: Clip) -> Iterator[Tensor]:
    """Lab [1,3,H,W] of the ground truth."""
    for frame in clip.truth:
        yield rgb_to_lab(_rgb(frame))


def measure_frames(clip: Clip, labs: Iterable[Tensor]) -> Steadiness:
    """Judge a sequence of Lab frames [1,3,H,W], one for each of the clip's."""
    histograms, rgbs, abs_, vivid, distances = [], [], [], [], []
    for lab, truth in zip(labs, true_frames(clip), strict=True):
        rgb = lab_to_rgb(lab).clamp(0, 1)
        rgbs.append(rgb[0].numpy())
        abs_.append(lab[0, 1:].numpy())
        histograms.append(color_histograms(rgbs[-1]))
        vivid.append(float(colorfulness(rgb)))
        distances.append(float(ciede2000(lab, truth).mean()))
    return Steadiness(
        cdc=cdc(histograms),
        warp_dis=warp_dis(rgbs, clip.moved),
        warp_dis_ab=warp_dis(abs_, clip.moved),
        colorfulness=float(np.mean(vivid)),
        ciede2000=float(np.mean(distances)),
    )


@dataclass
class ClipEvaluation:
    """Figures of every clip.

    Attributes:
        clips: by path of the clip, then by row.
        frames: judged, of all clips.
        failed: items that gave no figures, as (path, error).
        examples: a frame from the middle of each clip.
    """

    clips: dict[str, dict[str, Steadiness]] = field(default_factory=dict)
    frames: int = 0
    failed: list[tuple[str, InputError]] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)


@torch.inference_mode()
def evaluate_clips(
    items: Iterable[SourceItem], config: EvaluateConfig, colorizer: Colorizer, staging: Path
) -> ClipEvaluation:
    """Judge the generator on color films, one in memory at a time.

    Args:
        items: color films.
        config: its render, temporal and clip settings are used.
        colorizer: with the batch and working size of `config.render`.
        staging: folder for a copy of a film that is not a local file.
    """
    # Stills are evaluated where PyAV is not installed, too.
    from colorize_core.media.film.ground_truth import read_color_clip

    result = ClipEvaluation()
    for item in items:
        try:
            with stage_item(item, staging) as path:
                truth = read_color_clip(
                    path,
                    side=config.clip_side,
                    frames=config.clip_frames,
                    max_pixels=config.max_pixels,
                )
            clip = make_clip(truth, working=config.render.size)
        except InputError as error:
            result.failed.append((item.path, error))
            continue
        treated = _treatments(clip, config, colorizer)
        rows = {GRAY: measure_frames(clip, gray_frames(clip))}
        for name, ab in treated.items():
            rows[name] = measure_frames(clip, full_frames(clip, ab, config.render.upsample))
        result.clips[item.path] = {**rows, TRUTH: measure_frames(clip, true_frames(clip))}
        result.frames += len(truth)
        result.examples.append(_example(item.path, clip, list(treated.values())[-1]))
    return result


def _treatments(clip: Clip, config: EvaluateConfig, colorizer: Colorizer) -> dict[str, Array]:
    look, strength = config.render.look, config.render.strength
    ab = per_frame_ab(clip, colorizer, look=look)
    if not config.temporal.enabled:
        return {PER_FRAME: ab * strength}
    held = held_ab(clip, colorizer, look=look) if config.temporal.anchors else ab
    pairs = zip(clip.small_L, held * strength, strict=True)
    return {PER_FRAME: ab * strength, STEADY: np.stack(list(stabilize(pairs, config.temporal)))}


def _example(path: str, clip: Clip, ab: Array) -> Example:
    middle = len(clip.truth) // 2
    pictures = {
        GRAY: _pixels(next(islice(gray_frames(clip), middle, None))),
        GENERATOR: _pixels(next(islice(full_frames(clip, ab), middle, None))),
        TRUTH: clip.truth[middle],
    }
    return Example(f"{path}, frame {middle}", pictures)


def _pixels(lab: Tensor) -> Picture:
    return rgb_to_pixels(lab_to_rgb(lab).clamp(0, 1), np.dtype(np.uint8)).astype(np.uint8)


def _rgb(frame: Picture) -> Tensor:
    return torch.from_numpy(frame.astype(np.float32) / 255).permute(2, 0, 1)[None]
