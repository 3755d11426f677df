"""JPEG's segments: metadata read and written as whole segments.

The picture codecs are not asked, because each drops or rewrites something.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from colorize_core.media.photo.photo import EXIF_PREFIX, PhotoMetadata

JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
JPEG_RESOURCES = b"Photoshop 3.0\0"
_LONGEST_SEGMENT = 65533
_SOS, _EOI, _COMMENT, _APP1, _APP2, _APP13 = 0xDA, 0xD9, 0xFE, 0xE1, 0xE2, 0xED
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
        elif marker == _COMMENT or (marker == _APP1 and body.startswith(JPEG_XMP_EXTENSION)):
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
        if marker in (_SOS, _EOI) or length < 2:
            return
        yield marker, data[position + 4 : position + 2 + length]
        position += 2 + length


def jpeg_frame(data: bytes) -> tuple[int, int] | None:
    """Start-of-frame marker and bits per sample; None when the header breaks off."""
    for marker, body in jpeg_segments(data):
        if marker in _FRAMES and body:
            return marker, body[0]
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
        for start in range(0, len(metadata.resources), room):
            parts.append(
                _segment(_APP13, JPEG_RESOURCES + metadata.resources[start : start + room])
            )
    return data[:position] + b"".join(parts) + b"".join(metadata.extra) + data[position:]


def _segment(marker: int, body: bytes) -> bytes:
    if len(body) > _LONGEST_SEGMENT:
        raise ValueError(f"{len(body)} bytes do not fit into a JPEG segment")
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
