"""Looks at single frames of a film, and at a second of it where they cannot tell.

Frames that look colored may be gray with the noise of a tape. A second of film from some of them on
tells: color stays with what moves, noise does not (media.film.views).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_core.color.grayness import Grayness, judge, judge_views
from colorize_core.media.film.demux import decode_packet, main_video, open_film, readable
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.marks import BORDER, mark_cells
from colorize_core.media.film.views import two_views
from colorize_core.media.motion.shots import CutFinder

Picture = NDArray[np.uint8]
Tone = NDArray[Any] | None  # of a tinted frame, as in Grayness

EVERY: Final = Fraction(1, 2)  # seconds between two looks
WINDOW: Final = 48  # frames of a second look

_SPARSE: Final = Fraction(2)  # seconds between keyframes above which all frames are decoded
_BLANK: Final = 3.0  # standard deviation of gray (of 255) below which a frame says nothing
_LOOKED_AT: Final = 256  # pixels along the long side
_SECOND_LOOKS: Final = 6
_MUCH_LESS: Final = 0.6  # of the color of single frames: what a mean leaves of noise at most
_HARDLY: Final = 0.15  # what is left of heavy noise, whatever the rule says of it


@dataclass(frozen=True)
class Look:
    """What one frame says.

    Attributes:
        pts: its time, if it has one.
        is_colored: as a whole.
        strength: how far it leaves the tone model.
        tone: of a tinted frame.
        has_marks: it may show letters or a logo in color.
        has_marks_in_noise: it may show them, if what looks like color is mostly noise.
    """

    pts: int | None
    is_colored: bool
    strength: float
    tone: Tone
    has_marks: bool
    has_marks_in_noise: bool


def key_looks(path: Path, probe: FilmProbe) -> Iterator[Look | None]:
    """Whether frames all over the film have color; None where one says nothing."""
    spacing = Fraction(probe.frames, max(1, len(probe.keyframes))) / probe.frame_rate
    step = EVERY / probe.time_base
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
            picture = small_picture(frame)
            if picture is None:
                yield None
                continue
            verdict = judge(picture)
            yield Look(
                pts=frame.pts,
                is_colored=verdict.kind == "colored",
                strength=_strength(verdict),
                tone=tone_of(verdict),
                has_marks=bool(mark_cells(verdict, is_noisy=False).any()),
                has_marks_in_noise=bool(mark_cells(verdict, is_noisy=True).any()),
            )


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """Frames that nobody marked as damaged: damage looks like color."""
    for packet in readable(container.demux(stream)):
        frames, _ = decode_packet(packet)
        yield from (frame for frame in frames if not (packet.is_corrupt or frame.is_corrupt))


def second_looks(
    path: Path, probe: FilmProbe, colored: Sequence[Look], cut_threshold: float
) -> set[bool]:
    """What a second of film says where a frame looked colored: at the strongest, the weakest..."""
    found: set[bool] = set()
    timed = sorted((x for x in colored if x.pts is not None), key=lambda x: -x.strength)
    places = np.linspace(0, max(0, len(timed) - 1), min(_SECOND_LOOKS, len(timed)))
    order = sorted(range(len(places)), key=lambda n: n not in (0, len(places) - 1))
    for count, n in enumerate(order, start=1):
        pts = timed[round(places[n])].pts
        assert pts is not None
        look = is_steady(_pictures_from(path, probe, pts, cut_threshold))
        found |= set() if look is None else {look}
        if found == {True, False} or (True in found and count > 1):
            break
    return found


def _pictures_from(path: Path, probe: FilmProbe, pts: int, cut_threshold: float) -> list[Picture]:
    """Small pictures of up to WINDOW frames from about this time to the next cut."""
    last = probe.pts_of(max(0, probe.frames - WINDOW))
    begin = min(pts, last)
    cuts = CutFinder(cut_threshold)
    pictures: list[Picture] = []
    with open_film(path, probe.frame_rate) as container:
        stream = main_video(container, path)
        with contextlib.suppress(av.FFmpegError):  # then the film's beginning has to do
            container.seek(begin, stream=stream, backward=True)
        for frame in _decoded(container, stream):
            picture = None if (frame.pts or 0) < begin else small_picture(frame)
            if picture is None:
                continue
            if len(pictures) == WINDOW or (pictures and picture.shape != pictures[0].shape):
                break
            if cuts.begins_shot(picture.mean(2, dtype=np.float32) * np.float32(100 / 255)):
                break
            pictures.append(picture)
    return pictures


def is_steady(pictures: Sequence[Picture]) -> bool | None:
    """Whether the color of frames that look colored goes along with what they show.

    None where that cannot be told, as where color comes or goes among them.
    """
    views = two_views(pictures)
    if views is None:
        return None
    numbers = np.linspace(0, len(pictures) - 1, 6).round().astype(int)
    single = [_strength(judge(pictures[n])) for n in numbers]
    first, second = np.mean(single[:3]), np.mean(single[3:])
    if min(first, second) < _MUCH_LESS * max(first, second):
        return None
    seen = judge_views(*views)
    single_strength = float(np.mean(single))
    if max(_strength(seen), seen.chroma) < _HARDLY * single_strength:
        return False
    return seen.kind == "colored" or _strength(seen) > _MUCH_LESS * single_strength


def tone_of(verdict: Grayness) -> Tone:
    """The tone of a tinted or toned frame."""
    return verdict.tone if verdict.kind == "toned" else None


def _strength(verdict: Grayness) -> float:
    return verdict.across + verdict.along


def small_picture(frame: av.VideoFrame) -> Picture | None:
    """RGB [h, w, 3] for the one rule (color.grayness, docs/decisions/0003); None if it is blank.

    By that rule, letters and logos in a gray frame do not make it a color one (media.film.marks).
    """
    width, height = frame.width, frame.height
    scale = _LOOKED_AT / max(width, height, _LOOKED_AT)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    rgb: Picture = np.asarray(small.to_ndarray(), np.uint8)
    # The border may be black and the codec may have smeared color into it.
    y, x = height // BORDER, width // BORDER
    inner = rgb[y : height - y, x : width - x]
    return None if float(inner.mean(2).std()) < _BLANK else inner
