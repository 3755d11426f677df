"""Numbers of the standards, without torch: IEC 61966-2-1 (sRGB, D65) and CIE 15 (Lab)."""

from __future__ import annotations

from typing import Final

RGB_TO_XYZ: Final = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
SRGB_KNEE: Final = 0.04045
LAB_EPSILON: Final = 216.0 / 24389.0  # where CIE Lab's cube root meets its straight part
LAB_SLOPE: Final = 24389.0 / 27.0 / 116.0
LAB_OFFSET: Final = 16.0 / 116.0
