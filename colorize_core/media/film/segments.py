"""Planning: where a film may be cut, and whether it has color already."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from colorize_core.media.film.demux import decode_packet, main_video, open_film
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film

__all__ = ["FilmProbe", "is_film_colored", "plan_segments", "probe_film"]

_RUN_UP = 8  # frames between a keyframe and a border; the filter over time needs some before it
_PIECES = 4
_SAMPLED_PACKETS = 60
_COLOR_SAMPLES = 16
_NEUTRAL_RESIDUAL, _TONED_RESIDUAL, _TONED_CONCENTRATION = 1.5, 5.2, 0.75
_COLORED_SHARE = 0.25


def plan_segments(probe: FilmProbe, segment_frames: int) -> list[tuple[int, int]]:
    """Cut a film into half-open ranges of frame numbers; one range if it cannot be cut.

    Ranges start a little after a keyframe where one is near, so that little is decoded twice. They
    are 3/4 to 3/2 of `segment_frames` long (the last one down to 1/2), but longer in films with
    hardly any keyframes: there, every range is decoded from far before it.
    """
    borders = [0]
    if probe.is_segmentable:
        starts = probe.keyframes + _RUN_UP
        while probe.frames - borders[-1] > 1.5 * segment_frames:
            borders.append(_next_border(borders[-1], starts, probe.frames, segment_frames))
    return list(itertools.pairwise([*borders, probe.frames]))


def _next_border(last: int, starts: NDArray[np.int64], frames: int, length: int) -> int:
    target = last + length
    shortest, longest = last + 3 * length // 4, min(last + 3 * length // 2, frames - length // 2)
    near = starts[(starts >= shortest) & (starts <= longest)]
    if near.size:
        return int(near[np.abs(near - target).argmin()])
    before = int(starts[starts <= target].max(initial=0))
    after = int(starts[starts > target].min(initial=frames))
    # A stretch between keyframes is cut into few pieces: each is decoded from its beginning.
    step = max(length, -(-(after - before) // _PIECES))
    return min(last + step, after) if after < frames else min(last + step, frames - length // 2)


def is_film_colored(path: Path, probe: FilmProbe) -> bool:
    """Tell from frames spread over the film whether it already has color.

    A tint of one hue (sepia, a toned print) is no color.
    """
    if probe.pix_fmt.startswith(("gray", "mono")) or (probe.planar.is_gray and not probe.is_rgb):
        return False
    votes = [_is_frame_colored(frame) for frame in _sample_frames(path, probe)]
    return bool(votes) and sum(votes) >= max(1.0, _COLORED_SHARE * len(votes))


def _sample_frames(path: Path, probe: FilmProbe) -> Iterator[Any]:
    with open_film(path, probe.frame_rate) as container:
        stream = main_video(container, path)
        for i in range(_COLOR_SAMPLES):
            target = int(probe.pts[(2 * i + 1) * probe.frames // (2 * _COLOR_SAMPLES)])
            with contextlib.suppress(av.FFmpegError):
                container.seek(target, stream=stream, backward=True)
                frame = _next_frame(container, stream)
                if frame is not None:
                    yield frame


def _next_frame(container: Any, stream: Any) -> Any | None:
    for count, packet in enumerate(container.demux(stream)):
        frames, _ = decode_packet(packet)
        if frames:
            return frames[0]
        if count > _SAMPLED_PACKETS:
            break
    return None


def _is_frame_colored(frame: Any) -> bool:
    """The rule for photos (docs/decisions/0003), on Cb and Cr in 8-bit steps.

    A toned print (sepia) has one hue, and hardly more color than its lightness explains.
    """
    small = frame.reformat(width=96, height=96, format="yuv444p", interpolation="AREA")
    # The border may be black and the codec may have smeared color into it.
    inner = slice(4, -4)
    bins = plane(small, 0)[inner, inner].ravel() >> 4
    chroma = np.stack([plane(small, i)[inner, inner].ravel() for i in (1, 2)], 1) - 128.0
    counts = np.maximum(np.bincount(bins, minlength=16), 1)
    means = np.stack([np.bincount(bins, c, minlength=16) / counts for c in chroma.T], 1)
    residual = float(np.sqrt(((chroma - means[bins]) ** 2).sum(1).mean()))
    size = float(np.hypot(*chroma.T).mean())
    concentration = float(np.hypot(*chroma.mean(0))) / max(size, 1e-6)
    is_toned = residual <= _TONED_RESIDUAL and concentration >= _TONED_CONCENTRATION
    return residual > _NEUTRAL_RESIDUAL and not is_toned
