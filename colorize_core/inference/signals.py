"""Cheap signs that a result deserves a look, without knowing the true colors.

Found are: no color, patches with a visible border, one hue over everything, flicker. Not found
are wrong colors that look natural, and clouds of color too soft to have a border.

All signals are computed at working size, where the colors were made. The thresholds were set with
`bench/quality_gate.py`, which prints recall and false alarms for hand-made faults.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.errors import UsageError

UNCOLORED_SHARE: Final = 0.25  # of the archive's median colorfulness
COLORED_MEDIAN: Final = 4.0  # an archive below this has too little color to compare with
BLOTCHES_LIMIT: Final = 13.0
CAST_LIMIT: Final = 13.0
FLICKER_LIMIT: Final = 0.8
OWN_COLOR: Final = "own_color"  # share of a gray picture that keeps its own color: a signal, too

_LIMITS: Final = {"blotches": BLOTCHES_LIMIT, "cast": CAST_LIMIT, "flicker": FLICKER_LIMIT}
_DEGRADED: Final = 0.5  # as doubtful as half of a limit
_REDUCE: Final = 4  # blotches are looked for at a quarter of the working size
_RADIUS: Final = 2  # of the window, in reduced pixels
_LUMA_NOISE: Final = 4.0  # variance of L* that explains no color
_NEAR: Final = 3  # window, in reduced pixels, in which an edge of luma explains one of color
_LUMA_EXPLAINS: Final = 2.0  # ab units per unit of L*
_BORDER: Final = 2.0  # ab units a reduced pixel, above what luma explains
_UNEXPLAINED: Final = 9.0  # ab units
_CHROMA_FLOOR: Final = 6.0
_SOBEL: Final = torch.tensor([[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]]) / 8
_GRID: Final = 8  # blocks per side for cast and flicker
_EVERY: Final = 8  # films: of so many frames one is looked at as a photo


@torch.no_grad()
def photo_signals(L: Tensor, ab: Tensor) -> dict[str, float]:
    """Signals of one picture.

    Args:
        L: [1, 1, h, w], 0..100, without padding.
        ab: [1, 2, h, w], CIE Lab.

    Returns:
        colorfulness: mean chroma. 0 is gray.
        blotches: how large and strong the worst patch is whose border luma does not show, for the
            picture's mean chroma. 0 where there is none; see `_blotches`.
        cast: how far (ab units) nearly all of the picture, its most neutral tenth left out, is
            pulled toward one common hue; 0 where something neutral is left, never negative.

    Raises:
        UsageError: shapes that do not belong together.
    """
    _check(L, ab)
    signals = {
        "colorfulness": float(ab.square().sum(1).sqrt().mean()),
        "blotches": _blotches(L, ab),
        "cast": _cast(ab),
    }
    return {name: round(value, 3) for name, value in signals.items()}


def _check(L: Tensor, ab: Tensor) -> None:
    if L.shape[:2] != (1, 1) or ab.shape[:2] != (1, 2) or L.shape[2:] != ab.shape[2:]:
        raise UsageError(
            f"signals of L {tuple(L.shape)} and ab {tuple(ab.shape)}: expected one picture"
        )


def _blotches(L: Tensor, ab: Tensor) -> float:
    """Of the worst patch: its border, beside which luma has none, and its inside, for the chroma.

    Either alone is found in good pictures: borders in vivid ones, color without luma in textures.
    """
    luma, color = (F.avg_pool2d(part, _REDUCE, ceil_mode=True) for part in (L, ab))
    near = F.max_pool2d(_slope(luma), _NEAR, stride=1, padding=_NEAR // 2)
    border = (_slope(color) - _LUMA_EXPLAINS * near).clamp(min=0)
    parts = _worst(border, _BORDER), _worst(_unexplained(luma, color), _UNEXPLAINED)
    chroma = float(ab.square().sum(1).sqrt().mean())
    return math.sqrt(math.prod(part / (chroma + _CHROMA_FLOOR) + 1 for part in parts)) - 1


def _worst(found: Tensor, limit: float) -> float:
    """Sum over the heaviest connected part of [1, 1, h, w] above a limit; 0 without one."""
    above = found > limit
    labels = torch.arange(1.0, found.numel() + 1).view_as(found) * above
    while True:  # each part takes the highest label in it
        spread = F.max_pool2d(labels, 3, stride=1, padding=1) * above
        if torch.equal(spread, labels):
            break
        labels = spread
    sums = torch.bincount(labels.long().flatten(), weights=(found * above).flatten())
    return float(sums.max())


def _unexplained(luma: Tensor, color: Tensor) -> Tensor:
    """Color that a local linear function of luma does not give (the guided filter's residual)."""
    mean_luma, mean_color = _window_mean(luma), _window_mean(color)
    luma_variance = _window_mean(luma * luma) - mean_luma.square()
    covariance = _window_mean(luma * color) - mean_luma * mean_color
    explained = covariance.square() / (luma_variance + _LUMA_NOISE)
    residual = _window_mean(color * color) - mean_color.square() - explained
    return residual.clamp(min=0).sum(1, keepdim=True).sqrt()


def _window_mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(F.pad(x, (_RADIUS,) * 4, mode="replicate"), 2 * _RADIUS + 1, 1)


def _slope(x: Tensor) -> Tensor:
    """[1, C, h, w] to [1, 1, h, w]: how much changes per pixel, toward where most changes."""
    channels = x.shape[1]
    padded = F.pad(x, (1,) * 4, mode="replicate")
    kernels = torch.stack((_SOBEL.t(), _SOBEL)).repeat(channels, 1, 1)[:, None]
    steps = F.conv2d(padded, kernels, groups=channels)
    across, down = steps[:, ::2], steps[:, 1::2]
    xx, yy, xy = ((p * q).sum(1, keepdim=True) for p, q in _pairs(across, down))
    return ((xx + yy) / 2 + (((xx - yy) / 2).square() + xy.square()).sqrt()).sqrt()


def _pairs(x: Tensor, y: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    return (x, x), (y, y), (x, y)


def _cast(ab: Tensor) -> float:
    blocks = F.adaptive_avg_pool2d(ab, 4 * _GRID)
    mean = blocks.mean((2, 3), keepdim=True)
    pull = (blocks * (mean / (mean.norm() + 1e-6))).sum(1).flatten()
    return max(0.0, float(pull.quantile(0.1)))


class FilmSignals:
    """Signals of one segment of a film, frame by frame; holds two small frames at most."""

    def __init__(self) -> None:
        self._recent: list[Tensor] = []  # block means [3, 8, 8] of the last frames of this shot
        self._flicker = 0.0
        self._measured = 0
        self._frames = 0
        self._looks: list[dict[str, float]] = []

    @torch.no_grad()
    def add(self, L: Tensor, ab: Tensor, *, cut: bool) -> None:
        """Take the next frame in presentation order.

        Args:
            L: [1, 1, h, w], 0..100.
            ab: [1, 2, h, w], what will be written, after any stabilizer.
            cut: this frame begins a new shot.
        """
        _check(L, ab)
        if self._frames % _EVERY == 0:
            self._looks.append(photo_signals(L, ab))
        self._frames += 1
        if cut:
            self._recent = []
        blocks = F.adaptive_avg_pool2d(torch.cat([L, ab], 1), _GRID)[0]
        if len(self._recent) == 2:
            self._flicker += _second_difference(self._recent[0], self._recent[1], blocks)
            self._measured += 1
        self._recent = [*self._recent[-1:], blocks]

    def result(self) -> dict[str, float]:
        """Means over the segment, and flicker: see `_second_difference`; 0 for under 3 frames."""
        if not self._looks:
            return {}
        flicker = self._flicker / self._measured if self._measured else 0.0
        names = self._looks[0]
        means = {name: statistics.fmean(look[name] for look in self._looks) for name in names}
        return {**means, "flicker": flicker, "frames": float(self._frames)}


def _second_difference(first: Tensor, middle: Tensor, last: Tensor) -> float:
    """Mean jump of ab (units) of the middle frame off the line between its neighbors.

    A pan or fade is nearly a straight line over three frames and counts little. Blocks where luma
    jumps too (motion, a flash) are left out by weight.
    """
    jump = middle - (first + last) / 2
    still = torch.exp(-jump[0].abs())
    color = jump[1:].square().sum(0).sqrt()
    return float((color * still).mean())


def combine(segments: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Signals of a film from those of its segments.

    Colorfulness and cast are means over frames; flicker and blotches are the worst segment's,
    which is what a viewer remembers. Empty input gives an empty answer.
    """
    parts = [part for part in segments if part]
    if not parts:
        return {}
    frames = sum(part["frames"] for part in parts)
    answer = {
        name: sum(part[name] * part["frames"] for part in parts) / frames
        for name in ("colorfulness", "cast")
    }
    worst = {name: max(part[name] for part in parts) for name in ("blotches", "flicker")}
    return {**answer, **worst, "frames": frames}


def archive_median(items: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Median of each signal over an archive; an archive without signals gives an empty dict."""
    values: dict[str, list[float]] = {}
    for item in items:
        for name, value in item.items():
            values.setdefault(name, []).append(value)
    return {name: statistics.median(found) for name, found in values.items()}


def suspicions(signals: Mapping[str, float], median: Mapping[str, float]) -> list[str]:
    """Reasons to look at an item, worst kind first; empty when nothing stands out.

    Args:
        signals: of one photo or film.
        median: of the archive, see `archive_median`; colorfulness is compared with it.
    """
    reasons = []
    typical = median.get("colorfulness", 0.0)
    found = signals.get("colorfulness", typical)
    if typical >= COLORED_MEDIAN and found < UNCOLORED_SHARE * typical:
        reasons.append(
            f"uncolored: hardly any color ({found:.1f}; typical here {typical:.1f}); "
            "another render.size may find some"
        )
    if signals.get("blotches", 0.0) > BLOTCHES_LIMIT:
        reasons.append(
            f"blotches: patches of color (by {signals['blotches']:.0f}) where the picture shows "
            "no edge; a lower render.strength hides them"
        )
    if signals.get("cast", 0.0) > CAST_LIMIT:
        reasons.append(
            f"cast: nearly all of it leans to one hue (by {signals['cast']:.0f}); right for a "
            "sunset, else try a lower render.strength"
        )
    if signals.get("flicker", 0.0) > FLICKER_LIMIT:
        reasons.append(
            f"flicker: color jumps by {signals['flicker']:.1f} between frames of a shot; a larger "
            "temporal.radius steadies it"
        )
    if signals.get(OWN_COLOR, 0.0) > 0:
        reasons.append(f"partly in color: {signals[OWN_COLOR]:.1%} keeps its own color")
    return reasons


def doubt(
    status: str, signals: Mapping[str, float], reasons: Sequence[str], *, has_result: bool
) -> float:
    """How much an item deserves a look; below 0 where there is nothing to see.

    Args:
        status: "done", "degraded", "skipped" or "failed".
        signals: of the item.
        reasons: of `suspicions`.
        has_result: something was written.
    """
    if not has_result:
        return -2.0 if status == "skipped" else -1.0
    if status == "skipped":
        return -0.5
    worst = max(signals.get(name, 0.0) / limit for name, limit in _LIMITS.items())
    return len(reasons) + worst + (_DEGRADED if status == "degraded" else 0.0)
