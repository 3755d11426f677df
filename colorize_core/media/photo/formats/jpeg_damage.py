"""Whether a JPEG file holds what it promises: the decoder's own warnings, told apart.

libjpeg decodes what it can and warns; Pillow and OpenCV keep the warning to themselves. TurboJPEG
(simplejpeg) hands it out, at an eighth of the size in a fraction of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import simplejpeg

from colorize_core.errors import UndecodableError
from colorize_core.media.photo.formats import jpeg_segments

_EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
# Of headers alone: all else that libjpeg says is about the picture.
_HARMLESS = ("Invalid SOS parameters", "Unknown Adobe color transform", "Warning: unknown JFIF")
_MOST_COMPLAINTS = 8
_READ_AHEAD = 9  # bytes that may be in the decoder already, and one of the data
_FILLINGS = b"\0\xff \n\r\x1a"
# Below this share of what it claims, a file is not worth its decoding: 380 bytes may claim
# 15800x15800 pixels.
_LEAST_PERCENT: Final = 5
_MOST_SCANS: Final = 200  # encoders make some ten; each goes over all pixels
_HUFFMAN_SEQUENTIAL = frozenset({0xC0, 0xC1})
_HUFFMAN_PROGRESSIVE = 0xC2


@dataclass(frozen=True)
class Findings:
    """What a decoder says about a file: `damage` changes the picture, `notes` do not.

    `data` is the file without what the notes are about.
    """

    damage: str
    notes: tuple[str, ...]
    data: bytes


def require_enough_data(data: bytes, width: int, height: int) -> None:
    """Check that the file is long enough for a picture of its size.

    Each block of 8x8 samples takes at least two bits in a sequential file (one code for its first
    coefficient, one for its end) and one in a progressive one (ITU-T T.81, F.1.2 and G.1.2).

    Raises:
        UndecodableError: it can hold only a few percent of it, or goes over it again and again.
    """
    frame = jpeg_segments.jpeg_frame(data)
    scans = sum(marker == jpeg_segments.SCAN for _, marker in jpeg_segments.markers(data))
    if scans > _MOST_SCANS:
        raise UndecodableError(
            f"{scans} scans, the limit is {_MOST_SCANS}", remedy="convert it to TIFF or PNG"
        )
    bits = {_HUFFMAN_PROGRESSIVE: 1, **dict.fromkeys(_HUFFMAN_SEQUENTIAL, 2)}
    if frame is None or frame.marker not in bits:
        return
    blocks = frame.blocks(width, height)
    percent = 800 * len(data) // max(1, bits[frame.marker] * blocks)
    if percent < _LEAST_PERCENT:
        raise UndecodableError(
            f"{len(data)} bytes cannot hold the {width}x{height} pixels that the file claims",
            remedy="copy it again from its origin",
        )


def examine(data: bytes, colorspace: str) -> Findings:
    """Ask the decoder what is wrong with a file, past what does not matter.

    Unused bytes that are a filling, or stand before the picture data, change no pixel: encoders
    leave them. Others are coded data that the decoder, derailed before, did not want any more.

    Args:
        data: a whole file.
        colorspace: "GRAY", "RGB" or "CMYK", as the file has it.
    """
    notes: list[str] = []
    if jpeg_segments.picture_end(data) is None:
        notes.append("its end marker is missing")
        data += jpeg_segments.END
    for _ in range(_MOST_COMPLAINTS):
        complaint = complaint_of(data, colorspace)
        if complaint is None:
            return Findings("", tuple(notes), data)
        extraneous = _EXTRANEOUS.match(complaint)
        rest = (
            _without_padding(data, int(extraneous[1]), int(extraneous[2], 16))
            if extraneous
            else None
        )
        if rest is None:
            return _settled(complaint, notes, data)
        notes.append("unused bytes between its parts")
        data = rest
    return _settled("Corrupt JPEG data: unused bytes again and again", notes, data)


def _settled(complaint: str, notes: list[str], data: bytes) -> Findings:
    if complaint.startswith(_HARMLESS):
        return Findings("", (*dict.fromkeys(notes), complaint), data)
    return Findings(complaint, tuple(dict.fromkeys(notes)), data)


def complaint_of(data: bytes, colorspace: str) -> str | None:
    """First warning or error of libjpeg-turbo over a whole file, None when it has none."""
    try:
        simplejpeg.decode_jpeg(data, colorspace, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return " ".join(str(error).split())
    return None


def _without_padding(data: bytes, count: int, marker: int) -> bytes | None:
    """The file without `count` bytes of padding before `marker`; None when there are none."""
    for position, is_in_header in _marker_positions(data):
        padding = data[position - count : position]
        if data[position + 1] != marker or len(padding) < count:
            continue
        if is_in_header or _is_padding(data[: position - count], padding):
            return data[: position - count] + data[position:]
    return None


def _is_padding(before: bytes, padding: bytes) -> bool:
    """Whether bytes are a filling of one kind, and no more of it stands before them.

    Where more of it does, data were wiped out, and the decoder used some of the filling.
    """
    is_filling = len(set(padding)) == 1 and padding[0] in _FILLINGS
    return is_filling and before[-_READ_AHEAD:] != padding[:1] * _READ_AHEAD


def _marker_positions(data: bytes) -> Iterator[tuple[int, bool]]:
    """Positions of all markers, and whether they stand before the first scan."""
    in_header = True
    for position, marker in jpeg_segments.markers(data):
        yield position, in_header
        in_header = in_header and marker != jpeg_segments.SCAN
