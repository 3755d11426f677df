"""Probing: what a film is and when each of its frames is shown, found by demuxing."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from colorize_core.errors import TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.film.container_choice import muxable_in
from colorize_core.media.film.demux import (
    decode_packet,
    is_attached_picture,
    main_video,
    open_film,
)
from colorize_core.media.film.display_matrix import display_matrix
from colorize_core.media.film.ffmpeg_log import container_damage, listening
from colorize_core.media.film.film import ColorTags, FilmProbe, StreamInfo
from colorize_core.media.film.frame_times import (
    find_gaps,
    frame_rate,
    frame_times,
    plain_rate,
    times_of_decoding,
)
from colorize_core.media.film.latm import is_plain
from colorize_core.media.film.packet_scan import PacketScan, scan_packets
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
    rate = plain_rate(Fraction(fps or 25))
    head = _read_head(path, rate, max_pixels)
    with listening() as messages:
        packets = scan_packets(path, rate)
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
    """The start of a film, decoded.

    `is_timed`: its frames carry the times of its packets. `delay`: how many packets, less one, the
    decoder takes before the first frame.
    """

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
    delay: int


def _read_head(path: Path, rate: Fraction, max_pixels: int | None) -> _Head:
    with open_film(path, rate) as container:
        stream = main_video(container, path)
        times: set[int] = set()
        # Only the first frame is kept: some tens of them fill the memory at 4K.
        first: Any = None
        shown: list[int] = []
        is_interlaced = False
        delay = 0
        with contextlib.suppress(av.FFmpegError):
            for count, packet in enumerate(container.demux(stream)):
                if packet.pts is not None:
                    times.add(packet.pts)
                for frame in decode_packet(packet)[0]:
                    if first is None:
                        _check_size(path, frame, max_pixels)
                        first, delay = frame, count
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
            delay=delay,
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


def _assemble(head: _Head, packets: PacketScan) -> FilmProbe:
    known = [t for t in packets.times if t is not None]
    has_times = len(known) == len(packets.times) and len(set(known)) == len(known)
    is_fed = head.container == "avi" and head.codec in _UNORDERED_IN_AVI
    is_fed &= len(packets.clock) == len(packets.times)
    about_times = ""
    if is_fed:
        pts = times_of_decoding(packets.clock, min(head.delay, len(packets.clock)))
    else:
        pts, about_times = frame_times(packets.times, head.time_base, head.guessed_rate)
    rate = frame_rate(pts, head.time_base, head.guessed_rate)
    gaps, pauses = find_gaps(pts, head.time_base, packets, head.container)
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
        is_timed=has_times and head.is_timed and not is_fed,
        is_segmentable=not reason,
        reason=reason,
        notes=(*_cut_short(len(pts), packets), *gaps, *([about_times] if about_times else [])),
        remarks=pauses,
        earliest=packets.earliest,
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


def _cut_short(frames: int, packets: PacketScan) -> list[str]:
    if packets.error:
        return [f"reading stops early: {packets.error}"]
    if packets.is_cut_short:
        return [f"the source is cut short: {frames} frames of {packets.seconds:.1f} s are there"]
    return []
