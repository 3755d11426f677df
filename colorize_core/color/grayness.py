"""What counts as gray: the one rule, for photos, pages and film frames (docs/decisions/0003).

A picture is looked at as area means of at most 64 x 64 cells, where noise, misregistered channels
and JPEG's chroma hardly show. A tone model says what color a black-and-white picture may have: one
color for each lightness (paper, toning, split toning), a cast that drifts over the picture, fringes
along edges. What the middle of the picture has beyond it decides. Numpy only: planners that load no
torch ask too.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from colorize_core.color.standards import (
    LAB_EPSILON,
    LAB_OFFSET,
    LAB_SLOPE,
    RGB_TO_XYZ,
    SRGB_KNEE,
)

Array = NDArray[np.float64]
Kind = Literal["gray", "toned", "partly colored", "colored"]

FINE: Final = 256  # cells along the long side in which edges are looked at
COARSE: Final = 64  # and in which color is

# Lab units; found on one half of made scans, tapes and prints and of color photos: decision 0003.
NEUTRAL: Final = 3.0  # mean chroma below which a gray picture is not called toned
ACROSS: Final = 0.62  # beyond the tone model, across its hue
ALONG: Final = 0.55  # the same, along its hue,
ALONG_SHARE: Final = 0.02  # and so much more for each unit of chroma
PRINT_ACROSS: Final = 0.74  # brown prints fade and silver: more or less of the same hue in places
PRINT_ALONG: Final = 2.2
PRINT_ONE_HUE: Final = 0.98
PRINT_HUES: Final = (40.0, 105.0)
PRINT_CHROMA: Final = (5.0, 18.5)
ONE_HUE: Final = 0.85  # length of the mean ab over mean chroma from which a picture has one hue
MOST_CHROMA: Final = 28.0  # no toning is stronger,
CYANOTYPE: Final = (215.0, 295.0)  # but for this one
MOST_BLUE: Final = 42.0
TAIL: Final = 1.6  # what holds for three quarters of the middle holds 1.6-fold for nine tenths
OWN: Final = (4.0, 8.0)  # beyond the tone model: from nothing of its own color kept to all of it
LEAST_OWN: Final = 0.003  # share of the area that is worth a word
MOST_OWN: Final = 0.15  # more is a frame around a gray picture, or a color picture

_KNOTS: Final = 14  # of color over lightness
_SMOOTH: Final = 2e-3
_ROUNDS: Final = 8  # of robust fitting
_WHITE_NOISE: Final = 0.33  # what blurring leaves of noise, relative to what it takes away,
_MOST_NOISE: Final = 0.8  # and how much of that is believed to be noise
_MOST_FRAME: Final = 0.25  # share of the middle that a frame may cover
_SAME_HUE: Final = 0.35  # weight of deviations along a toned print's own hue: paper, fading


@dataclass(frozen=True)
class Grayness:
    """What was found.

    Attributes:
        kind: "gray" and "toned" are to be colored, "partly colored" where `own` is low, "colored"
            is left alone.
        chroma: mean chroma of the middle, in Lab units.
        across: what three quarters of the middle stay below, beyond the tone model and across its
            hue.
        along: the same along its hue.
        own_share: share of the area, 0..1, that has color of its own.
        own: [h, w] 0..1, how much of its own color each cell keeps.
        tone: [14, 2], ab of the tone model at evenly spaced L from 0 to 100.
    """

    kind: Kind
    chroma: float = 0.0
    across: float = 0.0
    along: float = 0.0
    own_share: float = 0.0
    own: Array | None = None
    tone: Array | None = None


def judge(pixels: NDArray[Any]) -> Grayness:
    """Tell whether a picture is to be colored.

    Args:
        pixels: [H, W] or [H, W, 3], uint8 or uint16, sRGB-encoded, of any size.
    """
    if pixels.ndim == 2:
        return Grayness("gray")
    return _Judged(area_means(pixels, FINE) / np.iinfo(pixels.dtype).max).verdict()


def area_means(pixels: NDArray[Any], side: int) -> Array:
    """Means of equal cells, at most `side` along the long side: [H, W, C] to [h, w, C]."""
    height, width = pixels.shape[:2]
    scale = max(1.0, max(height, width) / side)
    rows, columns = max(1, round(height / scale)), max(1, round(width / scale))
    tops = np.arange(rows + 1) * height // rows
    lefts = np.arange(columns) * width // columns
    dense = pixels.reshape(height, -1)
    # Sums of up to 2^16 rows and columns of 16 bits fit.
    kind = np.uint64 if pixels.dtype.kind == "u" else np.float64
    first = np.uint32 if pixels.dtype == np.uint8 else kind
    strips = [dense[a:b].sum(0, dtype=first) for a, b in itertools.pairwise(tops)]
    sums = np.add.reduceat(np.stack(strips).reshape(rows, width, -1), lefts, axis=1, dtype=kind)
    counts = np.diff(tops)[:, None] * np.diff(np.append(lefts, width))[None]
    return np.asarray(sums / counts[..., None])


def lab_of(rgb: Array) -> Array:
    """Lab of sRGB-encoded [..., 3] in [0, 1]; the same formulas as color.lab."""
    matrix = np.array(RGB_TO_XYZ)
    matrix /= matrix.sum(1, keepdims=True)
    knee = rgb <= SRGB_KNEE
    linear = np.where(knee, rgb / 12.92, ((np.maximum(rgb, SRGB_KNEE) + 0.055) / 1.055) ** 2.4)
    xyz = linear @ matrix.T
    x, y, z = np.moveaxis(
        np.where(xyz > LAB_EPSILON, np.cbrt(xyz), xyz * LAB_SLOPE + LAB_OFFSET), -1, 0
    )
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


class _Judged:
    """One picture with its tone model fitted."""

    def __init__(self, fine: Array) -> None:
        fine_lab = lab_of(fine)
        lab = area_means(fine_lab, COARSE)
        self.L, self.ab = lab[..., 0], lab[..., 1:]
        self.weight = _middle(*self.L.shape) * _telling(self.L)
        basis = _basis(self.L, fine_lab[..., 0])
        fitted = _fit(basis, self.ab.reshape(-1, 2), self.weight.ravel())
        self.tone = fitted[:_KNOTS]
        self.raw = self.ab - (basis @ fitted).reshape(self.ab.shape)
        self.beyond = _soft(_soft(self.raw))
        self.size = np.hypot(self.beyond[..., 0], self.beyond[..., 1])

    def verdict(self) -> Grayness:
        """See Grayness."""
        mean = (self.ab * self.weight[..., None]).sum((0, 1)) / self.weight.sum()
        chroma = np.hypot(self.ab[..., 0], self.ab[..., 1])
        typical = _quantile(chroma, self.weight, 0.5)
        mean_chroma = float((chroma * self.weight).sum() / self.weight.sum())
        one_hue = float(np.hypot(*mean)) / max(mean_chroma, 1e-9)
        hue = float(np.degrees(np.arctan2(mean[1], mean[0]))) % 360
        axis = mean / max(float(np.hypot(*mean)), 1e-9)
        frame = self._frame()
        limits = _limits(typical, hue, one_hue)
        across, is_across = self._within(np.array([-axis[1], axis[0]]), frame, limits[0])
        along, is_along = self._within(axis, frame, limits[1])
        figures = (mean_chroma, across, along)
        if not (is_across and is_along) or _is_too_strong(typical, hue, one_hue):
            return Grayness("colored", *figures)
        return self._with_own(figures, frame, axis, one_hue)

    def _with_own(
        self,
        figures: tuple[float, float, float],
        frame: NDArray[np.bool_],
        axis: Array,
        one_hue: float,
    ) -> Grayness:
        low, high = OWN
        is_print = one_hue > ONE_HUE and figures[0] > NEUTRAL
        along = _SAME_HUE if is_print else 1.0
        strength = np.maximum(*(_length(x, axis, along) for x in (_soft(self.raw), self.beyond)))
        own = np.clip((strength - low) / (high - low), 0, 1)
        share = float((own > 0.5).mean())
        if share < LEAST_OWN:
            return Grayness("toned" if figures[0] > NEUTRAL else "gray", *figures)
        kind: Kind = "partly colored"
        if not frame.any() and share > MOST_OWN:
            kind = "colored"
        return Grayness(kind, *figures, share, own, self.tone)

    def _within(self, axis: Array, frame: NDArray[np.bool_], limit: float) -> tuple[float, bool]:
        """Size of what is beyond the model along an axis; whether that is below the limit."""
        size = np.abs(self.beyond @ axis)
        weight = self.weight * ~frame
        # What blurring took away is mostly noise; some of it is left.
        noise = np.hypot(*np.moveaxis(self.raw - self.beyond, -1, 0))
        most, tail = (
            _without_noise(_quantile(size, weight, share), _quantile(noise, weight, share), excess)
            for share, excess in ((0.75, 1.0), (0.9, TAIL))
        )
        return most, most < limit and tail < TAIL * limit

    def _frame(self) -> NDArray[np.bool_]:
        """Colored cells that reach in from the border, if they hold three sides of it."""
        colored = self.size > OWN[0]
        frame = np.zeros_like(colored)
        frame[[0, -1]], frame[:, [0, -1]] = colored[[0, -1]], colored[:, [0, -1]]
        sides = (frame[0], frame[-1], frame[:, 0], frame[:, -1])
        if sum(float(side.mean()) > 0.5 for side in sides) < 3:
            return np.zeros_like(colored)
        for _ in range(sum(frame.shape)):
            grown = _grown(frame) & colored
            if (grown == frame).all():
                break
            frame = grown
        is_all = float((self.weight * frame).sum()) > _MOST_FRAME * float(self.weight.sum())
        return np.zeros_like(colored) if is_all else frame


def _without_noise(size: float, noise: float, excess: float) -> float:
    left = min(_WHITE_NOISE * noise, excess * _MOST_NOISE)
    return float(np.sqrt(max(0.0, size**2 - left**2)))


def _length(x: Array, axis: Array, along: float) -> Array:
    """Of vectors [h, w, 2], with their part along `axis` multiplied by `along`."""
    return np.asarray(np.hypot(x @ axis * along, x @ np.array([-axis[1], axis[0]])))


def _limits(chroma: float, hue: float, one_hue: float) -> tuple[float, float]:
    """Across and along the tone's hue."""
    if one_hue < ONE_HUE:
        return ACROSS, ALONG
    is_print = (
        one_hue > PRINT_ONE_HUE
        and PRINT_HUES[0] < hue < PRINT_HUES[1]
        and PRINT_CHROMA[0] < chroma < PRINT_CHROMA[1]
    )
    return (PRINT_ACROSS, PRINT_ALONG) if is_print else (ACROSS, ALONG + ALONG_SHARE * chroma)


def _is_too_strong(chroma: float, hue: float, one_hue: float) -> bool:
    is_blue = CYANOTYPE[0] < hue < CYANOTYPE[1] and one_hue > ONE_HUE
    return chroma > (MOST_BLUE if is_blue else MOST_CHROMA)


def _middle(height: int, width: int) -> Array:
    """Mats, edges, targets and tables are at the border."""
    y, x = np.meshgrid(*(np.linspace(-1, 1, side) for side in (height, width)), indexing="ij")
    return np.asarray(np.exp(-((x / 0.6) ** 4 + (y / 0.6) ** 4)))


def _telling(L: Array) -> Array:
    """Black and blank paper say nothing: they have no color in color photos either."""
    return np.clip(np.minimum(L - 1.5, 99.0 - L) / 3, 0.02, 1)


def _basis(L: Array, fine_L: Array) -> Array:
    """What color may go with: [cells, terms], lightness first."""
    height, width = L.shape
    position = np.clip(L.ravel() / 100 * (_KNOTS - 1), 0, _KNOTS - 1 - 1e-6)
    below = position.astype(int)
    hats = np.zeros((L.size, _KNOTS))
    cells = np.arange(L.size)
    hats[cells, below] = 1 - (position - below)
    hats[cells, below + 1] = position - below
    y, x = np.meshgrid(*(np.linspace(-5, 5, side) for side in (height, width)), indexing="ij")
    light = (L - 50) / 50
    # A channel that lies beside the others adds a multiple of the slope; a bent tone curve adds a
    # multiple of the variance inside a cell.
    slopes = [_slope(fine_L, axis) for axis in (0, 1)]
    means = area_means(np.stack([*slopes, fine_L * fine_L], -1), COARSE)
    variance = np.maximum(means[..., 2] - L * L, 0) / 100
    terms = (x, y, x * light, y * light, means[..., 0], means[..., 1], variance, variance * light)
    return np.concatenate([hats, np.stack([term.ravel() for term in terms], 1)], 1)


def _slope(x: Array, axis: int) -> Array:
    return np.gradient(x, axis=axis) if x.shape[axis] > 1 else np.zeros_like(x)


def _fit(basis: Array, ab: Array, weight: Array) -> Array:
    """Robust least squares: [terms, 2]. What most of the middle says counts, outliers do not."""
    terms = basis.shape[1]
    bends = np.zeros((_KNOTS - 2, terms))
    for knot in range(_KNOTS - 2):
        bends[knot, knot : knot + 3] = 1, -2, 1
    ridge = (bends.T @ bends) * _SMOOTH + np.eye(terms) * (1e-3 / terms)
    trusted, fitted = weight, np.zeros((terms, 2))
    for round_ in range(_ROUNDS):
        weighted = basis * trusted[:, None]
        fitted = np.linalg.solve(weighted.T @ basis + ridge * trusted.sum(), weighted.T @ ab)
        error = np.linalg.norm(ab - basis @ fitted, axis=1)
        scale = max(1.0, (4.0 if round_ < 2 else 2.5) * _quantile(error, weight, 0.5))
        trusted = weight / (1 + (error / scale) ** 2) ** 2
    return fitted


def _quantile(values: Array, weight: Array, share: float) -> float:
    order = np.argsort(values, axis=None)
    sums = np.cumsum(weight.ravel()[order])
    place = np.searchsorted(sums, share * sums[-1])
    return float(values.ravel()[order[min(int(place), len(order) - 1)]])


def _soft(x: Array) -> Array:
    """[h, w, C], each cell with its neighbors by 1 2 1 along both axes."""
    for axis in (0, 1):
        padded = np.concatenate([x.take([0], axis), x, x.take([-1], axis)], axis)
        last = padded.shape[axis]
        before, here, after = (
            np.take(padded, np.arange(start, last - 2 + start), axis) for start in (0, 1, 2)
        )
        x = 0.25 * before + 0.5 * here + 0.25 * after
    return x


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = np.pad(mask, 1)
    return wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
