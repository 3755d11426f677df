"""Demuxing a film once from end to end: when its packets are shown, and what is odd about them."""

from __future__ import annotations

from array import array
from collections.abc import MutableSequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from colorize_core.media.film.captions import caption_kinds
from colorize_core.media.film.changes import CodecWatch, ShapeWatch
from colorize_core.media.film.demux import DEMUX_ERRORS, main_video, open_film, short_error
from colorize_core.media.film.pyav import StreamPacket, shown_at, unit

# Containers that store packets whole, one behind the other. Between two lie headers of a few bytes,
# or a table; more was skipped as damaged.
IN_ONE_PIECE = {"matroska,webm", "flv", "nut"}
_SKIPPED_BYTES = 1024
_CHANGEABLE = {"mpegts", "mpeg"}


@dataclass
class PacketScan:
    """A demuxed film.

    Attributes:
        times: of the pictures in decode order, None where a packet has none.
        clock: their decode times.
        ends: by a picture's time, when it says that it ends.
        keyframes: times of pictures from which decoding can start.
        last_duration: of the picture shown last, 0 if it does not say.
        is_cut_short: its index promises more than there is.
        seconds: how long the film is.
        error: why reading stopped early, "" if it did not.
        captions: kinds of closed captions inside the pictures.
        skipped: times of pictures before which the demuxer skipped bytes, or a packet is marked
            as damaged.
        sound: seconds at which packets of sound begin.
        earliest: seconds at which sound or pictures begin.
        filled: indices of streams that have packets.
        shapes: see ShapeWatch.
        foreign: where packets begin to be another codec's, in seconds by index of the stream.
    """

    times: list[int | None] = field(default_factory=list)
    clock: list[int] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    keyframes: list[int] = field(default_factory=list)
    last_duration: int = 0
    is_cut_short: bool = False
    seconds: float = 0.0
    error: str = ""
    captions: set[str] = field(default_factory=set)
    skipped: list[int] = field(default_factory=list)
    sound: MutableSequence[float] = field(default_factory=lambda: array("d"))
    earliest: Fraction = Fraction(0)
    filled: set[int] = field(default_factory=set)
    shapes: list[tuple[int, Fraction]] = field(default_factory=list)
    foreign: dict[int, float] = field(default_factory=dict)

    def add_picture(self, packet: StreamPacket, codec: str) -> None:
        """Count one packet of the film's pictures."""
        data = bytes(packet)
        self.captions |= caption_kinds(data, codec)
        if packet.is_discard or not is_shown(data, codec):
            return
        self.times.append(packet.pts)
        if packet.dts is not None:
            self.clock.append(packet.dts)
        if packet.pts is None:
            return
        self.ends[packet.pts] = packet.pts + (packet.duration or 0)
        if packet.is_keyframe:
            self.keyframes.append(packet.pts)


def scan_packets(path: Path, rate: Fraction) -> PacketScan:
    """Demux all streams of a film; `rate` is of a folder of pictures."""
    scan = PacketScan()
    with open_film(path, rate) as container:
        stream = main_video(container, path)
        codec = stream.codec_context.codec.canonical_name
        last_seconds = 0.0
        position = 0
        is_skipped = False
        # Fractions are slow: a film has some hundred thousand packets.
        ticks = {stream.index: float(unit(stream)) for stream in container.streams}
        watch = _Watch(container, stream.index, scan)
        is_in_one_piece = container.format.name in IN_ONE_PIECE
        try:
            for packet in container.demux():
                if not packet.size:
                    continue
                if is_in_one_piece and packet.pos is not None and packet.pos >= 0:
                    is_skipped |= position > 0 and packet.pos - position > _SKIPPED_BYTES
                    position = packet.pos + packet.size
                is_skipped |= packet.is_corrupt
                scan.filled.add(packet.stream_index)
                watch.look(packet)
                if packet.pts is not None:
                    tick = ticks.get(packet.stream_index) or float(packet.time_base)
                    last_seconds = max(last_seconds, (packet.pts + (packet.duration or 0)) * tick)
                    _note_start(packet, tick, scan)
                if packet.stream_index == stream.index:
                    scan.add_picture(packet, codec)
                    if is_skipped and packet.pts is not None:
                        scan.skipped.append(packet.pts)
                        is_skipped = False
        except MemoryError:
            raise
        except DEMUX_ERRORS as caught:
            scan.error = short_error(caught)
        declared = float(container.duration or 0) / av.time_base
        # A tail of half a second may be rounding or a last long frame; more is missing.
        lost = max(declared - last_seconds, _missing_tail(container, stream, scan))
    last = max(scan.ends, default=0)
    scan.last_duration = scan.ends.get(last, 0) - last
    scan.is_cut_short = lost > max(0.5, 0.01 * declared)
    scan.seconds = max(declared, last_seconds)
    return scan


class _Watch:
    """Looks for changes of codec in transport streams, and of shape in the pictures."""

    def __init__(self, container: InputContainer, pictures: int, scan: PacketScan) -> None:
        self._scan = scan
        self._pictures = pictures
        self._is_transport = container.format.name in _CHANGEABLE
        self._codecs: dict[int, CodecWatch] = {}
        self._shapes = ShapeWatch(scan.shapes)

    def look(self, packet: StreamPacket) -> None:
        """Look at one packet."""
        stream = packet.stream
        if stream.codec_context is None or stream.type not in ("video", "audio"):
            return
        codec = stream.codec_context.codec.canonical_name
        is_key = stream.index == self._pictures and packet.is_keyframe
        if not (is_key or self._is_transport):
            return
        data = bytes(packet)
        if is_key:
            self._shapes.look(data, codec, packet.pts)
        if self._is_transport and packet.stream_index not in self._scan.foreign:
            watch = self._codecs.setdefault(packet.stream_index, CodecWatch())
            watch.look(data, codec, packet.pts)
            if watch.since is not None:
                self._scan.foreign[packet.stream_index] = float(watch.since * packet.time_base)


def _note_start(packet: StreamPacket, tick: float, scan: PacketScan) -> None:
    kind = packet.stream.type
    if kind not in ("audio", "video") or packet.is_discard:
        return
    pts = shown_at(packet)
    if pts < 0:
        scan.earliest = min(scan.earliest, pts * packet.time_base)
    if kind == "audio":
        scan.sound.append(pts * tick)


def _missing_tail(container: InputContainer, stream: VideoStream, scan: PacketScan) -> float:
    """Seconds of pictures that the index of MP4 or AVI promises after the last one there is.

    A count of pictures is no promise: edit lists leave some out, and the headers of AVI count
    places in time, dropped frames too.
    """
    in_mov = container.format.name.startswith("mov,")
    ticks = stream.duration if in_mov else stream.frames if container.format.name == "avi" else 0
    if not scan.ends or not ticks:
        return 0.0
    length = scan.ends[max(scan.ends)] - min(scan.ends)
    return float((ticks - length) * unit(stream))


def is_shown(data: bytes, codec: str) -> bool:
    """Tell whether a packet holds a picture to show: VP8 and VP9 have some only to refer to.

    RFC 6386, section 9.1; VP9 bitstream specification, section 6.2 and annex B.
    """
    if codec == "vp8":
        return bool(data[0] & 0x10)
    if codec != "vp9" or data[-1] & 0xE0 == 0xC0:  # several frames in one: one of them is shown
        return True
    # Frame marker (2 bits), profile (2, and a reserved one in profile 3), show_existing_frame,
    # frame_type, show_frame.
    bits = data[0] << (data[0] & 0x30 == 0x30)
    return bool(bits & 0x08 or bits & 0x02)
