"""Is the result's Y' the source's? Decode both and compare bit by bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from colorize_core.media.film.counts import LumaCheck
from colorize_core.media.film.encoder_choice import LOSSLESS
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames


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
    theirs = read_frames(source, probe, 0, probe.frames, deinterlace=deinterlace)
    ours = read_frames(result, joined, 0, joined.frames)
    count = 0
    for before, after in zip(theirs, ours, strict=True):
        expected = plane(before.frame, 0).astype(np.float32) * np.float32(scale)
        error = np.abs(plane(after.frame, 0).astype(np.float32) - expected) / scale
        count += 1
        differing += bool(error.any())
        largest = max(largest, float(error.max()))
        total += float(error.mean())
    return LumaCheck(count, differing, largest, total / count, joined.codec in LOSSLESS)
