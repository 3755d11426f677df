"""Looks: how much color of what a generator says, hues kept."""

from __future__ import annotations

from typing import Final, Literal

from torch import Tensor

Look = Literal["natural", "calm", "vivid"]

_KEPT: Final = 20.0  # chroma that the exponent neither lifts nor lowers
# (factor, exponent) of chroma: C becomes factor * 20 * (C / 20) ** exponent.
_CURVES: Final[dict[Look, tuple[float, float]]] = {
    "natural": (1.0, 1.0),
    # 10 becomes 10, 20 becomes 18, 40 becomes 31, 60 becomes 43: patches of strong color give way.
    "calm": (0.9, 0.8),
    # 5 becomes 8, 10 becomes 14, 20 becomes 26, 40 becomes 47: pale colors gain most.
    "vivid": (1.3, 0.85),
}


def apply_look(ab: Tensor, look: Look) -> Tensor:
    """Bend the chroma of ab [B,2,H,W] in Lab units."""
    if look == "natural":
        return ab
    factor, exponent = _CURVES[look]
    chroma = ab.square().sum(1, keepdim=True).sqrt().clamp_min(1e-3)
    return ab * (factor * (chroma / _KEPT).pow(exponent - 1))
