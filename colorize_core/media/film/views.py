"""Two views of a stretch of film: one frame's luma with the color that goes along with the motion.

Noise of a tape, rainbows and flicker color each frame of a black-and-white film, and no two alike.
What a film truly shows keeps its color while it moves. So color is averaged along the motion, over
the first half of the frames and over the second: what both halves show is color.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.media.motion.flow import (
    Flow,
    FlowEstimator,
    Picture,
    blur,
    compose,
    flow_codes,
    stays_inside,
    warp,
)

_LEAST_FRAMES: Final = 8

_LUMA_BLUR: Final = 1.5  # pixels, against grain
_ALIKE: Final = 0.05  # difference of such lumas from which two places are not the same thing
_LEAST_SEEN: Final = 0.5  # share of the picture that must be followed through half of the frames
_MAX: Final = 65535


def two_views(frames: Sequence[NDArray[np.uint8]]) -> tuple[NDArray[Any], NDArray[Any]] | None:
    """Show what color stays with what a stretch of film shows.

    Args:
        frames: of one shot, [h, w, 3] uint8 each, at most some hundred pixels wide.

    Returns:
        Two pictures [h, w, 3] uint16 with equal luma, for grayness.judge_views; None where there
        are too few frames, of several sizes, or too little of the picture can be followed.
    """
    if len(frames) < _LEAST_FRAMES or len({frame.shape for frame in frames}) > 1:
        return None
    pictures = [frame.astype(np.float32) / np.float32(255) for frame in frames]
    lumas = [_luma(picture) for picture in pictures]
    middle = len(frames) // 2
    flows = _flows_from(lumas, middle)
    own = _chroma(pictures[middle], lumas[middle])
    soft = [blur(luma, _LUMA_BLUR) for luma in lumas]
    halves, seen = [], []
    for numbers in (range(middle), range(middle + 1, len(frames))):
        chroma, count = np.zeros_like(own), np.zeros_like(soft[0])
        for n in numbers:
            is_same = stays_inside(flows[n]) & (
                np.abs(warp(soft[n], flows[n]) - soft[middle]) < _ALIKE
            )
            chroma += is_same[..., None] * warp(_chroma(pictures[n], lumas[n]), flows[n])
            count += is_same
        seen.append(count >= len(numbers) / 2)
        mean = chroma / np.maximum(count, 1)[..., None]
        halves.append(np.where(seen[-1][..., None], mean, own))
    if float((seen[0] & seen[1]).mean()) < _LEAST_SEEN:
        return None
    first, second = (_picture(lumas[middle], half) for half in halves)
    return first, second


def _luma(picture: Picture) -> Picture:
    """Y' of BT.601, [h, w]."""
    return np.asarray(picture @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def _chroma(picture: Picture, luma: Picture) -> Picture:
    return picture - luma[..., None]


def _picture(luma: Picture, chroma: Picture) -> NDArray[np.uint16]:
    rounded = np.rint(np.clip(luma[..., None] + chroma, 0, 1) * _MAX)
    return np.asarray(rounded.astype(np.uint16))


def _flows_from(lumas: Sequence[Picture], middle: int) -> dict[int, Flow]:
    """Flow from the frame `middle` to each other one, step by step."""
    estimate = FlowEstimator("fast")
    codes = [flow_codes(luma * 100) for luma in lumas]
    flows = {middle: np.zeros((*lumas[0].shape, 2), np.float32)}
    for step, numbers in ((-1, range(middle - 1, -1, -1)), (1, range(middle + 1, len(lumas)))):
        for n in numbers:
            before = n - step
            flows[n] = compose(flows[before], estimate(codes[before], codes[n]))
    return flows
