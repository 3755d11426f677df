"""What changes inside a stream while it runs: its codec, and the shape of its pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import av

from colorize_core.media.film.pyav import video_context

# How a packet of each codec begins, where transport streams can change from one to another.
_SOUND: Final = {
    "ac3": (0xFFFF, 0x0B77),
    "eac3": (0xFFFF, 0x0B77),
    "mp1": (0xFFE0, 0xFFE0),
    "mp2": (0xFFE0, 0xFFE0),
    "mp3": (0xFFE0, 0xFFE0),
    "aac": (0xFFF6, 0xFFF0),
    "aac_latm": (0xFFE0, 0x56E0),
}
_START: Final = b"\0\0\1"
_SEQUENCE: Final = _START + b"\xb3"
_PICTURE: Final = _START + b"\0"
_IN_MPEG = {"mpeg1video", "mpeg2video"}
_RUN: Final = 10  # packets of another kind in a row; damage makes fewer
# Parameter sets whose bytes say the shape: NAL types 7 of H.264 and 33 of HEVC.
_SETS: Final = {
    "h264": tuple(_START + bytes([byte]) for byte in (0x67, 0x47, 0x27)),
    "hevc": (_START + b"\x42\x01",),
}


def is_foreign(data: bytes, codec: str) -> bool:
    """Tell whether a packet of a transport stream looks like another codec's."""
    if codec in _SOUND:
        mask, wanted = _SOUND[codec]
        return int.from_bytes(data[:2], "big") & mask != wanted
    if codec in _IN_MPEG:
        return _PICTURE not in data
    return codec == "h264" and (_SEQUENCE in data or data.startswith(_PICTURE))


@dataclass
class CodecWatch:
    """Finds where the packets of a stream begin to be another codec's."""

    since: int | None = None
    _first: int | None = None
    _run: int = 0

    def look(self, data: bytes, codec: str, pts: int | None) -> None:
        """Count one packet."""
        if self.since is not None:
            return
        if not is_foreign(data, codec):
            self._first, self._run = None, 0
            return
        self._run += 1
        self._first = pts if self._first is None else self._first
        if self._run >= _RUN:
            self.since = self._first


@dataclass
class ShapeWatch:
    """Finds where the shape of the pictures changes.

    Attributes:
        shapes: time of a picture, and width through height of the whole picture from there on.
    """

    shapes: list[tuple[int, Fraction]] = field(default_factory=list)
    _known: dict[bytes, Fraction | None] = field(default_factory=dict)

    def look(self, data: bytes, codec: str, pts: int | None) -> None:
        """Look at one packet from which decoding can start."""
        header = _header(data, codec)
        if not header or pts is None:
            return
        if header not in self._known:
            self._known[header] = _decoded_shape(data, codec)
        shape = self._known[header]
        if shape and (not self.shapes or self.shapes[-1][1] != shape):
            self.shapes.append((pts, shape))


def _header(data: bytes, codec: str) -> bytes:
    if codec in _IN_MPEG:
        place = data.find(_SEQUENCE)
        return data[place : place + 8] if place >= 0 else b""
    for mark in _SETS.get(codec, ()):
        place = data.find(mark)
        if place >= 0:
            end = data.find(_START, place + 3)
            return data[place : end if end >= 0 else place + 64]
    return b""


def _decoded_shape(data: bytes, codec: str) -> Fraction | None:
    decoder = video_context(codec, "r")
    frames = []
    try:
        frames = [*decoder.decode(av.Packet(data)), *decoder.decode(None)]
    except MemoryError:
        raise
    except av.FFmpegError:
        return None
    if not frames:
        return None
    aspect = decoder.sample_aspect_ratio or Fraction(1)
    return Fraction(frames[0].width, frames[0].height) * Fraction(aspect)


def longest_shape(
    shapes: list[tuple[int, Fraction]], end: int
) -> tuple[Fraction | None, list[tuple[int, Fraction]]]:
    """Find the shape that most of a film has, and the places where it has another."""
    ordered = sorted(shapes)
    if len({shape for _, shape in ordered}) < 2:
        return None, []
    ends = [*[time for time, _ in ordered[1:]], end]
    lengths: dict[Fraction, int] = {}
    for (start, shape), stop in zip(ordered, ends, strict=True):
        lengths[shape] = lengths.get(shape, 0) + stop - start
    main = max(lengths, key=lambda shape: lengths[shape])
    return main, [(time, shape) for time, shape in ordered if shape != main]
