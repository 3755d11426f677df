"""JPEG XL: pixels through libjxl, the header and the boxes around it by hand.

Source: ISO/IEC 18181-1, annexes D (image header) and E (color), and 18181-2 (file format).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import imagecodecs
import numpy as np

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.photo.formats.base import Decoded, check_pixels, split_alpha
from colorize_core.media.photo.formats.boxes import boxes
from colorize_core.media.photo.formats.code_points import profile_of
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster, to_full_range

# Width over height, by the ratio field of the header.
_RATIOS: Final = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_DIMENSION = ((1, 9), (1, 13), (1, 18), (1, 30))
_ENUM = ((0, 0), (1, 0), (2, 4), (18, 6))
_GRAY, _CUSTOM, _ALPHA, _SPOT, _CFA = 1, 2, 0, 2, 5


@dataclass
class Header:
    """What the image header says. `primaries` and `transfer` are code points of ITU-T H.273."""

    width: int = 0
    height: int = 0
    bits: int = 8
    is_float: bool = False
    is_animated: bool = False
    is_lossy: bool = True
    has_icc: bool = False
    primaries: int = 1
    transfer: int = 13


class Bits:
    """Reads numbers from bytes, lowest bit first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def u(self, count: int) -> int:
        """The next `count` bits.

        Raises:
            ValueError: there are no more.
        """
        if count > self._left:
            raise ValueError("header cut short")
        value = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return value

    def u32(self, *choices: tuple[int, int]) -> int:
        """One of four codings, each an offset and a number of bits (D.2.2)."""
        offset, count = choices[self.u(2)]
        return offset + self.u(count)


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    stream, metadata = _codestream(data)
    header = read_header(stream)
    check_pixels(header.width, header.height, max_pixels, len(data))
    if header.is_float or header.bits > 16:
        raise UnsupportedError(
            f"JPEG XL with {header.bits}-bit samples", remedy="convert it to 16-bit TIFF or PNG"
        )
    stored = np.asarray(imagecodecs.jpegxl_decode(data, index=0, numthreads=1))
    stored = stored.reshape(stored.shape[-3:]) if stored.ndim > 3 else stored
    # libjxl has turned the picture upright already.
    if sorted(stored.shape[:2]) != sorted((header.height, header.width)):
        raise UndecodableError("a JPEG XL of odd layout", remedy="convert it to TIFF or PNG")
    samples, alpha = split_alpha(to_full_range(stored, header.bits))
    warnings: list[str] = []
    if header.is_animated:
        warnings.append("only the first frame of an animation is kept")
    if header.has_icc:
        warnings.append("its color profile cannot be read and was taken for sRGB")
    icc, more = profile_of(header.primaries, header.transfer, is_gray=samples.ndim == 2)
    raster = Raster(samples, alpha, icc)
    return Decoded((raster,), metadata, not header.is_lossy, (*warnings, *more))


def _codestream(data: bytes) -> tuple[bytes, PhotoMetadata]:
    """The start of the codestream, and the metadata beside it."""
    if data[:2] == b"\xff\x0a":
        return data[:512], PhotoMetadata()
    stream, exif, packet = b"", None, None
    for outer in boxes(data):
        body = data[outer.start : outer.end]
        if outer.kind == b"jxlc":
            stream = stream or body[:512]
        elif outer.kind == b"jxlp" and len(stream) < 512:
            stream += body[4:516]
        elif outer.kind == b"Exif" and len(body) > 4:
            exif = body[4 + int.from_bytes(body[:4], "big") :]
        elif outer.kind == b"xml ":
            packet = packet or body
    return stream, PhotoMetadata(exif=exif, xmp=packet)


def read_header(stream: bytes) -> Header:
    """Read size, depth and color of a codestream.

    Raises:
        ValueError: it breaks off, or is none.
    """
    if stream[:2] != b"\xff\x0a":
        raise ValueError("no JPEG XL codestream")
    bits = Bits(stream[2:512])
    header = Header()
    header.width, header.height = _size(bits)
    if bits.u(1):  # all by default: 8 bits, XYB, sRGB
        return header
    if bits.u(1):
        _extra_fields(bits, header)
    header.is_float, header.bits = _depth(bits)
    bits.u(1)
    for _ in range(bits.u32((0, 0), (1, 0), (2, 4), (1, 12))):
        _extra_channel(bits)
    header.is_lossy = bits.u(1) == 1
    _color(bits, header)
    return header


def _size(bits: Bits) -> tuple[int, int]:
    is_small = bits.u(1)
    height = 8 * (bits.u(5) + 1) if is_small else bits.u32(*_DIMENSION)
    ratio = bits.u(3)
    if ratio:
        across, down = _RATIOS[ratio]
        return height * across // down, height
    return (8 * (bits.u(5) + 1) if is_small else bits.u32(*_DIMENSION)), height


def _extra_fields(bits: Bits, header: Header) -> None:
    bits.u(3)  # the orientation
    if bits.u(1):
        _size(bits)
    if bits.u(1):  # a preview
        raise ValueError("a JPEG XL with a preview")
    header.is_animated = bits.u(1) == 1
    if header.is_animated:
        bits.u32((100, 0), (1000, 0), (1, 10), (1, 30))
        bits.u32((1, 0), (1001, 0), (1, 8), (1, 10))
        bits.u32((0, 0), (0, 3), (0, 16), (0, 32))
        bits.u(1)


def _depth(bits: Bits) -> tuple[bool, int]:
    if not bits.u(1):
        return False, bits.u32((8, 0), (10, 0), (12, 0), (1, 6))
    depth = bits.u32((32, 0), (16, 0), (24, 0), (1, 6))
    bits.u(4)
    return True, depth


def _extra_channel(bits: Bits) -> None:
    if bits.u(1):
        return
    kind = bits.u32(*_ENUM)
    _depth(bits)
    bits.u32((0, 0), (3, 0), (4, 0), (1, 3))
    for _ in range(bits.u32((0, 0), (0, 4), (16, 5), (48, 10))):
        bits.u(8)
    if kind == _ALPHA:
        bits.u(1)
    elif kind == _SPOT:
        bits.u(64)
    elif kind == _CFA:
        bits.u32((1, 0), (0, 2), (3, 4), (19, 8))


def _color(bits: Bits, header: Header) -> None:
    if bits.u(1):
        return
    header.has_icc = bits.u(1) == 1
    space = bits.u32(*_ENUM)
    if header.has_icc:
        return
    if bits.u32(*_ENUM) == _CUSTOM:
        raise ValueError("a JPEG XL with a white point of its own")
    if space != _GRAY:
        header.primaries = bits.u32(*_ENUM)
        if header.primaries == _CUSTOM:
            raise ValueError("a JPEG XL with primaries of its own")
    if bits.u(1):
        gamma = bits.u(24) / 1e7
        # Code points of H.273 for 1/2.2, 1/2.8 and 1; others are taken for sRGB's.
        near = min((0.4545, 4), (0.357, 5), (1.0, 8), key=lambda pair: abs(pair[0] - gamma))
        header.transfer = near[1] if abs(near[0] - gamma) < 0.02 else 2
    else:
        header.transfer = bits.u32(*_ENUM)
