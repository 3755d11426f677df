"""How steady the colors of a film are.

Neither figure sees grayness (a gray copy is perfectly steady): read them beside colorfulness, and
beside the ground truth's own row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.media.motion.flow import (
    FlowEstimator,
    flow_codes,
    return_error,
    stays_inside,
    warp,
)
from colorize_core.media.motion.shots import CUT, shared_structure, small_luma

Array = NDArray[np.float32]

_LEVELS: Final = 256
_DISTANCES: Final = (1, 2, 4)
_RETURN_SHARE, _RETURN_FLOOR = 0.01, 0.5  # Sundaram et al., ECCV 2010


def color_histograms(rgb: Array) -> NDArray[np.float64]:
    """Share of pixels per 8-bit level and channel, [3,256], of a picture [3,H,W] in [0,1]."""
    codes = np.clip(np.rint(rgb * (_LEVELS - 1)), 0, _LEVELS - 1).astype(np.intp)
    counts = [np.bincount(channel.ravel(), minlength=_LEVELS) for channel in codes]
    shares: NDArray[np.float64] = np.stack(counts) / codes[0].size
    return shares


def cdc(histograms: Iterable[NDArray[np.float64]], distances: Sequence[int] = _DISTANCES) -> float:
    """Color distribution consistency of a clip; 0 is steady.

    The Jensen-Shannon divergence (natural logarithm) between the histograms of frames 1, 2 and 4
    apart, averaged over pairs and channels, then over the three distances (TCVC, Liu et al. 2021,
    and the NTIRE 2023 video colorization challenge).

    Args:
        histograms: of `color_histograms`, for more frames in order than the largest distance.
        distances: frames apart; as published where none are given.

    Raises:
        ValueError: fewer frames.
    """
    frames = np.stack(list(histograms))
    if len(frames) <= max(distances):
        raise ValueError(f"CDC needs more than {max(distances)} frames, found {len(frames)}")
    means = [float(_divergence(frames[:-t], frames[t:]).mean()) for t in distances]
    return float(np.mean(means))


@dataclass(frozen=True)
class Motion:
    """From one frame to the next: flow [h,w,2], and where both show the same thing, bool [h,w]."""

    flow: Array
    visible: NDArray[np.bool_]


def motions(lumas: Iterable[Array]) -> Iterator[Motion | None]:
    """Motion between consecutive frames of a clip's L [h,w], 0..100; None across a cut.

    It is to be found on the gray input, so that every row of a table is judged by the same motion.
    """
    accurate, fast = FlowEstimator("accurate"), FlowEstimator("fast")
    for first, second in pairwise(lumas):
        small, other = small_luma(first), small_luma(second)
        if shared_structure(small, other, fast(flow_codes(small), flow_codes(other))) < CUT:
            yield None
            continue
        codes, other_codes = flow_codes(first), flow_codes(second)
        there, back = accurate(codes, other_codes), accurate(other_codes, codes)
        gap, length = return_error(there, back)
        returns = gap <= _RETURN_SHARE * length + _RETURN_FLOOR
        yield Motion(there, returns & stays_inside(there))


def warp_dis(pictures: Iterable[Array], moved: Iterable[Motion | None]) -> float:
    """Warp error of a clip: what changes along the motion.

    Mean squared difference, over channels and visible pixels, of each frame and the next one
    brought to its geometry, averaged over pairs (Lai et al., "Learning Blind Video Temporal
    Consistency", ECCV 2018; there with FlowNet2, here with DIS, so figures do not compare). Pairs
    across a cut do not count.

    Args:
        pictures: [c,h,w] of any unit: RGB in [0,1], or the ab plane.
        moved: of `motions`, for the same frames.

    Raises:
        ValueError: no pair of frames is left, or the numbers of frames and motions do not fit.
    """
    errors = []
    for (first, second), motion in zip(pairwise(pictures), moved, strict=True):
        if motion is None or not motion.visible.any():
            continue
        there = warp(np.ascontiguousarray(second.transpose(1, 2, 0)), motion.flow)
        difference = np.square(there - first.transpose(1, 2, 0), dtype=np.float64).mean(-1)
        errors.append(float(difference[motion.visible].mean()))
    if not errors:
        raise ValueError("no two consecutive frames of one shot")
    return float(np.mean(errors))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Jensen-Shannon divergence over the last axis."""
    middle = (p + q) / 2
    return (_kl(p, middle) + _kl(q, middle)) / 2


def _kl(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    some = p > 0
    ratio = np.divide(p, q, out=np.ones_like(p), where=some)
    divergence: NDArray[np.float64] = (p * np.log(ratio)).sum(-1)
    return divergence
