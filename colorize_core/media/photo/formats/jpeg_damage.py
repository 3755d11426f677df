"""Whether a JPEG file holds what it promises: the decoder's own warnings, told apart.

libjpeg decodes what it can and warns; Pillow and OpenCV keep the warning to themselves. TurboJPEG
(simplejpeg) hands it out, at an eighth of the size in a fraction of the time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import simplejpeg

from colorize_core.errors import UndecodableError
from colorize_core.media.photo.formats import jpeg_segments

_EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
# Of headers alone: all else that libjpeg says is about the picture.
_HARMLESS = ("Invalid SOS parameters", "Unknown Adobe color transform", "Warning: unknown JFIF")
_MOST_COMPLAINTS = 8
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

    Unused bytes that are a filling change no pixel, nor do others between the segments of the
    header where each table is there that the picture needs: encoders and editors leave them. Within
    the picture data others are coded data that the decoder, derailed before, did not want any more.

    Args:
        data: a whole file.
        colorspace: "GRAY", "RGB" or "CMYK", as the file has it.
    """
    notes: list[str] = []
    if lost_a_table(data):
        return Findings("a table of its codes is lost", (), data)
    if jpeg_segments.picture_end(data) is None:
        notes.append("its end marker is missing")
        data += jpeg_segments.END
    for _ in range(_MOST_COMPLAINTS):
        complaint = complaint_of(data, colorspace)
        if complaint is None:
            return Findings("", tuple(dict.fromkeys(notes)), data)
        extraneous = _EXTRANEOUS.match(complaint)
        rest = (
            _without_unused(data, int(extraneous[1]), int(extraneous[2], 16), colorspace)
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


def lost_a_table(data: bytes) -> bool:
    """Whether a table of codes is missing beside others; decoders then say nothing, and guess."""
    tables = jpeg_segments.code_tables(data)
    return bool(tables.defined and tables.lacking)


def complaint_of(data: bytes, colorspace: str) -> str | None:
    """First warning or error of libjpeg-turbo over a whole file, None when it has none."""
    try:
        simplejpeg.decode_jpeg(data, colorspace, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:
        return " ".join(str(error).split())
    return None


def _without_unused(data: bytes, count: int, marker: int, colorspace: str) -> bytes | None:
    """The file without the `count` unused bytes before a `marker`; None where they mean damage."""
    behind, in_header = 2, True
    for position, found in jpeg_segments.markers(data):
        if found == marker and position - behind >= count:
            if in_header:
                return _without_gap(data, behind, position)
            if rest := _without_filling(data, position, count, colorspace):
                return rest
        in_header = in_header and found != jpeg_segments.SCAN
        behind = jpeg_segments.behind(data, position)
    return None


def _without_gap(data: bytes, start: int, end: int) -> bytes | None:
    """Without what lies between two segments of the header, if that was no table of codes."""
    is_filling = len(set(data[start:end])) == 1 and data[start] in _FILLINGS
    if not is_filling and jpeg_segments.code_tables(data).lacking:
        return None
    return data[:start] + data[end:]


def _without_filling(data: bytes, end: int, count: int, colorspace: str) -> bytes | None:
    """Without the filling before `end`, if the picture data are whole without it.

    Where data were wiped out, the decoder used some of what looks like a filling, and misses it.
    """
    filling = data[end - 1 : end]
    start = len(data[:end].rstrip(filling))
    if filling not in _FILLINGS or end - start < count:
        return None
    for kept in (0, 1):  # the last byte of the data may look the same
        rest = data[: start + kept] + data[end:]
        complaint = complaint_of(rest, colorspace)
        if complaint is None or _EXTRANEOUS.match(complaint):
            return rest
    return None
