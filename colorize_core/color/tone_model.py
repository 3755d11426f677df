"""What color a black-and-white picture may have, fitted to its area means.

One ab for each lightness (paper, toning, split toning), a cast that drifts over the picture,
fringes along edges where channels lie apart. Numpy only.
"""

from __future__ import annotations

import itertools
from typing import Any, Final

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

COARSE: Final = 64  # cells along the long side in which color is looked at
KNOTS: Final = 14  # of color over lightness

_SMOOTH: Final = 2e-3
_ROUNDS: Final = 8  # of robust fitting


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


def basis_of(L: Array, fine_L: Array) -> Array:
    """What color may go with: [cells, terms], lightness first."""
    height, width = L.shape
    position = np.clip(L.ravel() / 100 * (KNOTS - 1), 0, KNOTS - 1 - 1e-6)
    below = position.astype(int)
    hats = np.zeros((L.size, KNOTS))
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


def fit_tone(basis: Array, ab: Array, weight: Array) -> Array:
    """Robust least squares: what most of the middle says counts, outliers do not.

    Args:
        basis: [cells, terms], from basis_of.
        ab: [cells, 2].
        weight: [cells].

    Returns:
        [terms, 2]; the first KNOTS are ab at evenly spaced L from 0 to 100.
    """
    terms = basis.shape[1]
    bends = np.zeros((KNOTS - 2, terms))
    for knot in range(KNOTS - 2):
        bends[knot, knot : knot + 3] = 1, -2, 1
    ridge = (bends.T @ bends) * _SMOOTH + np.eye(terms) * (1e-3 / terms)
    trusted, fitted = weight, np.zeros((terms, 2))
    for round_ in range(_ROUNDS):
        weighted = basis * trusted[:, None]
        fitted = np.linalg.solve(weighted.T @ basis + ridge * trusted.sum(), weighted.T @ ab)
        error = np.linalg.norm(ab - basis @ fitted, axis=1)
        scale = max(1.0, (4.0 if round_ < 2 else 2.5) * quantile(error, weight, 0.5))
        trusted = weight / (1 + (error / scale) ** 2) ** 2
    return fitted


def quantile(values: Array, weight: Array, share: float) -> float:
    """What this share, 0..1, of the weighted values stays below."""
    order = np.argsort(values, axis=None)
    sums = np.cumsum(weight.ravel()[order])
    place = np.searchsorted(sums, share * sums[-1])
    return float(values.ravel()[order[min(int(place), len(order) - 1)]])


def soften(x: Array) -> Array:
    """[h, w, C], each cell with its neighbors by 1 2 1 along both axes."""
    for axis in (0, 1):
        padded = np.concatenate([x.take([0], axis), x, x.take([-1], axis)], axis)
        last = padded.shape[axis]
        before, here, after = (
            np.take(padded, np.arange(start, last - 2 + start), axis) for start in (0, 1, 2)
        )
        x = 0.25 * before + 0.5 * here + 0.25 * after
    return x
