"""What counts as gray: the one rule, for photos, pages and film frames (docs/decisions/0003).

A picture is looked at as area means of at most 64 x 64 cells, where noise, misregistered channels
and JPEG's chroma hardly show. A tone model says what color a black-and-white picture may have: one
color for each lightness (paper, toning, split toning), a cast that drifts over the picture, fringes
along edges. What the middle of the picture has beyond it decides. Numpy only: planners that load no
torch ask too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from colorize_core.color.tone_model import (
    COARSE,
    KNOTS,
    Array,
    area_means,
    basis_of,
    fit_tone,
    lab_of,
    quantile,
    soften,
)

Kind = Literal["gray", "toned", "partly colored", "colored"]

FINE: Final = 256  # cells along the long side in which edges are looked at

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
    return _Judged(_fine(pixels)).verdict()


def judge_views(first: NDArray[Any], second: NDArray[Any]) -> Grayness:
    """Tell whether what two pictures of the same thing show is to be colored.

    They have equal luma, and color whose noise is alike in size and independent (media.film.views).
    What they do not have in common is noise, and is subtracted.

    Args:
        first: [H, W, 3], uint8 or uint16, sRGB-encoded.
        second: of the same size and type.
    """
    return _Judged(_fine(first), _fine(second)).verdict()


def _fine(pixels: NDArray[Any]) -> Array:
    return np.asarray(area_means(pixels, FINE) / np.iinfo(pixels.dtype).max)


class _Judged:
    """One picture, or two views of it, with its tone model fitted."""

    def __init__(self, *views: Array) -> None:
        labs = [lab_of(fine) for fine in views]
        cells = [area_means(lab, COARSE) for lab in labs]
        self.L = cells[0][..., 0]
        self.ab = np.mean([lab[..., 1:] for lab in cells], 0)
        self.weight = _middle(*self.L.shape) * _telling(self.L)
        basis = basis_of(self.L, labs[0][..., 0])
        fits = [fit_tone(basis, x[..., 1:].reshape(-1, 2), self.weight.ravel()) for x in cells]
        self.tone = np.mean(fits, 0)[:KNOTS]
        raws = [
            x[..., 1:] - (basis @ fitted).reshape(self.ab.shape)
            for x, fitted in zip(cells, fits, strict=True)
        ]
        self.raw = np.mean(raws, 0)
        self.beyond = soften(soften(self.raw))
        # Half of what two views differ by is as large as the noise of their mean.
        self.noise = soften(soften((raws[0] - raws[1]) / 2)) if len(raws) == 2 else None
        self.size = np.hypot(self.beyond[..., 0], self.beyond[..., 1])

    def verdict(self) -> Grayness:
        """See Grayness."""
        mean = (self.ab * self.weight[..., None]).sum((0, 1)) / self.weight.sum()
        chroma = np.hypot(self.ab[..., 0], self.ab[..., 1])
        typical = quantile(chroma, self.weight, 0.5)
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
        strength = np.maximum(*(_length(x, axis, along) for x in (soften(self.raw), self.beyond)))
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
        if self.noise is not None:
            known = np.abs(self.noise @ axis)
            most, tail = (
                _beyond_noise(quantile(size, weight, share), quantile(known, weight, share))
                for share in (0.75, 0.9)
            )
            return most, most < limit and tail < TAIL * limit
        # What blurring took away is mostly noise; some of it is left.
        noise = np.hypot(*np.moveaxis(self.raw - self.beyond, -1, 0))
        most, tail = (
            _without_noise(quantile(size, weight, share), quantile(noise, weight, share), excess)
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
    return _beyond_noise(size, min(_WHITE_NOISE * noise, excess * _MOST_NOISE))


def _beyond_noise(size: float, noise: float) -> float:
    return float(np.sqrt(max(0.0, size**2 - noise**2)))


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


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = np.pad(mask, 1)
    return wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
