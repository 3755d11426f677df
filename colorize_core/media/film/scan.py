"""Looking at a whole film before it is colored: which shots have color of their own.

First only at frames that decode by themselves, which is cheap and enough for a film that is all
gray or all in color. Where both are found, every frame is decoded: cuts are found by the rule of
the stabilizer, and each shot is judged by most of what it shows.

Frames that look colored may be gray with the noise of a tape. A second of film from some of them on
tells: color stays with what moves, noise does not (media.film.views).
"""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, NamedTuple

import av
import numpy as np
from av.container import InputContainer
from numpy.typing import NDArray

from colorize_core.color.grayness import Grayness, judge, judge_views
from colorize_core.media.film.demux import decode_packet, main_video, open_film
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.planes import plane, resize_plane
from colorize_core.media.film.reader import read_frames
from colorize_core.media.film.shot import Shot
from colorize_core.media.film.views import two_views
from colorize_core.media.motion.shots import CutFinder

Picture = NDArray[np.uint8]
Tone = NDArray[Any] | None  # of a tinted frame, as in Grayness

_EVERY: Final = Fraction(1, 2)  # seconds between two looks
_SPARSE: Final = Fraction(2)  # seconds between keyframes above which all frames are decoded
_BLANK: Final = 3.0  # standard deviation of gray (of 255) below which a frame says nothing
_LOOKED_AT: Final = 256  # pixels along the long side
_WINDOW: Final = 48  # frames of a second look
_SECOND_LOOKS: Final = 6
_MUCH_LESS: Final = 0.6  # of the color of single frames: what a mean leaves of noise at most
_HARDLY: Final = 0.15  # what is left of heavy noise, whatever the rule says of it
# A few gray seconds in a film in color (titles, a night) are no black-and-white film: the film is
# copied as it is. The same share of color in a gray film is kept as it is, too.
_GRAY_PART: Final = 0.02
_MIDTONES: Final = slice(4, 11)  # knots of the tone model
_OTHER_TINT: Final = 6.0  # Lab units


def scan_film(
    path: Path, probe: FilmProbe, *, cut_threshold: float, each_tint: bool = False
) -> tuple[Shot, ...]:
    """Find which parts of a film have color of their own.

    Args:
        path: the film.
        probe: of the whole film.
        cut_threshold: shared structure below which two frames are a cut, see media.motion.shots.
        each_tint: find the tint of each shot of a tinted film, not only that it is one.

    Returns:
        Shots in order, together all frames. One for the whole film where all of it is alike.

    Raises:
        UndecodableError: no frame decodes.
    """
    looks = [look for look in _key_looks(path, probe) if look is not None]
    colored = [look for look in looks if look.is_colored]
    second_looks = _second_looks(path, probe, colored, cut_threshold)
    is_noisy = False in second_looks
    tone = _common([look.tone for look in looks])
    has_color = bool(colored) and not (is_noisy and True not in second_looks)
    if not has_color and not (each_tint and tone):
        return (Shot(0, probe.frames, is_colored=False, tone=tone),)
    if has_color and len(colored) == len(looks) and not is_noisy:
        return (Shot(0, probe.frames, is_colored=True),)
    shortest = max(1, round(probe.frame_rate * _EVERY))
    seen = _between_cuts(path, probe, cut_threshold, is_noisy=is_noisy, each_tint=each_tint)
    shots = _judged(seen, shortest)
    if not has_color:
        return tuple(replace(shot, is_colored=False) for shot in shots)
    gray = sum(shot.stop - shot.start for shot in shots if not shot.is_colored)
    if gray <= _GRAY_PART * probe.frames:
        return (Shot(0, probe.frames, is_colored=True),)
    return shots if any(shot.is_colored for shot in shots) else (_whole(shots),)


def _whole(shots: tuple[Shot, ...]) -> Shot:
    return replace(shots[0], stop=shots[-1].stop)


class _Look(NamedTuple):
    """What one frame says: its time, if it has one, how far it leaves the tone model, and that."""

    pts: int | None
    is_colored: bool
    strength: float
    tone: Tone


def _key_looks(path: Path, probe: FilmProbe) -> Iterator[_Look | None]:
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
            picture = _small_picture(frame)
            if picture is None:
                yield None
                continue
            verdict = judge(picture)
            yield _Look(frame.pts, verdict.kind == "colored", _strength(verdict), _tone(verdict))


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


def _second_looks(
    path: Path, probe: FilmProbe, colored: Sequence[_Look], cut_threshold: float
) -> set[bool]:
    """What a second of film says where a frame looked colored: at the strongest, the weakest..."""
    found: set[bool] = set()
    timed = sorted((x for x in colored if x.pts is not None), key=lambda x: -x.strength)
    places = np.linspace(0, max(0, len(timed) - 1), min(_SECOND_LOOKS, len(timed)))
    order = sorted(range(len(places)), key=lambda n: n not in (0, len(places) - 1))
    for count, n in enumerate(order, start=1):
        pts = timed[round(places[n])].pts
        assert pts is not None
        look = _is_steady(_pictures_from(path, probe, pts, cut_threshold))
        found |= set() if look is None else {look}
        if found == {True, False} or (True in found and count > 1):
            break
    return found


def _pictures_from(path: Path, probe: FilmProbe, pts: int, cut_threshold: float) -> list[Picture]:
    """Small pictures of up to _WINDOW frames from about this time to the next cut."""
    last = probe.pts_of(max(0, probe.frames - _WINDOW))
    begin = min(pts, last)
    cuts = CutFinder(cut_threshold)
    pictures: list[Picture] = []
    with open_film(path, probe.frame_rate) as container:
        stream = main_video(container, path)
        with contextlib.suppress(av.FFmpegError):  # then the film's beginning has to do
            container.seek(begin, stream=stream, backward=True)
        for frame in _decoded(container, stream):
            picture = None if (frame.pts or 0) < begin else _small_picture(frame)
            if picture is None:
                continue
            if len(pictures) == _WINDOW or (pictures and picture.shape != pictures[0].shape):
                break
            if cuts.begins_shot(picture.mean(2, dtype=np.float32) * np.float32(100 / 255)):
                break
            pictures.append(picture)
    return pictures


def _is_steady(pictures: Sequence[Picture]) -> bool | None:
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


def _tone(verdict: Grayness) -> Tone:
    return verdict.tone if verdict.kind == "toned" else None


def _common(tones: Sequence[Tone]) -> tuple[float, ...]:
    """The mean of tones where at least half have one, as in Shot."""
    found = [tone for tone in tones if tone is not None]
    if not found or 2 * len(found) < len(tones):
        return ()
    return tuple(np.mean(found, 0).round(1).ravel().tolist())


def _strength(verdict: Grayness) -> float:
    return verdict.across + verdict.along


@dataclass
class _Seen:
    """Frames from one cut to the next; whether each has color, None where it says nothing."""

    start: int
    looks: list[bool | None] = field(default_factory=list)
    pictures: deque[Picture] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    tones: list[Tone] = field(default_factory=list)
    asked: int = 0

    def add(self, verdict: Grayness | None, picture: Picture | None) -> None:
        """Count one frame; its picture where second looks may be needed."""
        look = None if verdict is None else verdict.kind == "colored"
        self.looks.append(look)
        if verdict is not None and not look:
            self.tones.append(_tone(verdict))
        if picture is not None:
            self.pictures.append(picture)

    def is_tinted_otherwise(self, verdict: Grayness | None) -> bool:
        """Whether a frame has another tint than the shot began with."""
        tone = None if verdict is None else _tone(verdict)
        first = next((tone for tone in self.tones if tone is not None), None)
        if tone is None or first is None:  # a frame now and then hardly shows its tint
            return False
        return bool(np.abs((tone - first)[_MIDTONES].mean(0)).max() > _OTHER_TINT)

    def ask_again(self) -> None:
        """Take what looked colored since the last time for gray if a second look says so."""
        new = self.looks[self.asked :]
        if 2 * new.count(True) > len(new) and _is_steady(self.pictures) is False:
            self.looks[self.asked :] = [None if look is None else False for look in new]
        self.asked = len(self.looks)


def _between_cuts(
    path: Path, probe: FilmProbe, cut_threshold: float, *, is_noisy: bool, each_tint: bool
) -> Iterator[_Seen]:
    cuts = CutFinder(cut_threshold)
    seen = _Seen(0)
    picture: Picture | None = None
    verdict: Grayness | None = None
    for frame in read_frames(path, probe, 0, probe.frames, keep_source=True):
        is_cut = cuts.begins_shot(_small_L(frame.frame, probe))
        if not frame.is_held:
            picture = _small_picture(frame.source)
            verdict = None if picture is None else judge(picture)
        is_cut |= each_tint and seen.is_tinted_otherwise(verdict)
        if is_noisy and (is_cut or len(seen.looks) - seen.asked == _WINDOW):
            seen.ask_again()
        if is_cut:
            yield seen
            seen = _Seen(frame.index)
        seen.add(verdict, picture if is_noisy and not frame.is_held else None)
    if is_noisy:
        seen.ask_again()
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
            tone = () if colored else _common(part.tones)
            shots.append(Shot(start, start + length, colored, tone))
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


def _small_picture(frame: av.VideoFrame) -> Picture | None:
    """RGB [h, w, 3] for the one rule (color.grayness, docs/decisions/0003); None if it is blank.

    By that rule, letters and logos in a gray frame do not make it a color one.
    """
    width, height = frame.width, frame.height
    scale = _LOOKED_AT / max(width, height, _LOOKED_AT)
    width, height = max(1, round(width * scale)), max(1, round(height * scale))
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    rgb: Picture = np.asarray(small.to_ndarray(), np.uint8)
    # The border may be black and the codec may have smeared color into it.
    y, x = height // 24, width // 24
    inner = rgb[y : height - y, x : width - x]
    return None if float(inner.mean(2).std()) < _BLANK else inner
