"""Which way round a film is shown: the display matrix beside its pictures."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import av
import numpy as np

from colorize_core.media.film.pyav import side_data

Matrix = tuple[int, ...]
T = TypeVar("T", bound=np.generic)

_ONE, _SCALE_ONE = 1 << 16, 1 << 30
_IDENTITY: Matrix = (_ONE, 0, 0, 0, _ONE, 0, 0, 0, _SCALE_ONE)
_ROUNDING = 16


def display_matrix(frame: av.VideoFrame) -> Matrix:
    """Read a decoded frame's matrix.

    Returns:
        Nine integers as in ISO/IEC 14496-12, 6.2.2 (16.16, the last of each row 2.30); none where
        the picture is shown as it is stored.
    """
    try:
        found = [bytes(data) for data in side_data(frame) if data.type.name == "DISPLAYMATRIX"]
    except ValueError:
        # PyAV fails on kinds of side data that it does not know, such as EXIF.
        return _turned(frame.rotation)
    return tuple(np.frombuffer(found[0], np.int32).tolist()) if found else ()


def is_mirrored(matrix: Matrix) -> bool:
    """Tell whether the picture is shown as in a mirror."""
    return bool(matrix) and matrix[0] * matrix[4] < matrix[1] * matrix[3]


def rotation(matrix: Matrix) -> int:
    """Degrees counter-clockwise by which a player turns the picture, before it may mirror it."""
    if not matrix:
        return 0
    across = -matrix[0] if is_mirrored(matrix) else matrix[0]
    return round(-math.degrees(math.atan2(matrix[1], across)))


def is_same_view(matrix: Matrix, other: Matrix) -> bool:
    """Tell whether two matrices show the same, up to rounding and to where on the screen."""
    pairs = zip((matrix or _IDENTITY)[:6], (other or _IDENTITY)[:6], strict=True)
    return all(abs(a - b) <= _ROUNDING for a, b in pairs)


def upright(picture: np.ndarray[Any, np.dtype[T]], matrix: Matrix) -> np.ndarray[Any, np.dtype[T]]:
    """Turn and mirror a picture [H, W, ...] as a player does, to quarter turns."""
    turned = np.rot90(picture, round(rotation(matrix) / 90) % 4)
    return np.ascontiguousarray(turned[:, ::-1] if is_mirrored(matrix) else turned)


def _turned(degrees: int) -> Matrix:
    if not degrees:
        return ()
    cosine, sine = (round(_ONE * f(math.radians(degrees))) for f in (math.cos, math.sin))
    return (cosine, -sine, 0, sine, cosine, 0, 0, 0, _SCALE_ONE)
