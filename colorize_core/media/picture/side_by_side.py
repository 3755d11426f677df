"""Two pictures beside each other, for before and after."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

DIVIDER: Final = 4  # pixels; even, as the chroma of films wants it
DIVIDER_GRAY: Final = 255


def side_by_side(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two pictures [H, W, 3] of one size beside each other, with a thin divider between them.

    Returns:
        [H, 2 W + DIVIDER, 3].

    Raises:
        ValueError: the sizes differ.
    """
    if before.shape != after.shape:
        raise ValueError(f"before is {before.shape}, after {after.shape}")
    divider = np.full((before.shape[0], DIVIDER, 3), DIVIDER_GRAY, np.uint8)
    return np.concatenate([before, divider, after], axis=1)
