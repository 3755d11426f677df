"""Steadies the colors of a film: averages ab along the motion of the picture, never across a cut.

Every frame is averaged with the frames 1 before and after it, the result with those 2 before and
after, then 4, and so on (an a-trous filter). With full trust the weights are a triangle over
2 x radius + 1 frames; each pass costs two fetches, so a long window is cheap. A neighbor counts as
far as its luma agrees after motion compensation, the motion leads back to where it began, and the
colors are not of two different things. What no neighbor can vouch for (uncovered background) gets
the correction of its surroundings, so that a cast that flickers over the whole picture is removed
there too. All of it happens on a picture of about 128 pixels' width, whose correction is added to
ab at its own size: flicker is soft, edges are not.

Reach: the color of a frame depends on the `radius` frames before and after it and on nothing else;
a segment that is read with a halo of `radius` frames on both sides gets the colors that a run over
the whole film gives, to the bit. The halo is decoded and colored twice: 2 x 7 frames on a segment
of 300 are 4.7 %. The filter itself takes about 10 ms of one core per frame of
256x144.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.config import TemporalSettings
from colorize_core.media.motion.flow import (
    Flow,
    FlowEstimator,
    blur,
    compose,
    flow_codes,
    resize,
    return_error,
    stays_inside,
    warp,
)
from colorize_core.media.motion.shots import shared_structure, small_luma

Array = NDArray[np.float32]

_TRUST_BLUR: Final = 1.0  # in small pixels
_LIGHT_BLUR: Final = 2.0  # in coarse pixels: exposure that changes from place to place
_COARSE: Final = 8  # small pixels to one coarse pixel
_FILL_BLUR: Final = 2.0  # in coarse pixels
_ENOUGH: Final = 1.0  # weight of others, own weight being 1, that needs no help from around
_COLOR_TOLERANCE: Final = 20.0  # distance in the ab plane at which trust is halved
_LEAST_GAIN, _MOST_GAIN = 0.5, 2.0  # of exposure
_TINY: Final = 1e-3


@dataclass(frozen=True)
class _Frame:
    """What came in, and what is derived from it once: all [h,w] are small but those of `ab`."""

    ab: Array  # [2,H,W]
    small_ab: Array  # [h,w,2]
    luma: Array
    codes: NDArray[np.uint8]  # for the flow


@dataclass(frozen=True)
class _Link:
    """Motion between two frames of one shot, and where it can be trusted (0..1), from each side."""

    there: Flow
    back: Flow
    trust: Array
    trust_back: Array


@dataclass
class _Node:
    """A frame on its way through the passes.

    `sums` [h,w,3] are the ab of all frames averaged so far, times their weights, and the weights.
    `link` leads to the frame as far ahead as the pass reaches, `half` to half of that.
    """

    frame: _Frame
    sums: Array
    half: _Link | None = None
    link: _Link | None = None


def stabilize(frames: Iterable[tuple[Array, Array]], settings: TemporalSettings) -> Iterator[Array]:
    """Steady the colors of consecutive frames.

    Args:
        frames: L [H,W], 0..100, and ab [2,H,W], float32, all of one size.
        settings: radius, tolerance and the threshold for cuts.

    Returns:
        ab [2,H,W] float32 in the order of `frames`, one for each. It reads `radius` frames ahead.
    """
    tracker = _Tracker(settings)
    nodes: Iterator[_Node] = (_node(L, ab) for L, ab in frames)
    offset = 1
    while 2 * offset - 1 <= settings.radius:
        nodes = _average(nodes, offset, tracker)
        offset *= 2
    return (_finished(node) for node in nodes)


def _node(L: Array, ab: Array) -> _Node:
    luma = small_luma(L)
    small = np.stack([resize(plane, *luma.shape) for plane in ab], -1)
    sums = np.concatenate([small, np.ones_like(small[..., :1])], -1)
    return _Node(_Frame(ab, small, luma, flow_codes(luma)), sums)


def _average(nodes: Iterator[_Node], offset: int, tracker: _Tracker) -> Iterator[_Node]:
    """One pass: each frame with those `offset` before and after it, where they can be trusted."""
    for window in _windows(nodes, 2 * offset + 1):
        before, node, after = window[0], window[offset], window[-1]
        assert node is not None
        if after is not None:
            middle = window[offset + offset // 2]
            assert middle is not None
            node.link = tracker.link(node, middle, after, offset)
        past = None if before is None else before.link
        trust_past = trust_next = np.zeros_like(node.frame.luma)
        if before is not None and past is not None:
            from_past = warp(before.sums, past.back)
            trust_past = past.trust_back * _same_color(node.sums, from_past, past.trust_back)
        if after is not None and node.link is not None:
            from_next = warp(after.sums, node.link.there)
            trust_next = node.link.trust * _same_color(node.sums, from_next, node.link.trust)
        # Two neighbors count a half each; where one is missing, the other counts whole.
        sums = node.sums.copy()
        if past is not None:
            sums += (trust_past / (1.0 + trust_next))[..., None] * from_past
        if node.link is not None:
            sums += (trust_next / (1.0 + trust_past))[..., None] * from_next
        yield _Node(node.frame, sums, half=node.link)


def _windows(nodes: Iterator[_Node], size: int) -> Iterator[deque[_Node | None]]:
    """Each node in the middle of a window; None where there is no film any more."""
    reach = size // 2
    window: deque[_Node | None] = deque([None] * reach, maxlen=size)
    for node in chain(nodes, [None] * reach):
        window.append(node)
        if len(window) == size and window[reach] is not None:
            yield window


def _same_color(sums: Array, fetched: Array, trust: Array) -> Array:
    """1 where the colors agree, less where they are far apart: there the motion is wrong.

    Luma cannot tell a thing from a background of its own brightness, and a trail of its color would
    be worse than flicker. What the whole picture changes by is flicker and does not count.
    """
    total = trust.sum() + _TINY
    away = [fetched[..., i] / fetched[..., 2] - sums[..., i] / sums[..., 2] for i in (0, 1)]
    a, b = (x - (x * trust).sum() / total for x in away)
    agreement: Array = 1.0 / (1.0 + (a * a + b * b) / _COLOR_TOLERANCE**2)
    return agreement


def _finished(node: _Node) -> Array:
    """Ab with its correction; where few frames vouch for one, that of its surroundings."""
    frame, weight = node.frame, node.sums[..., 2]
    high, wide = weight.shape
    sure = np.minimum((weight - 1.0) / _ENOUGH, 1.0)
    coarse = (max(1, high // _COARSE), max(1, wide // _COARSE))
    known = blur(resize(sure, *coarse), _FILL_BLUR) + _TINY
    filled = []
    for i in (0, 1):
        correction = node.sums[..., i] / weight - frame.small_ab[..., i]
        around = blur(resize(sure * correction, *coarse), _FILL_BLUR) / known
        whole = sure * correction + (1.0 - sure) * resize(around, high, wide)
        filled.append(resize(whole, *frame.ab.shape[1:]))
    return frame.ab + np.stack(filled)


class _Tracker:
    """Finds the motion between frames, and decides whether they belong to one shot."""

    def __init__(self, settings: TemporalSettings) -> None:
        self._settings = settings
        self._flow = FlowEstimator("fast")

    def link(self, first: _Node, middle: _Node, second: _Node, offset: int) -> _Link | None:
        """Motion over `offset` frames: composed of two halves, or estimated."""
        if offset > 1 and first.half is not None and middle.half is not None:
            there = compose(first.half.there, middle.half.there)
            back = compose(middle.half.back, first.half.back)
            return self._trusted(first.frame, second.frame, there, back)
        # Over 2 frames it is tried again: one white or torn frame does not end a shot.
        return self._estimated(first.frame, second.frame) if offset <= 2 else None

    def _estimated(self, first: _Frame, second: _Frame) -> _Link | None:
        there = self._flow(first.codes, second.codes)
        if shared_structure(first.luma, second.luma, there) < self._settings.cut_threshold:
            return None
        back = self._flow(second.codes, first.codes)
        return self._trusted(first, second, there, back)

    def _trusted(self, first: _Frame, second: _Frame, there: Flow, back: Flow) -> _Link:
        return _Link(
            there,
            back,
            self._trust(first.luma, second.luma, there, back),
            self._trust(second.luma, first.luma, back, there),
        )

    def _trust(self, luma: Array, other: Array, there: Flow, back: Flow) -> Array:
        gap, length = return_error(there, back)
        seen = np.exp(-gap / (0.01 * length + 0.5)) * stays_inside(there)
        residual = _residual(luma, warp(other, there), seen)
        trust = seen * np.exp(-np.square(residual / self._settings.luma_tolerance))
        sparing: Array = np.minimum(trust, blur(trust, _TRUST_BLUR))
        return sparing


def _residual(luma: Array, other: Array, seen: Array) -> Array:
    """Difference of L less what exposure explains: a gain, an offset, a soft change of light."""
    total = float(seen.sum()) + _TINY
    mean, other_mean = float((luma * seen).sum()) / total, float((other * seen).sum()) / total
    spread = float((np.square(luma - mean) * seen).sum()) / total
    other_spread = float((np.square(other - other_mean) * seen).sum()) / total
    gain = float(np.clip(np.sqrt((spread + 1.0) / (other_spread + 1.0)), _LEAST_GAIN, _MOST_GAIN))
    residual = luma - mean - gain * (other - other_mean)
    high, wide = luma.shape
    coarse = (max(1, high // _COARSE), max(1, wide // _COARSE))
    off, known = (blur(resize(x, *coarse), _LIGHT_BLUR) for x in (residual * seen, seen))
    light: Array = residual - resize(off / (known + _TINY), high, wide)
    return light
