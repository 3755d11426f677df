"""What counts as gray: the one rule, for photos, pages and film frames (docs/decisions/0003).

A picture is looked at as area means of at most 64 x 64 cells, where noise, misregistered channels
and JPEG's chroma hardly show. A tone model says what color a black-and-white picture may have: one
color for each lightness (paper, toning, split toning), a cast that drifts over the picture, fringes
along edges. What the middle of the picture has beyond it decides. Numpy only: planners that load no
torch ask too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

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
ONE_HUE: Final = 0.85  # length of the mean ab over mean chroma from which a picture has one hue
ANY_HUE: Final = 0.5  # and below which its mean says nothing
BROWN: Final = (40.0, 105.0)  # hues of paper and of most toning
# Beyond the tone model, across its hue and along it, together (see Limits):
PLAIN: Final = (0.55, 0.55)  # of a picture with hardly any chroma, or with every hue
TINGED: Final = (0.48, 0.58)  # of other hues than brown: sky and sea are landscapes of one hue
AGED: Final = (0.62, 0.62)  # brown: paper yellows unevenly,
AGED_SHARE: Final = 0.02  # along the hue by so much more for each unit of chroma
# Brown prints of one hue silver and fade: more or less of the same hue in places, each by itself.
PRINT_ONE_HUE: Final = 0.98
PRINT_HUES: Final = (48.0, 92.0)
PRINT_CHROMA: Final = (5.0, 13.0, 18.5)
PRINT_ACROSS: Final = (0.5, 0.74)  # below the middle chroma and above
PRINT_ALONG: Final = 0.17  # of the chroma
MOST_CHROMA: Final = 28.0  # no toning is stronger,
CYANOTYPE: Final = (215.0, 295.0)  # but for this one
MOST_BLUE: Final = 42.0
MOST_SEPIA: Final = 36.0  # and brown that leaves its tone hardly anywhere:
CLEAN: Final = (0.3, 0.5)
TAIL: Final = 1.6  # what holds for three quarters of the middle holds 1.6-fold for nine tenths,
LONG_TAIL: Final = 1.8  # or, where they keep to CLEAR of it, to this: lights clip in a strong tone
CLEAR: Final = 0.6
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
        beyond: [h, w], how far each cell leaves the tone model, in Lab units.
    """

    kind: Kind
    chroma: float = 0.0
    across: float = 0.0
    along: float = 0.0
    own_share: float = 0.0
    own: Array | None = None
    tone: Array | None = None
    beyond: Array | None = None


class Limits(NamedTuple):
    """How far the middle of a black-and-white picture leaves the tone model, in Lab units.

    Three quarters of it keep to `across` and `along` its hue, nine tenths to TAIL times as much
    (LONG_TAIL where the three quarters keep to CLEAR of it, but for prints).
    What leaves its tone both ways is a scene more often than a print, so the two are an ellipse's
    half axes; for an old print they are a rectangle's.
    """

    across: float
    along: float
    is_print: bool = False

    def hold(self, across: tuple[float, float], along: tuple[float, float]) -> bool:
        """Whether a picture keeps to them; both as (three quarters, nine tenths)."""
        join = max if self.is_print else np.hypot
        size, tail = (
            join(x / self.across, y / self.along) for x, y in zip(across, along, strict=True)
        )
        is_clear = size < CLEAR and not self.is_print
        return bool(size < 1 and tail < (LONG_TAIL if is_clear else TAIL))


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


def own_share(beyond: Array) -> Array:
    """How much of its own color a cell keeps, 0..1, that leaves the tone model so far."""
    low, high = OWN
    return np.clip((beyond - low) / (high - low), 0, 1)


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
        across = self._size(np.array([-axis[1], axis[0]]), frame)
        along = self._size(axis, frame)
        figures = (mean_chroma, across[0], along[0])
        limits = _limits(typical, mean_chroma, hue, one_hue)
        beyond = self._beyond(axis, is_print=one_hue > ONE_HUE and mean_chroma > NEUTRAL)
        if not limits.hold(across, along) or _is_too_strong(figures, typical, hue, one_hue):
            return Grayness("colored", *figures, tone=self.tone, beyond=beyond)
        own = own_share(beyond)
        share = float((own > 0.5).mean())
        if share < LEAST_OWN:
            kind: Kind = "toned" if mean_chroma > NEUTRAL else "gray"
            return Grayness(kind, *figures, tone=self.tone, beyond=beyond)
        kind = "partly colored"
        if not frame.any() and share > MOST_OWN:
            kind = "colored"
        return Grayness(kind, *figures, share, own, self.tone, beyond)

    def _beyond(self, axis: Array, *, is_print: bool) -> Array:
        along = _SAME_HUE if is_print else 1.0
        parts = (soften(self.raw), self.beyond)
        return np.asarray(np.maximum(*(_length(x, axis, along) for x in parts)))

    def _size(self, axis: Array, frame: NDArray[np.bool_]) -> tuple[float, float]:
        """What three quarters and nine tenths of the middle stay below, along an axis."""
        size = np.abs(self.beyond @ axis)
        weight = self.weight * ~frame
        if self.noise is not None:
            known = np.abs(self.noise @ axis)
            most, tail = (
                _beyond_noise(quantile(size, weight, share), quantile(known, weight, share))
                for share in (0.75, 0.9)
            )
            return most, tail
        # What blurring took away is mostly noise; some of it is left.
        noise = np.hypot(*np.moveaxis(self.raw - self.beyond, -1, 0))
        most, tail = (
            _without_noise(quantile(size, weight, share), quantile(noise, weight, share), excess)
            for share, excess in ((0.75, 1.0), (0.9, TAIL))
        )
        return most, tail

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


def _limits(chroma: float, mean_chroma: float, hue: float, one_hue: float) -> Limits:
    """What a black-and-white picture of this tone keeps to."""
    low, middle, high = PRINT_CHROMA
    along = AGED[1] + AGED_SHARE * chroma
    if one_hue > PRINT_ONE_HUE and _is_in(hue, PRINT_HUES) and low < chroma < high:
        across = PRINT_ACROSS[chroma >= middle]
        return Limits(across, max(along, PRINT_ALONG * chroma), is_print=True)
    if mean_chroma < NEUTRAL or one_hue < ANY_HUE:
        return Limits(*PLAIN)
    return Limits(AGED[0], along) if _is_in(hue, BROWN) else Limits(*TINGED)


def _is_too_strong(
    figures: tuple[float, float, float], chroma: float, hue: float, one_hue: float
) -> bool:
    most = MOST_CHROMA
    if one_hue < ONE_HUE:
        return chroma > most
    if _is_in(hue, CYANOTYPE):
        most = MOST_BLUE
    elif _is_in(hue, BROWN) and figures[1] < CLEAN[0] and figures[2] < CLEAN[1]:
        most = MOST_SEPIA
    return chroma > most


def _is_in(hue: float, hues: tuple[float, float]) -> bool:
    return hues[0] < hue < hues[1]


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
