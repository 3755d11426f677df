"""Looking at a whole film before it is colored: which shots have color of their own.

First only at frames that decode by themselves, which is cheap and enough for a film that is all
gray or all in color. Where both are found, every frame is decoded: cuts are found by the rule of
the stabilizer, and each shot is judged by most of what it shows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.container import InputContainer

from colorize_core.color.grayness import judge
from colorize_core.media.film.demux import decode_packet, main_video, open_film
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.planes import plane, resize_plane
from colorize_core.media.film.reader import read_frames
from colorize_core.media.film.shot import Shot
from colorize_core.media.motion.shots import CutFinder

_EVERY: Final = Fraction(1, 2)  # seconds between two looks
_SPARSE: Final = Fraction(2)  # seconds between keyframes above which all frames are decoded
_BLANK: Final = 3.0  # standard deviation of gray (of 255) below which a frame says nothing
_LOOKED_AT: Final = 256  # pixels along the long side
# A few gray seconds in a film in color (titles, a night) are no black-and-white film: the film is
# copied as it is. The same share of color in a gray film is kept as it is, too.
_GRAY_PART: Final = 0.02


def scan_film(path: Path, probe: FilmProbe, *, cut_threshold: float) -> tuple[Shot, ...]:
    """Find which parts of a film have color of their own.

    Args:
        path: the film.
        probe: of the whole film.
        cut_threshold: shared structure below which two frames are a cut, see media.motion.shots.

    Returns:
        Shots in order, together all frames. One for the whole film where all of it is alike.

    Raises:
        UndecodableError: no frame decodes.
    """
    looks = [look for look in _key_looks(path, probe) if look is not None]
    if not any(looks):
        return (Shot(0, probe.frames, is_colored=False),)
    if all(looks):
        return (Shot(0, probe.frames, is_colored=True),)
    shortest = max(1, round(probe.frame_rate * _EVERY))
    shots = _judged(_between_cuts(path, probe, cut_threshold), shortest)
    gray = sum(shot.stop - shot.start for shot in shots if not shot.is_colored)
    if gray <= _GRAY_PART * probe.frames:
        return (Shot(0, probe.frames, is_colored=True),)
    return shots if any(shot.is_colored for shot in shots) else (_whole(shots),)


def _whole(shots: tuple[Shot, ...]) -> Shot:
    return replace(shots[0], stop=shots[-1].stop)


def _key_looks(path: Path, probe: FilmProbe) -> Iterator[bool | None]:
    """Whether frames all over the film have color; None where one says nothing."""
    spacing = Fraction(probe.frames, max(1, len(probe.keyframes))) / probe.frame_rate
    step = _EVERY / probe.time_base
    due: Fraction | None = None
    with open_film(path, probe.frame_rate) as container:
        stream = main_video(container, path)
        if spacing <= _SPARSE:
            stream.codec_context.skip_frame = "NONKEY"
        for frame in _decoded(container, stream):
            time = frame.pts if frame.pts is not None else due
            if due is not None and time is not None and time < due:
                continue
            due = None if time is None else time + step
            yield is_frame_colored(frame)


def _decoded(container: InputContainer, stream: Any) -> Iterator[Any]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except MemoryError:
            raise
        except av.FFmpegError:
            return  # the rest cannot be read: the reader holds it, and the probe has noted it
        yield from decode_packet(packet)[0]


@dataclass(frozen=True)
class _Seen:
    """Frames from one cut to the next; whether each has color, None where it says nothing."""

    start: int
    looks: list[bool | None]


def _between_cuts(path: Path, probe: FilmProbe, cut_threshold: float) -> Iterator[_Seen]:
    cuts = CutFinder(cut_threshold)
    seen: _Seen | None = None
    look: bool | None = None
    for frame in read_frames(path, probe, 0, probe.frames, keep_source=True):
        is_cut = cuts.begins_shot(_small_L(frame.frame, probe))
        if seen is None or is_cut:
            if seen is not None:
                yield seen
            seen = _Seen(frame.index, [])
        if not frame.is_held:
            look = is_frame_colored(frame.source)
        seen.looks.append(look)
    if seen is not None:
        yield seen


def _small_L(frame: av.VideoFrame, probe: FilmProbe) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Y' as 0..100, at most 128 wide: near enough to L* for the structure that makes a cut."""
    luma = plane(frame, 0)
    scale = min(1.0, 128 / max(luma.shape))
    size = (max(1, round(luma.shape[1] * scale)), max(1, round(luma.shape[0] * scale)))
    small = resize_plane(luma, *size).astype(np.float32)
    return small * np.float32(100 / ((1 << probe.planar.depth) - 1))


def _judged(seen: Iterator[_Seen], shortest: int) -> tuple[Shot, ...]:
    """Shots by most of what they show, parted where the color comes or goes without a cut."""
    shots: list[Shot] = []
    for part in seen:
        start = part.start
        for length, look in _runs(part.looks, shortest):
            # What says nothing goes with what stands before it.
            colored = look if look is not None else bool(shots) and shots[-1].is_colored
            shots.append(Shot(start, start + length, colored))
            start += length
    return tuple(shots)


def _runs(looks: list[bool | None], shortest: int) -> list[tuple[int, bool | None]]:
    """Lengths of equal looks; runs under `shortest` frames and blank ones join those around."""
    runs = [(len(list(same)), look) for look, same in itertools.groupby(looks)]
    while len(runs) > 1:
        weak = [n for n, (length, look) in enumerate(runs) if look is None or length < shortest]
        if not weak:
            break
        at = min(weak, key=lambda n: runs[n][0])
        into = at - 1 if at == len(runs) - 1 or (at and runs[at - 1][0] >= runs[at + 1][0]) else at
        (first, look), (second, other) = runs[into : into + 2]
        kept = look if into != at and look is not None else other if other is not None else look
        runs[into : into + 2] = [(first + second, kept)]
        runs = [
            (sum(length for length, _ in same), value)
            for value, same in ((v, list(g)) for v, g in itertools.groupby(runs, lambda r: r[1]))
        ]
    return runs


def is_frame_colored(frame: av.VideoFrame) -> bool | None:
    """The one rule (color.grayness, docs/decisions/0003) on a small picture; None if it is blank.

    Letters and logos in a gray frame do not make it a color one.
    """
    width, height = frame.width, frame.height
    scale = _LOOKED_AT / max(width, height, _LOOKED_AT)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    rgb = small.to_ndarray()
    # The border may be black and the codec may have smeared color into it.
    y, x = height // 24, width // 24
    inner = rgb[y : height - y, x : width - x]
    if float(inner.mean(2).std()) < _BLANK:
        return None
    return judge(inner).kind == "colored"
