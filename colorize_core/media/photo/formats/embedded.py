"""Metadata inside JPEG, PNG and WebP files, read and written as whole segments and chunks.

The picture codecs are not asked, because each drops or rewrites something: Pillow ignores XMP for
PNG, and OpenCV drops EXIF.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

JPEG_EXIF = b"Exif\0\0"
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
JPEG_RESOURCES = b"Photoshop 3.0\0"
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_XMP = b"XML:com.adobe.xmp\0"
_RAW_PROFILE = b"Raw profile type "
_LONGEST_SEGMENT = 65533
_LONGEST_INFLATED = 16_000_000
_SOS, _EOI, _COMMENT, _APP1, _APP2, _APP13 = 0xDA, 0xD9, 0xFE, 0xE1, 0xE2, 0xED
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass
class Found:
    """Metadata as a container holds it."""

    exif: bytes | None = None
    xmp: bytes | None = None
    resources: bytes | None = None
    icc: bytes | None = None
    extra: tuple[bytes, ...] = ()


def read_jpeg(data: bytes) -> Found:
    """Collect EXIF, XMP, Photoshop resources, comments and extended XMP of a JPEG file.

    The ICC profile is left to the decoder, which joins its parts.
    """
    found = Found()
    resources = b""
    extra: list[bytes] = []
    for marker, body in jpeg_segments(data):
        if marker == _APP1 and body.startswith(JPEG_EXIF):
            found.exif = found.exif or body[len(JPEG_EXIF) :]
        elif marker == _APP1 and body.startswith(JPEG_XMP):
            found.xmp = found.xmp or body[len(JPEG_XMP) :]
        elif marker == _APP13 and body.startswith(JPEG_RESOURCES):
            resources += body[len(JPEG_RESOURCES) :]
        elif marker == _COMMENT or (marker == _APP1 and body.startswith(JPEG_XMP_EXTENSION)):
            extra.append(_segment(marker, body))
    found.resources = resources or None
    found.extra = tuple(extra)
    return found


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


def write_jpeg(data: bytes, found: Found) -> bytes:
    """Insert metadata into an encoded JPEG file, after its JFIF header.

    Raises:
        ValueError: a part is longer than a JPEG segment can be.
    """
    position = 2
    if data[2:4] == b"\xff\xe0":
        position += 2 + struct.unpack_from(">H", data, 4)[0]
    parts: list[bytes] = []
    if found.exif is not None:
        parts.append(_segment(_APP1, JPEG_EXIF + found.exif))
    if found.xmp is not None:
        parts.append(_segment(_APP1, JPEG_XMP + found.xmp))
    if found.resources is not None:
        room = _LONGEST_SEGMENT - len(JPEG_RESOURCES)
        for start in range(0, len(found.resources), room):
            parts.append(_segment(_APP13, JPEG_RESOURCES + found.resources[start : start + room]))
    return data[:position] + b"".join(parts) + b"".join(found.extra) + data[position:]


def _segment(marker: int, body: bytes) -> bytes:
    if len(body) > _LONGEST_SEGMENT:
        raise ValueError(f"{len(body)} bytes do not fit into a JPEG segment")
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, body) of the chunks of a PNG file up to where it breaks off."""
    position = len(PNG_SIGNATURE)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            return
        yield kind, data[position + 8 : end]
        position = end + 4


def read_png(data: bytes) -> Found:
    """Collect EXIF, XMP, the ICC profile and text chunks of a PNG file.

    ImageMagick's `Raw profile type exif` and `xmp` text stand in where the standard chunks are
    missing.
    """
    found = Found()
    extra: list[bytes] = []
    raw: dict[str, bytes] = {}
    for kind, body in png_chunks(data):
        if kind == b"eXIf":
            found.exif = body
        elif kind == b"iCCP":
            found.icc = _inflate(body.partition(b"\0")[2][1:])
        elif kind == b"iTXt" and body.startswith(PNG_XMP):
            found.xmp = _international_text(body)
        elif kind in (b"tEXt", b"zTXt") and body.startswith(_RAW_PROFILE):
            name = body.partition(b"\0")[0][len(_RAW_PROFILE) :].decode("latin-1")
            if name == "iptc":
                extra.append(png_chunk(kind, body))
            else:
                raw[name] = _raw_profile(kind, body)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            extra.append(png_chunk(kind, body))
    exif = raw.get("exif") or raw.get("APP1", b"")
    if found.exif is None and exif.removeprefix(JPEG_EXIF)[:2] in (b"II", b"MM"):
        found.exif = exif.removeprefix(JPEG_EXIF)
    found.xmp = found.xmp or raw.get("xmp")
    found.extra = tuple(extra)
    return found


def write_png(data: bytes, found: Found, dpi: tuple[float, float] | None) -> bytes:
    """Insert metadata, ICC profile and resolution into an encoded PNG, after its header."""
    parts: list[bytes] = []
    if found.icc is not None:
        parts.append(png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(found.icc)))
    if dpi is not None:
        across, down = (max(1, round(value / 0.0254)) for value in dpi)
        parts.append(png_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if found.exif is not None:
        parts.append(png_chunk(b"eXIf", found.exif))
    if found.xmp is not None:
        parts.append(png_chunk(b"iTXt", PNG_XMP + b"\0\0\0\0" + found.xmp))
    position = len(PNG_SIGNATURE) + 25
    return data[:position] + b"".join(parts) + b"".join(found.extra) + data[position:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk with length and CRC."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def text_chunks(keyword: str, texts: Sequence[bytes]) -> tuple[bytes, ...]:
    """PNG text chunks of Latin-1 `texts`."""
    return tuple(
        png_chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.replace(b"\0", b" "))
        for text in texts
    )


def _inflate(data: bytes) -> bytes:
    # What does not end within the limit is no metadata but a bomb.
    stream = zlib.decompressobj()
    try:
        inflated = stream.decompress(data, _LONGEST_INFLATED)
    except zlib.error:
        return b""
    return inflated if stream.eof else b""


def _international_text(body: bytes) -> bytes | None:
    flags = body[len(PNG_XMP) : len(PNG_XMP) + 2]
    _language, _, rest = body[len(PNG_XMP) + 2 :].partition(b"\0")
    text = rest.partition(b"\0")[2]
    return (_inflate(text) if flags[:1] == b"\1" else text) or None


def _raw_profile(kind: bytes, body: bytes) -> bytes:
    text = body.partition(b"\0")[2]
    if kind == b"zTXt":
        text = _inflate(text[1:])
    lines = text.strip().split(b"\n")
    try:
        return bytes.fromhex(b"".join(lines[2:]).decode("ascii"))
    except ValueError:
        return b""


def riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (type, body) of the chunks of a WebP file, those inside frames after `ANMF`."""
    position = 12
    while position + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        yield kind, body
        # A frame's own chunks begin 16 bytes into its chunk.
        position += 24 if kind == b"ANMF" else 8 + length + length % 2


@dataclass(frozen=True)
class WebpHeader:
    """What a WebP file says before its pixels are decoded."""

    width: int
    height: int
    lossless: bool
    frames: int


def read_webp(data: bytes) -> tuple[WebpHeader, Found]:
    """Collect size, kind of coding and metadata of a WebP file.

    Raises:
        ValueError: no picture chunk.
    """
    found = Found()
    canvas: tuple[int, int] | None = None
    coded: tuple[int, int] | None = None
    lossless, frames = False, 0
    for kind, body in riff_chunks(data):
        if kind == b"VP8X" and len(body) >= 10:
            canvas = (
                1 + int.from_bytes(body[4:7], "little"),
                1 + int.from_bytes(body[7:10], "little"),
            )
        elif kind == b"EXIF":
            found.exif = body.removeprefix(JPEG_EXIF)
        elif kind == b"XMP ":
            found.xmp = body
        elif kind == b"ICCP":
            found.icc = body
        elif kind == b"VP8L" and len(body) >= 5:
            bits = int.from_bytes(body[1:5], "little")
            if coded is None:
                coded, lossless = (1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), True
            frames += 1
        elif kind == b"VP8 " and len(body) >= 10:
            wide, high = struct.unpack_from("<HH", body, 6)
            coded = coded or (wide & 0x3FFF, high & 0x3FFF)
            frames += 1
    size = canvas or coded
    if size is None or coded is None:
        raise ValueError("no picture chunk")
    return WebpHeader(*size, lossless=lossless, frames=frames), found
