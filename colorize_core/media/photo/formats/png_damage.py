"""PNG files with wrong checksums or a missing end: what is left of them, as a sound file.

Source: PNG specification, third edition, 5.3 (chunks), 8.1 (interlacing) and 10 (compression).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from colorize_core.errors import UndecodableError
from colorize_core.media.photo.formats.png_chunks import PNG_SIGNATURE, png_chunk

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
_LARGEST_FILTER = 4
_MOST_INFLATION = 1032  # of deflate (RFC 1951): 258 bytes from 2 bits
_PIECE = 4096
_NEEDED = (b"PLTE", b"tRNS")


@dataclass(frozen=True)
class Header:
    """The IHDR chunk."""

    width: int
    height: int
    bits: int
    color_type: int
    is_interlaced: bool
    body: bytes

    @classmethod
    def of(cls, body: bytes) -> Header:
        """Read the chunk's 13 bytes.

        Raises:
            UndecodableError: they make no sense.
        """
        width, height, bits, color, packing, filters, interlace = struct.unpack(">IIBBBBB", body)
        if bits not in _DEPTHS.get(color, ()) or packing or filters or interlace > 1:
            raise UndecodableError(
                f"no PNG header ({bits} bits, color type {color})",
                remedy="copy it again from its origin",
            )
        return cls(width, height, bits, color, interlace == 1, body)

    def rows(self) -> Iterator[int]:
        """Bytes of each row of the unpacked data, with its filter byte, in the file's order."""
        passes = _ADAM7 if self.is_interlaced else ((0, 0, 1, 1),)
        for left, top, across, down in passes:
            columns = -(-(self.width - left) // across)
            lines = -(-(self.height - top) // down)
            size = 1 + -(-columns * self.bits * _CHANNELS[self.color_type] // 8)
            if columns > 0:
                yield from (size for _ in range(lines))


@dataclass(frozen=True)
class Chunks:
    """The chunks of a file, (type, body, whether its checksum is right), up to where it ends."""

    chunks: tuple[tuple[bytes, bytes, bool], ...]

    @property
    def is_whole(self) -> bool:
        """Whether the end is there."""
        return bool(self.chunks) and self.chunks[-1][0] == b"IEND"

    @property
    def wrong(self) -> tuple[str, ...]:
        """Types of chunks with a wrong checksum."""
        return tuple(dict.fromkeys(_plain(kind) for kind, _, right in self.chunks if not right))

    def picture_data(self) -> bytes:
        """The compressed pixels."""
        return b"".join(body for kind, body, _ in self.chunks if kind == b"IDAT")


def read_chunks(data: bytes) -> Chunks:
    """Take a file apart. The last chunk of one that is cut short is shorter than it says."""
    found: list[tuple[bytes, bytes, bool]] = []
    position = len(PNG_SIGNATURE)
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        body = data[position + 8 : position + 8 + length]
        checksum = data[position + 8 + length : position + 12 + length]
        is_right = checksum == struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))
        found.append((kind, body, is_right))
        position += 12 + length
        if kind == b"IEND":
            break
    return Chunks(tuple(found))


def require_enough_data(data: bytes, header: Header) -> None:
    """Check that the file is long enough for a picture of its size.

    Raises:
        UndecodableError: it can hold less than 5 percent of it.
    """
    promised = sum(header.rows())
    if 20 * _MOST_INFLATION * len(data) < promised:
        raise UndecodableError(
            f"{len(data)} bytes cannot hold the {header.width}x{header.height} pixels "
            "that the file claims",
            remedy="copy it again from its origin",
        )


def repaired(chunks: Chunks, header: Header) -> tuple[bytes, str, str]:
    """A sound file with what can be read of a damaged one, missing pixels 0.

    Returns:
        The file; what is wrong with its pixels, "" for nothing; a harmless oddity, or "".

    Raises:
        UndecodableError: no pixels.
    """
    unpacked, is_sound = _inflated(chunks.picture_data(), header)
    promised = sum(header.rows())
    lost = promised - len(unpacked)
    if lost == promised:
        raise UndecodableError("no picture data in it", remedy="copy it again from its origin")
    damage, note = "", ""
    named = (
        f"checksum of {', '.join(chunks.wrong)} is wrong" if chunks.wrong else "its end is missing"
    )
    if lost:
        percent = max(1, 100 * lost // promised)
        damage = f"cut short or damaged: {percent} % of the picture is missing ({named})"
    elif not is_sound or {"IDAT", "PLTE", "tRNS", "IHDR"} & set(chunks.wrong):
        damage = f"damaged: pixels may be wrong ({named})"
    else:
        note = named
    kept = [png_chunk(kind, body) for kind, body, _ in chunks.chunks if kind in _NEEDED]
    pixels = png_chunk(b"IDAT", zlib.compress(unpacked + bytes(lost), 1))
    parts = [PNG_SIGNATURE, png_chunk(b"IHDR", header.body), *kept, pixels, png_chunk(b"IEND", b"")]
    return b"".join(parts), damage, note


def _inflated(packed: bytes, header: Header) -> tuple[bytes, bool]:
    """Filtered rows as far as they make sense, and whether the stream's own checksum is right."""
    promised = sum(header.rows())
    stream = zlib.decompressobj()
    unpacked = bytearray()
    failed, start = False, 0
    for start in range(0, len(packed), _PIECE):
        try:
            unpacked += stream.decompress(packed[start : start + _PIECE], promised)
        except zlib.error:
            failed = True
            break
        if len(unpacked) >= promised:
            break
    if not stream.eof and not failed:
        # The checksum stands behind the last row.
        failed = _ends_badly(stream, packed[start + _PIECE :])
    position = 0
    for size in header.rows():
        if position + size > len(unpacked) or unpacked[position] > _LARGEST_FILTER:
            break
        position += size
    return bytes(unpacked[:position]), not failed


def _ends_badly(stream: zlib._Decompress, rest: bytes) -> bool:
    try:
        stream.decompress(stream.unconsumed_tail + rest, _PIECE)
    except zlib.error:
        return True
    return not stream.eof


def _plain(kind: bytes) -> str:
    text = kind.decode("latin-1")
    return text if text.isalnum() else "a chunk"
