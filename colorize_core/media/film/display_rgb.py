"""Decoded frames as the pictures that a player shows."""

from __future__ import annotations

from typing import Any

import av
import numpy as np

from colorize_core.media.film.display_matrix import upright
from colorize_core.media.film.film import RANGE_FULL, RANGE_LIMITED, FilmProbe

SWS_MATRICES = {"bt709": 1, "bt601": 5, "bt2020nc": 9}


def to_display_rgb(
    frame: av.VideoFrame,
    probe: FilmProbe,
    pixel_format: str = "rgb24",
    *,
    size: tuple[int, int] | None = None,
    interpolation: str,
) -> np.ndarray[Any, Any]:
    """An upright picture [H, W, 3] of full range, by the film's matrix and range.

    Args:
        frame: of the film; of RGB, matrix and range are its own.
        probe: of the film.
        pixel_format: "rgb24" and "bgr24" give uint8, "bgr48le" uint16.
        size: width and height before the picture is turned; default: those of the frame.
        interpolation: of size and chroma, as libswscale calls it.
    """
    width, height = size or (None, None)
    source = {}
    if not frame.format.is_rgb:
        source["src_colorspace"] = SWS_MATRICES[probe.matrix]
        source["src_color_range"] = RANGE_FULL if probe.is_full_range else RANGE_LIMITED
    picture = frame.reformat(
        width=width,
        height=height,
        format=pixel_format,
        interpolation=interpolation,
        dst_color_range=RANGE_FULL,
        **source,
    )
    return upright(picture.to_ndarray(), probe.display_matrix)
