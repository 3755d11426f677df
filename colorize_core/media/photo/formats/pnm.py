"""PBM, PGM and PPM at any maxval, which Pillow cuts to 8 bits and OpenCV ignores.

Source: netpbm's pbm(5), pgm(5), ppm(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from colorize_core.media.photo.formats.base import Decoded, check_pixels
from colorize_core.media.photo.formats.png_chunks import text_chunks
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster, Samples

_LONGEST_HEADER = 65536
_PIECE_BYTES = 1 << 18
_LINE_END = re.compile(rb"[\r\n]")
_NUMBER_END = re.compile(rb"[\s#]")
_COMMENT = re.compile(rb"#[^\r\n]*")
_NEXT_BINARY = re.compile(rb"\s*P[1-6][\s#]")
_NEXT_ASCII = re.compile(rb"^P[1-6][\s#]", re.MULTILINE)


@dataclass(frozen=True)
class PnmHeader:
    """Size and coding of a PNM file; `start` is the first byte of its pixels."""

    kind: int
    width: int
    height: int
    maxval: int
    start: int
    comments: tuple[bytes, ...]

    @property
    def channels(self) -> int:
        """Samples per pixel."""
        return 3 if self.kind in (3, 6) else 1


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    header = read_header(data)
    check_pixels(header.width, header.height, max_pixels)
    metadata = PhotoMetadata(extra=text_chunks("Comment", header.comments))
    samples = read_samples(data, header)
    warnings = ("only the first of its pictures was used",) if is_followed(data, header) else ()
    return Decoded((Raster(samples),), metadata, warnings=warnings)


def read_header(data: bytes) -> PnmHeader:
    """Parse the header of a P1..P6 file.

    Raises:
        ValueError: a number is missing or out of range.
    """
    kind = data[1] - ord("0")
    position = 2
    numbers: list[int] = []
    comments: list[bytes] = []
    wanted = 2 if kind in (1, 4) else 3
    while len(numbers) < wanted:
        position, number = _next_number(data, position, comments)
        numbers.append(number)
    width, height = numbers[:2]
    maxval = numbers[2] if wanted == 3 else 1
    if width < 1 or height < 1 or not 1 <= maxval <= 65535:
        raise ValueError(f"size {width}x{height}, maxval {maxval}")
    return PnmHeader(kind, width, height, maxval, position + 1, tuple(comments))


def _next_number(data: bytes, position: int, comments: list[bytes]) -> tuple[int, int]:
    end = min(len(data), _LONGEST_HEADER)
    while position < end and (data[position : position + 1].isspace() or data[position] == 0x23):
        if data[position] == 0x23:
            stop = data.find(b"\n", position)
            stop = end if stop < 0 else stop
            comments.append(data[position + 1 : stop].strip())
            position = stop
        position += 1
    start = position
    while position < end and data[position : position + 1].isdigit():
        position += 1
    if not 0 < position - start <= 10:
        raise ValueError("header cut short")
    return position, int(data[start:position])


def read_samples(data: bytes, header: PnmHeader) -> Samples:
    """Pixels as HxW or HxWx3, stretched from maxval to the full range of the dtype.

    Raises:
        ValueError: pixels are missing or exceed maxval.
    """
    shape = (header.height, header.width, header.channels)
    values = _read_ascii(data, header) if header.kind <= 3 else _read_binary(data, header)
    samples = values.reshape(shape)
    if int(samples.max()) > header.maxval:
        raise ValueError(f"a sample exceeds maxval {header.maxval}")
    if header.channels == 1:
        samples = samples[..., 0]
    if header.kind in (1, 4):
        return ((1 - samples) * 255).astype(np.uint8)  # 1 is black
    full = 255 if header.maxval <= 255 else 65535
    if header.maxval != full:
        samples = (samples.astype(np.uint32) * full + header.maxval // 2) // header.maxval
    return samples.astype(np.uint8 if full == 255 else np.uint16)


def is_followed(data: bytes, header: PnmHeader) -> bool:
    """Whether another picture follows the first one in the file."""
    if header.kind <= 3:
        return _NEXT_ASCII.search(data, header.start) is not None
    return _NEXT_BINARY.match(data, header.start + _row_bytes(header) * header.height) is not None


def _read_binary(data: bytes, header: PnmHeader) -> Samples:
    wanted = _row_bytes(header) * header.height
    body = memoryview(data)[header.start : header.start + wanted]
    if len(body) < wanted:
        raise ValueError(f"{len(body)} of {wanted} bytes of pixels")
    if header.kind == 4:
        packed = np.frombuffer(body, np.uint8).reshape(header.height, -1)
        return np.unpackbits(packed, axis=1)[:, : header.width]
    if header.maxval > 255:
        return np.frombuffer(body, ">u2").astype(np.uint16)
    return np.frombuffer(body, np.uint8)


def _row_bytes(header: PnmHeader) -> int:
    if header.kind == 4:
        return -(-header.width // 8)
    return header.width * header.channels * (2 if header.maxval > 255 else 1)


def _read_ascii(data: bytes, header: PnmHeader) -> Samples:
    wanted = header.width * header.height * header.channels
    # In pieces: as Python's numbers, all of them would take 65 bytes each.
    samples: Samples = np.empty(wanted, np.uint8 if header.maxval <= 255 else np.uint16)
    count = 0
    for text in _pieces(data, header.start - 1):
        if header.kind == 1:  # digits need no space between them
            digits = np.frombuffer(text, np.uint8)
            values = digits[(digits == 0x30) | (digits == 0x31)][: wanted - count] - 0x30
        else:
            tokens = text.split(None, wanted - count)[: wanted - count]
            values = np.array([int(token) for token in tokens], np.int64)
        if values.size and not 0 <= int(values.min()) <= int(values.max()) <= header.maxval:
            raise ValueError(f"a sample exceeds maxval {header.maxval}")
        samples[count : count + values.size] = values
        count += values.size
        if count == wanted:
            return samples
    raise ValueError(f"{count} of {wanted} samples")


def _pieces(data: bytes, start: int) -> Iterator[bytes]:
    """The text from `start` on without its comments, cut between numbers."""
    while start < len(data):
        stop = start + _PIECE_BYTES
        comment = data.rfind(b"#", start, stop)
        if comment >= 0 and not _LINE_END.search(data, comment, stop):
            cut = _LINE_END.search(data, stop)
        else:
            cut = _NUMBER_END.search(data, stop)
        stop = cut.start() if cut else len(data)
        yield _COMMENT.sub(b"", data[start:stop])
        start = stop
