"""Boxes of QuickTime and MP4 that FFmpeg does not pass on (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Final

from colorize_core.media.film.pieces import pieces_of

_LONGEST_INDEX: Final = 1 << 28  # bytes
_WAY = ("mdia", "minf", "stbl", "stsd")
_LIST_HEADER: Final = 8  # of stsd: version, flags, count
_PICTURE_ENTRY: Final = 78  # fields of a VisualSampleEntry before its boxes
_VIDEO: Final = b"vide"


def picture_boxes(path: Path) -> dict[str, bytes]:
    """Find the boxes in the sample description of a film's first video track, by name.

    Empty where the file is none of QuickTime or MP4, or damaged.
    """
    with pieces_of(path)[0].open("rb") as file:
        index = _index(file)[1]
    for name, track in _boxes(index):
        if name == "trak" and _is_video(track):
            entries = _inside(track, _WAY)[_LIST_HEADER:]
            for _, entry in _boxes(entries):
                return dict(_boxes(entry[_PICTURE_ENTRY:]))
    return {}


def add_picture_box(path: Path, name: str, content: bytes) -> bool:
    """Add a box to the sample description of the first video track of a finished film.

    Returns:
        False if the film's index is not at its end; the file is then as it was.
    """
    box = _box(name, content)
    with path.open("r+b") as file:
        place, index = _index(file)
        is_last = bool(index) and file.seek(0, 2) == place + 8 + len(index)
        tracks = [n == "trak" and _is_video(data) for n, data in _boxes(index)]
        if not is_last or True not in tracks:
            return False
        number = tracks.index(True)
        parts = [
            _box(n, _extended(data, _WAY, box) if i == number else data)
            for i, (n, data) in enumerate(_boxes(index))
        ]
        file.seek(place)
        file.write(_box("moov", b"".join(parts)))
    return True


def _extended(data: bytes, way: tuple[str, ...], box: bytes) -> bytes:
    """The content of a box, with `box` at the end of the first entry at the end of the way."""
    if not way:
        first = int.from_bytes(data[_LIST_HEADER : _LIST_HEADER + 4], "big")
        end = _LIST_HEADER + first
        size = (first + len(box)).to_bytes(4, "big")
        return data[:_LIST_HEADER] + size + data[_LIST_HEADER + 4 : end] + box + data[end:]
    return b"".join(
        _box(name, _extended(part, way[1:], box) if name == way[0] else part)
        for name, part in _boxes(data)
    )


def _box(name: str, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name.encode("latin-1")) + content


def clean_aperture(box: bytes) -> tuple[Fraction, Fraction] | None:
    """Width and height of a clap box, in pixels; None if it is damaged."""
    if len(box) < 16:
        return None
    width, width_n, height, height_n = struct.unpack(">4I", box[:16])
    return (Fraction(width, width_n), Fraction(height, height_n)) if width_n * height_n else None


def _index(file: BinaryIO) -> tuple[int, bytes]:
    """Place and content of the moov box; b"" without one."""
    while True:
        place = file.tell()
        head = file.read(8)
        if len(head) < 8:
            return place, b""
        size, name = struct.unpack(">I4s", head)
        if size == 1:
            size = int.from_bytes(file.read(8), "big")
        elif name == b"moov" and 8 <= size <= _LONGEST_INDEX:
            return place, file.read(size - 8)
        if size < 8:  # damaged, or the box goes to the end
            return place, b""
        file.seek(place + size)


def _boxes(data: bytes) -> Iterator[tuple[str, bytes]]:
    place = 0
    while place + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, place)
        if size < 8:
            return
        yield name.decode("latin-1"), data[place + 8 : place + size]
        place += size


def _inside(data: bytes, way: tuple[str, ...]) -> bytes:
    for step in way:
        data = dict(_boxes(data)).get(step, b"")
    return data


def _is_video(track: bytes) -> bool:
    return _inside(track, ("mdia", "hdlr"))[8:12] == _VIDEO
