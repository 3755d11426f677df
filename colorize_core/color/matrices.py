"""The matrices of film between Y'CbCr and R'G'B', for code that can do without torch."""

from __future__ import annotations

from typing import Final, Literal

Matrix = Literal["bt601", "bt709", "bt2020nc"]

# Weights of red and blue in Y': ITU-R BT.601, BT.709 and BT.2020 (non-constant luminance).
KR_KB: Final[dict[Matrix, tuple[float, float]]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020nc": (0.2627, 0.0593),
}
