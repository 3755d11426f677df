"""JPEG's segments: metadata read and written as whole segments.

The picture codecs are not asked, because each drops or rewrites something.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from colorize_core.media.photo.photo import EXIF_PREFIX, PhotoMetadata

JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
JPEG_RESOURCES = b"Photoshop 3.0\0"
MULTI_PICTURE = b"MPF\0"
_LONGEST_SEGMENT = 65533
END = b"\xff\xd9"
SCAN, END_MARKER = 0xDA, 0xD9
_COMMENT, _APP1, _APP2, _APP13 = 0xFE, 0xE1, 0xE2, 0xED
_CODE_TABLES = 0xC4
_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def read_metadata(data: bytes) -> PhotoMetadata:
    """Collect EXIF, XMP, Photoshop resources, comments and extended XMP of a JPEG file.

    The ICC profile is left to the decoder, which joins its parts.
    """
    exif: bytes | None = None
    packet: bytes | None = None
    resources = b""
    extra: list[bytes] = []
    for marker, body in jpeg_segments(data):
        if marker == _APP1 and body.startswith(EXIF_PREFIX):
            exif = exif or body[len(EXIF_PREFIX) :]
        elif marker == _APP1 and body.startswith(JPEG_XMP):
            packet = packet or body[len(JPEG_XMP) :]
        elif marker == _APP13 and body.startswith(JPEG_RESOURCES):
            resources += body[len(JPEG_RESOURCES) :]
        elif (
            (marker == _APP2 and body.startswith(MULTI_PICTURE))
            or marker == _COMMENT
            or (marker == _APP1 and body.startswith(JPEG_XMP_EXTENSION))
        ):
            extra.append(_segment(marker, body))
    return PhotoMetadata(exif=exif, xmp=packet, resources=resources or None, extra=tuple(extra))


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (marker, body) up to the first scan, or to whatever is not a segment."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF or marker in _NO_LENGTH:
            position += 1 if marker == 0xFF else 2
            continue
        length = struct.unpack_from(">H", data, position + 2)[0]
        if marker in (SCAN, END_MARKER) or length < 2:
            return
        yield marker, data[position + 4 : position + 2 + length]
        position += 2 + length


@dataclass(frozen=True)
class Frame:
    """A start-of-frame segment: marker, bits per sample, sampling (across, down) by component."""

    marker: int
    bits: int
    sampling: tuple[tuple[int, int], ...]

    def blocks(self, width: int, height: int) -> int:
        """Blocks of 8x8 samples of a picture of this size (ITU-T T.81, A.1.1)."""
        across = max((h for h, _ in self.sampling), default=1)
        down = max((v for _, v in self.sampling), default=1)
        return sum(
            -(-width * h // (8 * across)) * -(-height * v // (8 * down)) for h, v in self.sampling
        )


def jpeg_frame(data: bytes) -> Frame | None:
    """The frame of a file; None when the header breaks off or makes no sense."""
    for marker, body in jpeg_segments(data):
        if marker in _FRAMES and len(body) >= 6:
            factors = body[7 : 6 + 3 * body[5] : 3]
            sampling = tuple((max(1, byte >> 4), max(1, byte & 15)) for byte in factors)
            return Frame(marker, body[0], sampling)
    return None


@dataclass(frozen=True)
class CodeTables:
    """Huffman tables as (class, number): those that a file defines, those its scans lack."""

    defined: frozenset[tuple[int, int]]
    lacking: frozenset[tuple[int, int]]


def code_tables(data: bytes) -> CodeTables:
    """Which tables are there for the scans of a picture; a table defined too late does not count.

    Without any table, as in a frame of Motion JPEG, decoders take those of ITU-T T.81, K.3; they
    also take them, without a word, in the place of one that is lost.
    """
    frame = jpeg_frame(data)
    defined: set[tuple[int, int]] = set()
    lacking: set[tuple[int, int]] = set()
    if frame is not None and frame.marker in _HUFFMAN:
        for position, marker in markers(data):
            if marker == _CODE_TABLES:
                defined |= set(_tables_defined(_body(data, position)))
            elif marker == SCAN:
                lacking |= set(_tables_used(_body(data, position))) - defined
    return CodeTables(frozenset(defined), frozenset(lacking))


def _body(data: bytes, position: int) -> bytes:
    length = int.from_bytes(data[position + 2 : position + 4], "big")
    return data[position + 4 : position + 2 + length]


def _tables_defined(body: bytes) -> Iterator[tuple[int, int]]:
    """Of a DHT segment (T.81, B.2.4.2): class and number, 16 counts of codes, a byte per code."""
    while len(body) > 16:
        yield body[0] >> 4, body[0] & 15
        body = body[17 + sum(body[1:17]) :]


def _tables_used(body: bytes) -> Iterator[tuple[int, int]]:
    """Of a scan's header (T.81, B.2.3). A scan that refines first coefficients uses none."""
    components = body[0] if body else 0
    spectrum = body[1 + 2 * components :]
    if len(spectrum) < 3:
        return
    first, last, approximation = spectrum[:3]
    for both in body[2 : 1 + 2 * components : 2]:
        if first == 0 and not approximation >> 4:
            yield 0, both >> 4
        if last:
            yield 1, both & 15


def markers(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield (position, marker) of all markers up to the end of the picture, restarts among them.

    Ends without `END_MARKER` where the file breaks off.
    """
    position = 2
    while found := _MARKER.search(data, position):
        marker = data[found.end() - 1]
        yield found.end() - 2, marker
        if marker == END_MARKER:
            return
        position = behind(data, found.end() - 2)


def behind(data: bytes, position: int) -> int:
    """Where the segment ends whose marker stands at `position`."""
    end = position + 2
    if data[position + 1] not in _NO_LENGTH and end + 2 <= len(data):
        end += max(2, struct.unpack_from(">H", data, end)[0])
    return end


def picture_end(data: bytes) -> int | None:
    """Where the first picture of a file ends, behind its end marker; None when that is missing."""
    for position, marker in markers(data):
        if marker == END_MARKER:
            return position + 2
    return None


def with_metadata(data: bytes, metadata: PhotoMetadata) -> bytes:
    """Insert metadata into an encoded JPEG file, after its JFIF header.

    Raises:
        ValueError: a part is longer than a JPEG segment can be.
    """
    position = 2
    if data[2:4] == b"\xff\xe0":
        position += 2 + struct.unpack_from(">H", data, 4)[0]
    parts: list[bytes] = []
    if metadata.exif is not None:
        parts.append(_segment(_APP1, EXIF_PREFIX + metadata.exif))
    if metadata.xmp is not None:
        parts.append(_segment(_APP1, JPEG_XMP + metadata.xmp))
    if metadata.resources is not None:
        room = _LONGEST_SEGMENT - len(JPEG_RESOURCES)
        parts += (
            _segment(_APP13, JPEG_RESOURCES + metadata.resources[start : start + room])
            for start in range(0, len(metadata.resources), room)
        )
    return data[:position] + b"".join(parts) + b"".join(metadata.extra) + data[position:]


def _segment(marker: int, body: bytes) -> bytes:
    if len(body) > _LONGEST_SEGMENT:
        raise ValueError(f"{len(body)} bytes do not fit into a JPEG segment")
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
