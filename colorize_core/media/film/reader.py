"""Decoding a range of a film: exact borders, and damage that costs no frame its place in time."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.film.demux import decode_packet, main_video, open_film, readable
from colorize_core.media.film.ffmpeg_log import listening, tells_damage
from colorize_core.media.film.film import DEINTERLACE_REACH, KEYFRAMES_TRIED, FilmProbe
from colorize_core.media.film.planes import to_working
from colorize_core.media.film.pyav import VideoPacket

_STEP_BACK_SECONDS = (0.0, 1.0, 4.0, 16.0, 64.0)
_SEARCH_FRAMES = 1000
_LEAST_SHARE = 0.75


@dataclass(frozen=True)
class Frame:
    """A decoded frame in the film's working format, and its number in the film.

    Attributes:
        is_held: it did not decode and shares the frame of its neighbor.
        is_corrupt: its packet or the decoder said that it is damaged.
        is_converted: its size or pixel format differed from the film's.
        source: the frame as it was decoded, with its own chroma, where that was asked for.
    """

    index: int
    frame: av.VideoFrame
    is_held: bool = False
    is_corrupt: bool = False
    is_converted: bool = False
    source: av.VideoFrame | None = None


def read_frames(
    path: Path,
    probe: FilmProbe,
    start: int,
    stop: int,
    *,
    deinterlace: bool = False,
    keep_source: bool = False,
) -> Iterator[Frame]:
    """Decode frames [start, stop): exactly one Frame per frame number, in order.

    A frame that does not decode repeats the one before (or, at the start, the one after).

    Raises:
        UndecodableError: no frame in or near the range decodes.
        UnsupportedError: packets and frames do not correspond.
        MissingError: the file is gone.
    """
    if not 0 <= start < stop <= probe.frames:
        raise ValueError(f"range {start}..{stop} is outside of 0..{probe.frames}")
    if not deinterlace:
        for frame in _fill(path, probe, start, stop):
            yield frame if keep_source else replace(frame, source=None)
        return
    reach = DEINTERLACE_REACH
    before, after = max(0, start - reach), min(probe.frames, stop + reach)
    for picture in _deinterlace(_fill(path, probe, before, after), probe):
        if start <= picture.index < stop:
            yield picture


def _fill(path: Path, probe: FilmProbe, start: int, stop: int) -> Iterator[Frame]:
    """Put every frame of the range in its place; hold where one is missing."""
    last: Frame | None = None
    expected = start
    for picture in _decode(path, probe, start, stop):
        held = last or _held(picture)
        for hole in range(expected, picture.index):
            yield replace(held, index=hole)
        yield picture
        last, expected = _held(picture), picture.index + 1
    if expected < stop and last is None:
        last = _held(_nearest(path, probe, start, stop))
    for hole in range(expected, stop):
        assert last is not None
        yield replace(last, index=hole)


def _held(frame: Frame) -> Frame:
    """The frame as it stands in for a neighbor that is missing."""
    return Frame(frame.index, frame.frame, is_held=True, source=frame.source)


def _nearest(path: Path, probe: FilmProbe, start: int, stop: int) -> Frame:
    """A frame close to a range of which nothing decodes: the last before, or the first after.

    It is found by its time: a window of a probe does not number what is far from it.
    """
    if probe.is_segmentable:
        begin = probe.pts_of(start)
        span = int(_SEARCH_FRAMES / probe.frame_rate / probe.time_base)
        found = None
        with open_film(path, probe.frame_rate) as container:
            stream = main_video(container, path)
            with contextlib.suppress(av.FFmpegError):
                container.seek(max(probe.start_pts, begin - span), stream=stream, backward=True)
            for decoded in _frames(iter(container.demux(stream)), is_timed=probe.is_timed):
                is_before = decoded.frame.pts is not None and decoded.frame.pts < begin
                if found is None or is_before:
                    found = decoded
                if not is_before:
                    break
        if found is not None:
            return _normal(start, found, probe)
    raise UndecodableError(
        f"{path.name}: frames {start} to {stop} do not decode",
        remedy="try to play it there; a repaired copy may work",
    )


def _decode(path: Path, probe: FilmProbe, start: int, stop: int) -> Iterator[Frame]:
    """Yield what decodes of a range, ascending."""
    if start >= stop:
        return
    keyframes = _keyframes_before(probe, start)
    for keyframe in keyframes:
        with open_film(path, probe.frame_rate, first=keyframe) as container:
            stream = main_video(container, path)
            packets = _packets_from(container, stream, probe, keyframe)
            frames = _frames(packets, is_timed=probe.is_timed)
            numbered = _by_time(frames, probe) if probe.is_timed else _by_order(frames, probe, path)
            first = next(numbered, None)
            is_late = first is None or first[0] > keyframes[0]
            if is_late and keyframe != keyframes[-1]:
                continue
            last = start - 1
            for index, decoded in itertools.chain([first] if first else [], numbered):
                # Frames before the range are the run-up from the keyframe.
                if last < index < stop:
                    last = index
                    yield _normal(index, decoded, probe)
                if index >= stop - 1:
                    return
            return


def _keyframes_before(probe: FilmProbe, start: int) -> list[int]:
    """Frames to decode from in turn, until the picture of the first of them comes out.

    Where a film is refreshed step by step (no picture is coded by itself), decoders hold pictures
    back until they count as whole, for up to two keyframes; the first ones may still be wrong.
    """
    if not probe.is_segmentable:
        return [0]
    before = probe.keyframes[probe.keyframes <= start].tolist()
    return before[: -KEYFRAMES_TRIED - 1 : -1] or [0]


class _Decoded(NamedTuple):
    """A frame, and whether it is known to be damaged."""

    frame: av.VideoFrame
    is_corrupt: bool


def _frames(packets: Iterator[VideoPacket], *, is_timed: bool) -> Iterator[_Decoded]:
    """What decodes. Damage that a packet tells is its frame's: that of its time, else the next."""
    suspects: set[int | None] = set()
    is_next = False
    for packet in readable(packets):
        with listening() as messages:
            frames, _ = decode_packet(packet)
        if packet.is_corrupt or tells_damage(messages):
            is_next = not is_timed
            suspects.add(packet.pts)
        for frame in frames:
            is_corrupt = is_next or (is_timed and frame.pts in suspects)
            yield _Decoded(frame, is_corrupt or bool(frame.is_corrupt))
            is_next = False


def _by_time(frames: Iterator[_Decoded], probe: FilmProbe) -> Iterator[tuple[int, _Decoded]]:
    for decoded in frames:
        pts = decoded.frame.pts
        # A frame at a time that no packet announced has no place; the one it stands for is held.
        index = None if pts is None else probe.frame_at(pts)
        if index is not None:
            yield index, decoded


def _by_order(
    frames: Iterator[_Decoded], probe: FilmProbe, path: Path
) -> Iterator[tuple[int, _Decoded]]:
    count = 0
    for decoded in itertools.islice(frames, probe.frames):
        yield count, decoded
        count += 1
    if count < _LEAST_SHARE * probe.frames:
        raise UnsupportedError(
            f"{path.name}: {probe.frames} packets gave {count} frames, so their times are unknown",
            remedy="remux it into MKV or MP4 first",
        )


def _packets_from(
    container: InputContainer, stream: VideoStream, probe: FilmProbe, start: int
) -> Iterator[VideoPacket]:
    """Packets from a keyframe at or before frame `start`."""
    if start == 0 or not probe.is_segmentable or probe.container == "concat":
        return iter(container.demux(stream))
    target = probe.pts_of(start)
    for seconds in _STEP_BACK_SECONDS:
        offset = max(probe.start_pts, target - int(seconds / probe.time_base))
        try:
            container.seek(offset, stream=stream, backward=True)
            packets = iter(container.demux(stream))
            first = next(packets)
        except (av.FFmpegError, StopIteration):
            continue
        if first.pts is not None and first.pts <= target and first.is_keyframe:
            return itertools.chain([first], packets)
    container.seek(probe.start_pts, stream=stream, backward=True)
    return iter(container.demux(stream))


def _normal(index: int, decoded: _Decoded, probe: FilmProbe) -> Frame:
    """Bring a frame to the size and working format of the film."""
    frame, corrupt = decoded
    if (frame.width, frame.height) != (probe.width, probe.height):
        frame = frame.reformat(
            width=probe.width, height=probe.height, format=probe.planar.name, interpolation="AREA"
        )
        return Frame(index, frame, is_corrupt=corrupt, is_converted=True, source=frame)
    if frame.format.name != probe.pix_fmt:
        frame = frame.reformat(format=probe.planar.name)
        return Frame(index, frame, is_corrupt=corrupt, is_converted=True, source=frame)
    working = to_working(frame, probe.working, probe.matrix)
    return Frame(index, working, is_corrupt=corrupt, source=frame)


def _deinterlace(pictures: Iterator[Frame], probe: FilmProbe) -> Iterator[Frame]:
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
    waiting: list[Frame] = []
    for picture in itertools.chain(pictures, [None]):
        if picture is None:
            graph.push(None)
        else:
            waiting.append(picture)
            frame = picture.frame
            # Held pictures repeat a frame, but the filter needs ascending times.
            frame.pts = probe.pts_of(picture.index)
            frame.time_base = probe.time_base
            graph.push(frame)
        while waiting:
            try:
                filtered = graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                break
            done = waiting.pop(0)
            yield replace(done, frame=filtered, source=filtered)
