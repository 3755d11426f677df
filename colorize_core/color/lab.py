"""sRGB and CIE Lab.

Formulas: IEC 61966-2-1 (sRGB transfer and primaries), CIE 15 (Lab), D65, 2 degree observer. The
matrix is the one scikit-image uses, with its rows divided by their own sum (instead of the white
point, which differs from it by less than 1e-4), so that R = G = B gives a = b = 0 and back to
within float rounding.

Everything is element-wise arithmetic on purpose: matrix products would run in TF32 or bfloat16
when a caller has turned these on, and the error would be visible.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from colorize_core.color.standards import (
    LAB_EPSILON,
    LAB_OFFSET,
    LAB_SLOPE,
    RGB_TO_XYZ,
    SRGB_KNEE,
)

_DELTA: Final = 6.0 / 29.0  # cube root of LAB_EPSILON
_LINEAR_KNEE: Final = 0.0031308

_UNIT_CURVE: Final = (
    -0.059641750,
    0.140776781,
    1.360225589,
    -0.838965334,
    0.638769462,
    -0.306036986,
    0.064873321,
)


def _normalized() -> list[list[float]]:
    return [[value / sum(row) for value in row] for row in RGB_TO_XYZ]


def _inverted() -> list[list[float]]:
    inverse = torch.linalg.inv(torch.tensor(_normalized(), dtype=torch.float64)).tolist()
    return [[float(value) for value in row] for row in inverse]


_FORWARD: Final = _normalized()
_INVERSE: Final = _inverted()


def srgb_to_linear(encoded: Tensor) -> Tensor:
    """Decode sRGB (IEC 61966-2-1), any shape, [0,1] to [0,1]; an odd function below 0."""
    size = encoded.abs()
    # The clamp keeps pow's gradient finite on the branch that `where` discards.
    curve = ((size.clamp(min=SRGB_KNEE) + 0.055) / 1.055).pow(2.4)
    return torch.where(size <= SRGB_KNEE, encoded / 12.92, torch.copysign(curve, encoded))


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Encode sRGB (IEC 61966-2-1), any shape, [0,1] to [0,1]; an odd function below 0."""
    size = linear.abs()
    curve = 1.055 * size.clamp(min=_LINEAR_KNEE).pow(1 / 2.4) - 0.055
    return torch.where(size <= _LINEAR_KNEE, linear * 12.92, torch.copysign(curve, linear))


def unit_to_srgb(linear: Tensor) -> Tensor:
    """Encode sRGB, any shape, [0,1] only: `linear_to_srgb` in a third of the time, off by 2e-6.

    The curve is a polynomial in the fourth root, fitted between the knee and 1 (Chebyshev nodes).
    """
    root = linear.sqrt().sqrt_()
    curve = root * _UNIT_CURVE[-1]
    for coefficient in _UNIT_CURVE[-2:0:-1]:
        curve.add_(coefficient).mul_(root)
    curve.add_(_UNIT_CURVE[0]).clamp_(max=1.0)
    return torch.where(linear <= _LINEAR_KNEE, linear * 12.92, curve)


def _f(t: Tensor) -> Tensor:
    root = t.clamp(min=LAB_EPSILON).pow(1 / 3)
    return torch.where(t > LAB_EPSILON, root, t * LAB_SLOPE + LAB_OFFSET)


def _f_inverse(t: Tensor) -> Tensor:
    return torch.where(t > _DELTA, t * t * t, (t - LAB_OFFSET) / LAB_SLOPE)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB [B,3,H,W] in [0,1] to Lab [B,3,H,W]: L in [0,100], ab about -110..110."""
    r, g, b = srgb_to_linear(rgb.float()).unbind(1)
    fx, fy, fz = (_f(r * m[0] + g * m[1] + b * m[2]) for m in _FORWARD)
    return torch.stack((116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)), 1)


def lab_to_linear(lab: Tensor) -> Tensor:
    """Convert Lab [B,3,H,W] to linear sRGB, not clipped: colors outside sRGB leave [0,1]."""
    return f_to_linear(lab_to_f(lab.float()))


def lab_to_f(lab: Tensor) -> Tensor:
    """Convert Lab [B,3,...] to CIE 15's f(X/Xn), f(Y/Yn), f(Z/Zn) [B,3,...], linear in a and b."""
    lightness, a, b = lab.unbind(1)
    fy = (lightness + 16.0) / 116.0
    return torch.stack((fy + a / 500.0, fy, fy - b / 200.0), 1)


def f_to_linear(f: Tensor) -> Tensor:
    """Convert the result of `lab_to_f` to linear sRGB [B,3,...], not clipped."""
    x, y, z = _f_inverse(f).unbind(1)
    return torch.stack([x * m[0] + y * m[1] + z * m[2] for m in _INVERSE], 1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert Lab [B,3,H,W] to sRGB, not clipped: colors outside sRGB leave [0,1].

    Differentiable everywhere with finite gradients, so that a loss may look at RGB.
    """
    return linear_to_srgb(lab_to_linear(lab))


def luminance_to_L(luminance: Tensor) -> Tensor:
    """Convert luminance relative to white, any shape, to L (116 f - 16 of CIE 15)."""
    return 116.0 * _f(luminance) - 16.0


def L_to_luminance(L: Tensor) -> Tensor:
    """Convert L, any shape, to luminance relative to white: the inverse of `luminance_to_L`."""
    return _f_inverse((L + 16.0) / 116.0)


def gray_to_L(gray: Tensor) -> Tensor:
    """Convert sRGB-encoded gray in [0,1], any shape, to L; as `rgb_to_lab` of R = G = B."""
    return luminance_to_L(srgb_to_linear(gray.float()))


def L_to_gray(L: Tensor) -> Tensor:
    """Convert L in [0,100], any shape, to sRGB-encoded gray: the inverse of `gray_to_L`."""
    return linear_to_srgb(L_to_luminance(L.float()))
