"""Probing: what a film is and when each of its frames is shown, found by demuxing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from colorize_core.errors import TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.film.captions import caption_kinds
from colorize_core.media.film.container_choice import muxable_in
from colorize_core.media.film.demux import (
    decode_packet,
    is_attached_picture,
    main_video,
    open_film,
    short_error,
)
from colorize_core.media.film.display_matrix import display_matrix
from colorize_core.media.film.ffmpeg_log import container_damage, listening
from colorize_core.media.film.film import ColorTags, FilmProbe, StreamInfo
from colorize_core.media.film.latm import is_plain
from colorize_core.media.film.planes import working_format

# Containers in which seeking was measured to lose no frame. MPEG-TS and -PS seek late, raw
# streams not at all.
_SEEKABLE = {"matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "flv", "asf", "avi", "image2"}
_UNORDERED_IN_AVI = {"h264", "hevc"}  # AVI has decode times only
_HDR = {
    "MASTERING_DISPLAY_METADATA": "mastering display",
    "CONTENT_LIGHT_LEVEL": "content light level",
    "DYNAMIC_HDR_PLUS": "HDR10+ data",
    "DOVI_METADATA": "Dolby Vision data",
}
_SAMPLED_PACKETS = 60
_GAP_FACTOR = 3.0
_STEADY_SHARE = 0.95
# Recordings of these can be put behind each other byte by byte, each with its own clock.
_JOINABLE = {"mpegts", "mpeg"}
_RESTART_SECONDS = 1.0
# Clocks of 33 bits at 90 kHz: FFmpeg takes a restart for an overflow when it can.
_OVERFLOW_SECONDS = 2**32 / 90_000
_NEIGHBORS = 9


def probe_film(
    path: Path,
    *,
    max_pixels: int | None = None,
    max_frames: int | None = None,
    fps: float | None = None,
) -> FilmProbe:
    """Demux a film once and decode its first frames.

    Args:
        path: the film, or a folder of numbered pictures.
        max_pixels: of one frame.
        max_frames: of the film.
        fps: of a folder of pictures.

    Raises:
        MissingError: there is no such file.
        UndecodableError: not a film, damaged beyond use, or no frame decodes.
        UnsupportedError: without pictures, with samples this project cannot handle, or with a
            clock that starts anew inside the film.
        TooLargeError: above a limit.
    """
    rate = _plain_rate(Fraction(fps or 25))
    head = _read_head(path, rate, max_pixels)
    with listening() as messages:
        packets = _read_packets(path, rate)
    if max_frames is not None and len(packets.times) > max_frames:
        raise TooLargeError(
            f"{path.name}: {len(packets.times)} frames are above {max_frames}",
            remedy="raise video.max_frames",
        )
    restart = _restart(packets.clock, head)
    if restart is not None:
        raise UnsupportedError(
            f"{path.name}: its clock starts anew at {restart:.1f} s, as in recordings put together",
            remedy="remux it first: ffmpeg -fflags +genpts -i FILM -map 0 -dn -c copy FILM.mkv",
        )
    probe = _assemble(head, packets)
    return replace(probe, notes=probe.notes + container_damage(messages, head.container))


@dataclass(frozen=True)
class _Head:
    """The start of a film, decoded. `is_timed`: its frames carry the times of its packets."""

    container: str
    brand: str
    streams: tuple[StreamInfo, ...]
    stream_index: int
    codec: str
    frame: Any
    sample_aspect: Fraction
    color: ColorTags
    field_order: int
    time_base: Fraction
    guessed_rate: Fraction | None
    is_timed: bool


def _read_head(path: Path, rate: Fraction, max_pixels: int | None) -> _Head:
    with open_film(path, rate) as container:
        stream = main_video(container, path)
        times: set[int] = set()
        # Only the first frame is kept: some tens of them fill the memory at 4K.
        first: Any = None
        shown: list[int] = []
        is_interlaced = False
        with contextlib.suppress(av.FFmpegError):
            for count, packet in enumerate(container.demux(stream)):
                if packet.pts is not None:
                    times.add(packet.pts)
                for frame in decode_packet(packet)[0]:
                    if first is None:
                        _check_size(path, frame, max_pixels)
                        first = frame
                    shown.append(frame.pts)
                    is_interlaced |= frame.interlaced_frame
                if count >= _SAMPLED_PACKETS and first is not None:
                    break
        if first is None:
            raise UndecodableError(
                f"{path.name}: no frame of its {stream.codec_context.name} stream can be decoded",
                remedy="try to play it; if no player can, the pictures are lost",
            )
        return _Head(
            container=container.format.name,
            brand=container.metadata.get("major_brand", "").strip(),
            streams=tuple(_stream_info(s, container) for s in container.streams),
            stream_index=stream.index,
            codec=stream.codec_context.codec.canonical_name,
            frame=first,
            sample_aspect=stream.sample_aspect_ratio or Fraction(1),
            color=_color_tags(first, stream.codec_context),
            field_order=_field_order(stream.codec_context, is_interlaced=is_interlaced),
            time_base=stream.time_base,
            guessed_rate=stream.guessed_rate,
            is_timed=times.issuperset(shown) and shown == sorted(set(shown)),
        )


def _check_size(path: Path, frame: Any, max_pixels: int | None) -> None:
    if max_pixels is not None and frame.width * frame.height > max_pixels:
        raise TooLargeError(
            f"{path.name}: {frame.width} x {frame.height} is above {max_pixels} pixels",
            remedy="raise video.max_pixels",
        )


def _stream_info(stream: Any, container: Any) -> StreamInfo:
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else ""
    tags = stream.metadata
    in_mov = container.format.name.startswith("mov,")
    return StreamInfo(
        index=stream.index,
        kind=stream.type,
        codec=codec,
        name=tags.get("handler_name", "") or tags.get("filename", ""),
        language=tags.get("language", ""),
        muxable_in=muxable_in(stream),
        is_attached_picture=stream.type == "video" and is_attached_picture(stream),
        # QuickTime keeps chapters and the time code in tracks of their own.
        is_redundant=stream.type == "data"
        and in_mov
        and (bool(container.chapters()) or "timecode" in tags),
        sample_format=_sample_format(stream),
        is_plain_latm=codec == "aac_latm" and is_plain(stream),
    )


def _sample_format(stream: Any) -> str:
    context = stream.codec_context
    if stream.type != "audio" or context is None or context.format is None:
        return ""
    return str(context.format.name) if context.sample_rate and context.channels else ""


def _color_tags(frame: Any, context: Any) -> ColorTags:
    def pick(name: str, unknown: int) -> int:
        value = int(getattr(frame, name))
        return value if value != unknown else int(getattr(context, name))

    return ColorTags(
        range=pick("color_range", 0),
        matrix=pick("colorspace", 2),
        primaries=pick("color_primaries", 2),
        transfer=pick("color_trc", 2),
    )


def _hdr(frame: Any) -> tuple[str, ...]:
    names: set[str] = set()
    # PyAV fails on kinds of side data that it does not know, such as EXIF.
    with contextlib.suppress(ValueError):
        names = {data.type.name for data in frame.side_data} & _HDR.keys()
    return tuple(_HDR[name] for name in sorted(names))


def _field_order(context: Any, *, is_interlaced: bool) -> int:
    declared = int(context.field_order)
    if declared > 1:
        return declared
    if not is_interlaced:
        return declared
    # Flagged frames without a declared order: DV has the bottom field first, others rarely do.
    return 3 if context.codec.canonical_name == "dvvideo" else 2


@dataclass(frozen=True)
class _Packets:
    """A demuxed film. `times` is in decode order, None where a packet has none.

    `clock` holds decode times. `last_duration` is of the packet shown last, 0 if it does not say.
    """

    times: list[int | None]
    clock: list[int]
    keyframes: list[int]
    last_duration: int
    is_cut_short: bool
    seconds: float
    error: str
    captions: set[str]


def _read_packets(path: Path, rate: Fraction) -> _Packets:
    with open_film(path, rate) as container:
        stream = main_video(container, path)
        times: list[int | None] = []
        clock: list[int] = []
        keyframes: list[int] = []
        last_seconds = 0.0
        last = (0, 0)
        error = ""
        codec = stream.codec_context.codec.canonical_name
        captions: set[str] = set()
        try:
            for packet in container.demux():
                if packet.pts is not None and packet.size:
                    end = packet.pts + (packet.duration or 0)
                    last_seconds = max(last_seconds, float(end * packet.time_base))
                if packet.stream_index != stream.index or packet.size == 0:
                    continue
                captions |= caption_kinds(bytes(packet), codec)
                if not packet.is_discard and _is_shown(packet, stream.codec_context.name):
                    times.append(packet.pts)
                    if packet.dts is not None:
                        clock.append(packet.dts)
                    if packet.pts is None:
                        continue
                    last = max(last, (packet.pts, packet.duration or 0))
                    if packet.is_keyframe:
                        keyframes.append(packet.pts)
        except MemoryError:
            raise
        except av.FFmpegError as caught:
            error = short_error(caught)
        declared = float(container.duration or 0) / av.time_base
        # A tail of half a second may be rounding or a last long frame; more is missing.
        lost = max(declared - last_seconds, _missing_tail(container, stream, times, last))
        is_cut_short = lost > max(0.5, 0.01 * declared)
        return _Packets(
            times,
            clock,
            keyframes,
            last[1],
            is_cut_short,
            max(declared, last_seconds),
            error,
            captions,
        )


def _missing_tail(
    container: Any, stream: Any, times: list[int | None], last: tuple[int, int]
) -> float:
    """Seconds of pictures that the index of MP4 or AVI promises after the last one there is.

    A count of pictures is no promise: edit lists leave some out, and the headers of AVI count
    places in time, dropped frames too.
    """
    in_mov = container.format.name.startswith("mov,")
    ticks = stream.duration if in_mov else stream.frames if container.format.name == "avi" else 0
    known = [t for t in times if t is not None]
    if not known or not ticks:
        return 0.0
    return float((ticks - (sum(last) - min(known))) * stream.time_base)


def _restart(clock: list[int], head: _Head) -> float | None:
    """Find where decode times fall back for good: seconds on the clock before that, or None."""
    if head.container not in _JOINABLE:
        return None
    seconds = np.asarray(clock, np.float64) * float(head.time_base)
    step = np.diff(seconds)
    for i in np.flatnonzero((step < -_RESTART_SECONDS) | (step > _OVERFLOW_SECONDS)) + 1:
        # One damaged time strays alone: its neighbors go on as before.
        before = np.median(seconds[max(0, i - _NEIGHBORS) : i])
        jump = np.median(seconds[i : i + _NEIGHBORS]) - before
        if jump < -_RESTART_SECONDS or jump > _OVERFLOW_SECONDS:
            return float(before)
    return None


def _is_shown(packet: Any, codec: str) -> bool:
    # VP8 stores pictures that only serve as references as packets of their own.
    return not codec.startswith(("vp8", "libvpx-vp8")) or bool(bytes(packet)[0] & 0x10)


def _assemble(head: _Head, packets: _Packets) -> FilmProbe:
    known = [t for t in packets.times if t is not None]
    has_times = len(known) == len(packets.times) and len(set(known)) == len(known)
    is_timed = has_times and head.is_timed
    pts, about_times = _frame_times(head, packets.times)
    rate = _frame_rate(pts, head)
    reason = _why_linear(head, has_times=has_times)
    return FilmProbe(
        container=head.container,
        brand=head.brand,
        streams=head.streams,
        video_index=head.stream_index,
        codec=head.codec,
        pix_fmt=head.frame.format.name,
        working=working_format(head.frame.format.name),
        width=head.frame.width,
        height=head.frame.height,
        sample_aspect=head.sample_aspect,
        display_matrix=display_matrix(head.frame),
        color=head.color,
        hdr=_hdr(head.frame),
        field_order=head.field_order,
        time_base=head.time_base,
        frame_rate=rate,
        pts=pts,
        last_duration=packets.last_duration or max(1, round(1 / (rate * head.time_base))),
        keyframes=np.searchsorted(pts, np.asarray(sorted(packets.keyframes), np.int64)),
        duration_seconds=packets.seconds,
        is_timed=is_timed,
        is_segmentable=not reason,
        reason=reason,
        notes=_damage(pts, head.time_base, packets) + ((about_times,) if about_times else ()),
        captions=frozenset(packets.captions),
    )


def _why_linear(head: _Head, *, has_times: bool) -> str:
    if head.container not in _SEEKABLE:
        return f"seeking in {head.container} loses frames"
    if head.container == "avi" and head.codec in _UNORDERED_IN_AVI:
        return f"{head.codec} in AVI has no presentation times"
    if not has_times:
        return "some frames have no time or share one"
    if not head.is_timed:
        return "decoded frames do not carry the times of their packets"
    return ""


def _frame_times(head: _Head, times: list[int | None]) -> tuple[NDArray[np.int64], str]:
    """When each frame is shown, ascending, and what is to be said about that.

    A missing time is put between those around it, equal times share the wait until the next one.
    """
    known = sorted(t for t in times if t is not None)
    distinct = sorted(set(known))
    if len(distinct) == len(times):
        return np.asarray(known, np.int64), ""
    if len(distinct) < max(2, len(times) / 2):
        step = 1 / ((head.guessed_rate or Fraction(25)) * head.time_base)
        start = known[0] if known else 0
        constant = [start + round(i * step) for i in range(len(times))]
        note = f"only {len(distinct)} of {len(times)} frames have a time of their own"
        # Raw streams have no times at all: for them the declared rate is all there is.
        return np.asarray(constant, np.int64), f"{note}: shown at a constant rate" * bool(known)
    places = [i for i, t in enumerate(times) if t is not None]
    # Before the first known time and after the last one, the distance next to it goes on.
    first = known[0] - (places[0] + 1) * (distinct[1] - distinct[0])
    last = known[-1] + (len(times) - places[-1]) * (distinct[-1] - distinct[-2])
    filled = np.interp(np.arange(len(times)), [-1, *places, len(times)], [first, *known, last])
    return _spread(np.round(filled).astype(np.int64)), ""


def _spread(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ascending times, equal ones moved apart: by equal shares, at least by one tick."""
    first, counts = np.unique(times, return_index=True, return_counts=True)[1:]
    wait = np.append(np.diff(times[first]), 0)
    order = np.arange(len(times))
    nth = order - np.repeat(first, counts)
    moved = times + nth * np.repeat(wait, counts) // np.repeat(counts, counts)
    return np.maximum.accumulate(moved - order) + order


def _frame_rate(pts: NDArray[np.int64], head: _Head) -> Fraction:
    """Nominal rate: the declared one where the median distance of frames agrees with it."""
    if len(pts) < 2:
        return head.guessed_rate or Fraction(25)
    median = float(np.median(np.diff(pts)))
    mean = float(pts[-1] - pts[0]) / (len(pts) - 1)
    # The mean is free of the rounding of coarse time bases, but one long pause spoils it.
    step = Fraction(mean if abs(mean / median - 1) < 0.05 else median)
    measured = 1 / (step * head.time_base)
    guessed = head.guessed_rate
    if guessed and abs(guessed / measured - 1) < Fraction(1, 20):
        return guessed
    return _plain_rate(measured)


def _plain_rate(rate: Fraction) -> Fraction:
    """Round to a rate as films have them (24000/1001), or to whole seconds per frame."""
    return (
        rate.limit_denominator(1001) if rate > Fraction(1, 1001) else Fraction(1, round(1 / rate))
    )


def _damage(pts: NDArray[np.int64], time_base: Fraction, packets: _Packets) -> tuple[str, ...]:
    notes = []
    if packets.error:
        notes.append(f"reading stops early: {packets.error}")
    elif packets.is_cut_short:
        notes.append(
            f"the source is cut short: {len(pts)} frames of {packets.seconds:.1f} s are there"
        )
    distance = np.diff(pts)
    if len(distance) >= 4:
        median = float(np.median(distance))
        steady = np.abs(distance - median) <= max(1.0, 0.1 * median)
        gaps = np.flatnonzero(distance > _GAP_FACTOR * median)
        # Where frames come at irregular times by design, a long wait is no damage.
        if gaps.size and steady.mean() >= _STEADY_SHARE:
            missing = int(sum(round(float(distance[g]) / median) - 1 for g in gaps))
            where = float(pts[gaps[0]] * time_base)
            notes.append(
                f"{missing} frames are missing in {gaps.size} gaps, first at {where:.2f} s"
            )
    return tuple(notes)
