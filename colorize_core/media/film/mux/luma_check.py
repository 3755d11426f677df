"""Is the result's Y' the source's? Decode both and compare bit by bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colorize_core.media.film.counts import LumaCheck
from colorize_core.media.film.encoder_choice import LOSSLESS
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.planes import parse_format, plane, rgb_luma
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import Frame, read_frames

_HALF = 0.499  # of a step, and what float32 adds


def compare_luma(
    source: Path, probe: FilmProbe, result: Path, *, deinterlace: bool = False
) -> LumaCheck:
    """Compare every frame's Y' plane.

    Args:
        source: the film.
        probe: of `source`.
        result: the film in color; deeper samples are compared after shifting back.
        deinterlace: compare with the deinterlaced source.

    Raises:
        UndecodableError: one of them does not decode.
    """
    joined = probe_film(result)
    scale = float(1 << (joined.planar.depth - probe.planar.depth))
    differing, largest, total = 0, 0.0, 0.0
    theirs = read_frames(
        source, probe, 0, probe.frames, deinterlace=deinterlace, keep_source=not deinterlace
    )
    ours = read_frames(result, joined, 0, joined.frames)
    count = 0
    for before, after in zip(theirs, ours, strict=True):
        found = plane(after.frame, 0).astype(np.float32) / np.float32(scale)
        error = np.abs(found - _expected(before, probe))
        if probe.is_rgb:
            # What rounding to whole steps costs is no difference.
            error = np.floor(error + _HALF)
        count += 1
        differing += bool(error.any())
        largest = max(largest, float(error.max()))
        total += float(error.mean())
    is_lossless = joined.codec in LOSSLESS
    return LumaCheck(count, differing, largest, total / count, is_lossless, probe.is_rgb)


def _expected(before: Frame, probe: FilmProbe) -> NDArray[np.float32]:
    """Y' as the source decodes, not as it was worked on: that may have lost something."""
    source = before.source
    if source is None or source.format.name != probe.pix_fmt:
        return plane(before.frame, 0).astype(
            np.float32
        )  # deinterlaced, or converted, which is said
    if probe.is_rgb:
        return rgb_luma(source, probe.planar.depth, probe.matrix)
    direct = parse_format(source.format.name)
    return plane(source if direct else before.frame, 0).astype(np.float32)
