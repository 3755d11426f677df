"""PNG's chunks: metadata read and written as whole chunks.

The picture codecs are not asked: Pillow ignores XMP, and OpenCV drops EXIF.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence

from colorize_core.media.photo.photo import EXIF_PREFIX, PhotoMetadata

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_XMP = b"XML:com.adobe.xmp\0"
_RAW_PROFILE = b"Raw profile type "
_LONGEST_INFLATED = 16_000_000


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


def read_metadata(data: bytes) -> PhotoMetadata:
    """Collect EXIF, XMP, the ICC profile and text chunks of a PNG file.

    ImageMagick's `Raw profile type exif` and `xmp` text stand in where the standard chunks are
    missing.
    """
    exif: bytes | None = None
    packet: bytes | None = None
    icc: bytes | None = None
    extra: list[bytes] = []
    raw: dict[str, bytes] = {}
    for kind, body in png_chunks(data):
        if kind == b"eXIf":
            exif = body
        elif kind == b"iCCP":
            icc = _inflate(body.partition(b"\0")[2][1:])
        elif kind == b"iTXt" and body.startswith(PNG_XMP):
            packet = _international_text(body)
        elif kind in (b"tEXt", b"zTXt") and body.startswith(_RAW_PROFILE):
            name = body.partition(b"\0")[0][len(_RAW_PROFILE) :].decode("latin-1")
            if name == "iptc":
                extra.append(png_chunk(kind, body))
            else:
                raw[name] = _raw_profile(kind, body)
        elif kind in (b"tEXt", b"zTXt", b"iTXt"):
            extra.append(png_chunk(kind, body))
    copied = (raw.get("exif") or raw.get("APP1", b"")).removeprefix(EXIF_PREFIX)
    if exif is None and copied[:2] in (b"II", b"MM"):
        exif = copied
    return PhotoMetadata(exif=exif, xmp=packet or raw.get("xmp"), icc=icc, extra=tuple(extra))


def with_metadata(data: bytes, metadata: PhotoMetadata) -> bytes:
    """Insert metadata, ICC profile and resolution into an encoded PNG, after its header."""
    parts: list[bytes] = []
    if metadata.icc is not None:
        parts.append(png_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(metadata.icc)))
    if metadata.dpi is not None:
        across, down = (max(1, round(value / 0.0254)) for value in metadata.dpi)
        parts.append(png_chunk(b"pHYs", struct.pack(">IIB", across, down, 1)))
    if metadata.exif is not None:
        parts.append(png_chunk(b"eXIf", metadata.exif))
    if metadata.xmp is not None:
        parts.append(png_chunk(b"iTXt", PNG_XMP + b"\0\0\0\0" + metadata.xmp))
    position = len(PNG_SIGNATURE) + 25
    return data[:position] + b"".join(parts) + b"".join(metadata.extra) + data[position:]


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
