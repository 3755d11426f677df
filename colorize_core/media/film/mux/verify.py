"""Is a joined film what it should be? Demuxed once more before it is published."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Stream
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_core.errors import VerifyError
from colorize_core.media.film.demux import decode_packet, open_film
from colorize_core.media.film.display_matrix import Matrix, display_matrix, is_same_view
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.pyav import AnyPacket, shown_at, unit


class PacketTally:
    """Packets per stream: how many, and a digest of the bytes of sound."""

    def __init__(self) -> None:
        self.packets: Counter[int] = Counter()
        self._sound: dict[int, Any] = {}

    def count(self, packet: AnyPacket) -> None:
        """Add one packet."""
        index = packet.stream_index
        self.packets[index] += 1
        if packet.stream.type == "audio":
            self._sound.setdefault(index, hashlib.blake2b()).update(bytes(packet))

    def digest(self, index: int) -> bytes:
        """All bytes of a sound stream, whichever packets they are in."""
        return bytes(self._sound[index].digest()) if index in self._sound else b""


@dataclass(frozen=True)
class Muxed:
    """What went into the file: the index of the color stream, packets, each stream's kind."""

    color_index: int
    tally: PacketTally
    kinds: tuple[str, ...]
    damage: tuple[str, ...]


@dataclass(frozen=True)
class Verified:
    """What the finished file is.

    `moved` says by how many milliseconds all its streams were moved; `lost` is of the geometry,
    and of the time for which the last frame is shown; `damage` counts packets that are not there.
    """

    seconds: float
    moved: int
    lost: tuple[str, ...]
    damage: tuple[str, ...]


def stream_kind(stream: Stream) -> str:
    """Kind of a stream; covers count as attachments, which they are in Matroska."""
    is_cover = stream.type == "video" and stream.disposition & type(stream.disposition).attached_pic
    return "attachment" if is_cover else str(stream.type)


def verify_film(result: Path, probe: FilmProbe, muxed: Muxed) -> Verified:
    """Demux the result and compare it with what went in.

    Raises:
        VerifyError: a stream or frames are missing, or frames are shown at other times.
    """
    tally = PacketTally()
    shown: list[int] = []
    end = 0
    with open_film(result) as container:
        places = _places(muxed, [stream_kind(stream) for stream in container.streams])
        color = container.streams[places[muxed.color_index]]
        assert isinstance(color, VideoStream)
        for packet in container.demux():
            if packet.size == 0:
                continue
            tally.count(packet)
            if packet.stream_index == color.index and not packet.is_discard:
                shown.append(shown_at(packet))
                end = max(end, shown[-1] + (packet.duration or 0))
        seconds = float(container.duration or 0) / av.time_base
        time_base = unit(color)
        aspect = color.sample_aspect_ratio or Fraction(1)
    damage = _left_out(places, muxed, tally)
    is_near = abs(aspect / probe.sample_aspect - 1) < Fraction(1, 1000)
    if len(shown) != probe.frames:
        raise VerifyError(f"a player shows {len(shown)} of {probe.frames} frames")
    lost = [] if is_near else [f"the pixels' shape {probe.sample_aspect}"]
    if not _is_shown_alike(result, places[muxed.color_index], probe.display_matrix):
        lost.append("how the picture is turned, mirrored or scaled")
    moved = _compare_times(np.sort(shown), time_base, probe)
    wanted = float((int(probe.pts[-1]) + probe.last_duration) * probe.time_base) + moved / 1000
    short = wanted - max(float(end * time_base), seconds)
    # Both ends of the last frame may be rounded.
    if short > 2 * max(time_base, probe.time_base):
        lost.append(f"the last {short:.2f} s of the last frame")
    return Verified(seconds, moved, tuple(lost), damage)


def _places(muxed: Muxed, found: list[str]) -> dict[int, int]:
    """Find the streams that went in, by their kind and number, among those that are there.

    MP4 leaves out tracks without a packet, puts covers last and shows chapters as a track of data.

    Raises:
        VerifyError: pictures or attachments are missing.
    """
    places: dict[int, int] = {}
    for kind in set(muxed.kinds):
        sent = [index for index, one in enumerate(muxed.kinds) if one == kind]
        there = [place for place, one in enumerate(found) if one == kind]
        if len(there) < len(sent):
            sent = [index for index in sent if muxed.tally.packets[index]]
        if len(there) >= len(sent):
            places.update(zip(sent, there, strict=False))
    if muxed.color_index not in places or found.count("attachment") < muxed.kinds.count(
        "attachment"
    ):
        raise VerifyError("the joined film lacks pictures or attachments")
    return places


def _left_out(places: dict[int, int], muxed: Muxed, found: PacketTally) -> tuple[str, ...]:
    """Count what the muxer refused.

    Raises:
        VerifyError: of the pictures.
    """
    damage = []
    for index, count in muxed.tally.packets.items():
        place, kind = places.get(index, -1), muxed.kinds[index]
        arrived = found.packets[place]
        if index == muxed.color_index and arrived != count:
            raise VerifyError(f"{arrived} of {count} pictures are in the joined film")
        # MP4 fills the pauses between subtitles with empty packets.
        if arrived == count or (kind == "subtitle" and arrived > count):
            continue
        # Other containers cut sound into other pieces: its bytes must be the same.
        if kind == "audio" and found.digest(place) == muxed.tally.digest(index):
            continue
        damage.append(f"{kind} stream {index}: {arrived} of {count} packets are in the result")
    return tuple(damage)


def _compare_times(shown: NDArray[np.int64], time_base: Fraction, probe: FilmProbe) -> int:
    """Moved by how many milliseconds; frames must keep their distances within one tick."""
    wanted = probe.pts * float(probe.time_base)
    difference = shown * float(time_base) - wanted
    moved = float(np.median(difference)) if len(difference) else 0.0
    # Matroska counts milliseconds; elsewhere the tick is the source's own.
    tolerance = max(float(time_base), 1e-9) if time_base != probe.time_base else 1e-6
    if np.abs(difference - moved).max(initial=0.0) > tolerance:
        raise VerifyError("the joined film shows frames at other times than the source")
    milliseconds = round(moved * 1000)
    return milliseconds if abs(moved) > tolerance else 0


def _is_shown_alike(result: Path, index: int, wanted: Matrix) -> bool:
    found: Matrix = ()
    with open_film(result) as container:
        stream = container.streams[index]
        assert isinstance(stream, VideoStream)
        for packet in container.demux(stream):
            frames, _ = decode_packet(packet)
            if frames:
                found = display_matrix(frames[0])
                break
    return is_same_view(found, wanted)
