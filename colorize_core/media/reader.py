"""Decoding a range of a film: exact borders, and damage that costs no frame its place in time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.film import FilmProbe
from colorize_core.media.planes import to_working
from colorize_core.media.video import decode_packet, main_video, open_film

_STEP_BACK_SECONDS = (0.0, 1.0, 4.0, 16.0, 64.0)
_SEARCH_FRAMES = 1000
_LEAST_SHARE = 0.75
_FILTER_REACH = 2  # frames that bwdif sees on each side


@dataclass
class Damage:
    """What went wrong while decoding; filled in as frames are read."""

    held: int = 0  # frames that show their neighbor's picture
    corrupt: int = 0  # frames the decoder marked as damaged
    resized: int = 0  # frames whose size or format differed and was converted
    unexpected: int = 0  # frames at times that no packet announced

    def reasons(self) -> tuple[str, ...]:
        """In words, for the report."""
        texts = (
            (self.held, "frames could not be decoded and repeat their neighbor"),
            (self.corrupt, "frames are damaged"),
            (self.resized, "frames had another size or pixel format and were converted"),
            (self.unexpected, "decoded frames had no place in time and were dropped"),
        )
        return tuple(f"{count} {text}" for count, text in texts if count)


@dataclass(frozen=True)
class Picture:
    """A decoded frame in the film's working format, and its number in the film."""

    index: int
    frame: Any
    is_held: bool = False


def read_pictures(
    path: Path,
    probe: FilmProbe,
    start: int,
    stop: int,
    *,
    deinterlace: bool = False,
    damage: Damage | None = None,
) -> Iterator[Picture]:
    """Decode frames [start, stop): exactly one Picture per frame number, in order.

    A frame that does not decode repeats the one before (or, at the start, the one after). Damage
    is counted in `damage`.

    Raises:
        UndecodableError: no frame in or near the range decodes.
        UnsupportedError: packets and frames do not correspond.
        MissingError: the file is gone.
    """
    if not 0 <= start < stop <= probe.frames:
        raise ValueError(f"range {start}..{stop} is outside of 0..{probe.frames}")
    damage = damage if damage is not None else Damage()
    if not deinterlace:
        yield from _fill(path, probe, start, stop, damage)
        return
    before, after = max(0, start - _FILTER_REACH), min(probe.frames, stop + _FILTER_REACH)
    pictures = _fill(path, probe, before, after, damage)
    for picture in _deinterlace(pictures, probe):
        if start <= picture.index < stop:
            yield picture


def _fill(path: Path, probe: FilmProbe, start: int, stop: int, damage: Damage) -> Iterator[Picture]:
    """Put every frame of the range in its place; hold where one is missing."""
    last: Any | None = None
    expected = start
    for index, frame in _decode(path, probe, start, stop, damage):
        if last is None and index > expected:
            last = frame
        for hole in range(expected, index):
            damage.held += 1
            yield Picture(hole, last, is_held=True)
        yield Picture(index, frame)
        last, expected = frame, index + 1
    if expected < stop and last is None:
        last = _nearest(path, probe, start, stop)
    for hole in range(expected, stop):
        damage.held += 1
        yield Picture(hole, last, is_held=True)


def _nearest(path: Path, probe: FilmProbe, start: int, stop: int) -> Any:
    """A picture close to a range of which nothing decodes: the last before, or the first after."""
    if probe.is_segmentable:
        found = None
        for _, frame in _decode(path, probe, max(0, start - _SEARCH_FRAMES), start, Damage()):
            found = frame
        if found is not None:
            return found
        for _, frame in _decode(path, probe, stop, probe.frames, Damage()):
            return frame
    raise UndecodableError(
        f"{path.name}: frames {start} to {stop} do not decode",
        remedy="try to play it there; a repaired copy may work",
    )


def _decode(
    path: Path, probe: FilmProbe, start: int, stop: int, damage: Damage
) -> Iterator[tuple[int, Any]]:
    """Yield (frame number, frame) for what decodes, ascending."""
    if start >= stop:
        return
    with open_film(path) as container:
        stream = main_video(container, path)
        packets = _packets_from(container, stream, probe, start)
        if probe.is_timed:
            numbered = _by_time(packets, probe, start, stop, damage)
        else:
            numbered = _by_order(packets, probe, path, damage)
        for index, frame in numbered:
            if start <= index < stop:
                damage.corrupt += frame.is_corrupt
                yield index, _normal(frame, probe, damage)
            if index >= stop - 1:
                return


def _frames(packets: Iterator[Any]) -> Iterator[Any]:
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except MemoryError:
            raise
        except av.FFmpegError:
            # The rest cannot be read; the caller holds what is missing and the probe noted it.
            return
        yield from decode_packet(packet)[0]


def _by_time(
    packets: Iterator[Any], probe: FilmProbe, start: int, stop: int, damage: Damage
) -> Iterator[tuple[int, Any]]:
    last = start - 1
    for frame in _frames(packets):
        index = int(np.searchsorted(probe.pts, frame.pts))
        if index >= probe.frames or probe.pts[index] != frame.pts:
            # A frame before the range belongs to the run-up of the seek.
            damage.unexpected += bool(probe.pts[start] < frame.pts < probe.pts[stop - 1])
        elif index > last:
            last = index
            yield index, frame


def _by_order(
    packets: Iterator[Any], probe: FilmProbe, path: Path, damage: Damage
) -> Iterator[tuple[int, Any]]:
    count = 0
    for count, frame in enumerate(_frames(packets), start=1):
        if count <= probe.frames:
            yield count - 1, frame
        else:
            damage.unexpected += 1
    if count < _LEAST_SHARE * probe.frames:
        raise UnsupportedError(
            f"{path.name}: {probe.frames} packets gave {count} frames, so their times are unknown",
            remedy="remux it into MKV or MP4 first",
        )


def _packets_from(container: Any, stream: Any, probe: FilmProbe, start: int) -> Iterator[Any]:
    """Packets from a keyframe at or before frame `start`."""
    if start == 0 or not probe.is_segmentable:
        return iter(container.demux(stream))
    target = int(probe.pts[start])
    for seconds in _STEP_BACK_SECONDS:
        offset = max(int(probe.pts[0]), target - int(seconds / probe.time_base))
        try:
            container.seek(offset, stream=stream, backward=True)
            packets = iter(container.demux(stream))
            first = next(packets)
        except (av.FFmpegError, StopIteration):
            continue
        if first.pts is not None and first.pts <= target and first.is_keyframe:
            return itertools.chain([first], packets)
    container.seek(int(probe.pts[0]), stream=stream, backward=True)
    return iter(container.demux(stream))


def _normal(frame: Any, probe: FilmProbe, damage: Damage) -> Any:
    """Bring a frame to the size and working format of the film."""
    if (frame.width, frame.height) != (probe.width, probe.height):
        damage.resized += 1
        return frame.reformat(
            width=probe.width, height=probe.height, format=probe.planar.name, interpolation="AREA"
        )
    if frame.format.name != probe.pix_fmt:
        damage.resized += 1
        return frame.reformat(format=probe.planar.name)
    return to_working(frame, probe.working)


def _deinterlace(pictures: Iterator[Picture], probe: FilmProbe) -> Iterator[Picture]:
    """Run bwdif, one frame out per frame in."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=probe.width,
        height=probe.height,
        format=av.VideoFormat(probe.planar.name),
        time_base=probe.time_base,
    )
    bwdif = graph.add("bwdif", "mode=send_frame:deint=all")
    sink = graph.add("buffersink")
    source.link_to(bwdif)
    bwdif.link_to(sink)
    graph.configure()
    waiting: list[Picture] = []
    for picture in itertools.chain(pictures, [None]):
        if picture is None:
            graph.push(None)
        else:
            waiting.append(picture)
            frame = picture.frame
            # Held pictures repeat a frame, but the filter needs ascending times.
            frame.pts = int(probe.pts[picture.index])
            frame.time_base = probe.time_base
            graph.push(frame)
        while waiting:
            try:
                filtered = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                break
            done = waiting.pop(0)
            yield Picture(done.index, filtered, is_held=done.is_held)
