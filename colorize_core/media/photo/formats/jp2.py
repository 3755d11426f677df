"""JPEG 2000: pixels through OpenJPEG, the boxes around them by hand.

Source: ISO/IEC 15444-1, annex A (codestream) and annex I (JP2).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import imagecodecs
import numpy as np

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.photo.formats.base import (
    Decoded,
    check_pixels,
    orientation_of,
    split_alpha,
    written_metadata,
)
from colorize_core.media.photo.formats.boxes import box, boxes
from colorize_core.media.photo.photo import EXIF_PREFIX, Photo, PhotoMetadata
from colorize_core.media.photo.raster import Raster, Samples, to_full_range
from colorize_core.media.picture.note import ComputedColorNote

_CODESTREAM = b"\xff\x4f\xff\x51"
_SIZE, _CODING, _TILE_PART, _END = 0xFF51, 0xFF52, 0xFF90, b"\xff\xd9"
_REVERSIBLE = 1
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_EXIF = b"JpgTiffExif->JP2"
_INCH: Final = 0.0254
_MOST_TILE_PARTS: Final = 65_535
_MOST_FILLED: Final = 64  # times what is there


@dataclass(frozen=True)
class Codestream:
    """What the main header says, and how many bytes the parts of the picture promise."""

    width: int
    height: int
    bits: tuple[int, ...]
    is_reversible: bool
    promised: int  # position of the end in the file
    is_complete: bool


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    found = {b.kind: b for b in boxes(data)} if data[4:6] == b"jP" else {}
    start = found[b"jp2c"].start if b"jp2c" in found else data.find(_CODESTREAM)
    stream = read_codestream(data, start)
    check_pixels(stream.width, stream.height, max_pixels, len(data))
    damage: tuple[str, ...] = ()
    sound = data
    if not stream.is_complete:
        sound, damage = _filled(data, stream)
    metadata = _metadata(data)
    stored = np.asarray(imagecodecs.jpeg2k_decode(sound, numthreads=1))
    if stored.shape[:2] != (stream.height, stream.width) or stored.dtype.kind != "u":
        raise UnsupportedError(
            f"JPEG 2000 samples {stored.dtype} {stored.shape}", remedy="convert it to TIFF or PNG"
        )
    samples, alpha = split_alpha(to_full_range(stored, max(stream.bits)))
    raster = Raster(samples, alpha, metadata.icc, orientation_of(metadata.exif))
    return Decoded((raster,), metadata, stream.is_reversible, damage=damage)


def encode(pages: Sequence[Samples], photo: Photo, note: ComputedColorNote, quality: int) -> bytes:
    """See `base.Encoder`. Lossless where the source was; else at 30 to 50 dB."""
    options = {"reversible": True} if photo.lossless else {"level": 30 + quality / 5}
    encoded = bytes(imagecodecs.jpeg2k_encode(pages[0], codecformat="jp2", numthreads=1, **options))
    return _with_metadata(encoded, written_metadata(photo, note))


def read_codestream(data: bytes, start: int) -> Codestream:
    """Read the main header and walk along the tile-parts.

    Raises:
        UndecodableError: no header.
        UnsupportedError: signed, or more than 16 bits.
    """
    if start < 0 or data[start : start + 4] != _CODESTREAM or len(data) < start + 42:
        raise UndecodableError("no JPEG 2000 data in it", remedy="copy it again from its origin")
    right, down, left, top = struct.unpack_from(">4I", data, start + 8)
    components = struct.unpack_from(">H", data, start + 40)[0]
    depths = data[start + 42 : start + 42 + 3 * components : 3]
    bits = tuple((depth & 0x7F) + 1 for depth in depths)
    if not bits or max(bits) > 16 or any(depth & 0x80 for depth in depths):
        raise UnsupportedError(
            f"JPEG 2000 with samples of {max(bits, default=0)} bits, or signed ones",
            remedy="convert it to TIFF or PNG of 8 or 16 bits",
        )
    reversible, position = _main_header(data, start + 2)
    promised, is_complete = _tile_parts(data, position)
    return Codestream(right - left, down - top, bits, reversible, promised, is_complete)


def _main_header(data: bytes, position: int) -> tuple[bool, int]:
    """Whether the wavelet is the reversible one, and where the first tile-part begins."""
    reversible = False
    while position + 4 <= len(data):
        marker, length = struct.unpack_from(">HH", data, position)
        if marker == _TILE_PART:
            break
        if marker == _CODING and position + 14 <= len(data):
            reversible = data[position + 13] == _REVERSIBLE
        position += 2 + length
    return reversible, position


def _tile_parts(data: bytes, position: int) -> tuple[int, bool]:
    """Where the last tile-part ends by its own account, and whether all is there."""
    for _ in range(_MOST_TILE_PARTS):
        if data[position : position + 2] != b"\xff\x90" or position + 12 > len(data):
            break
        length = struct.unpack_from(">I", data, position + 6)[0]
        if length == 0:  # to the end
            return len(data), data.rstrip(b"\0").endswith(_END)
        if length < 14:
            break
        if position + length > len(data):
            return position + length, False
        position += length
    return position, data[position : position + 2] == _END


def _filled(data: bytes, stream: Codestream) -> tuple[bytes, tuple[str, ...]]:
    """The file with its missing bytes as 0, which read as empty packets, and what that means."""
    missing = max(0, stream.promised - len(data))
    if missing > _MOST_FILLED * len(data):
        raise UndecodableError("hardly any of the file is there", remedy="copy it again")
    percent = max(1, -(-100 * missing // max(1, stream.promised)))
    damage = f"cut short: {percent} % of the picture data are missing; it is coarse or false there"
    return data + bytes(missing) + _END, (damage,)


def _metadata(data: bytes) -> PhotoMetadata:
    exif = packet = resources = icc = None
    dpi = None
    for outer in boxes(data):
        if outer.kind == b"uuid":
            identifier, body = (
                data[outer.start : outer.start + 16],
                data[outer.start + 16 : outer.end],
            )
            if identifier == _XMP:
                packet = packet or body
            elif identifier == _EXIF:
                exif = exif or body.removeprefix(EXIF_PREFIX)
            elif identifier == _IPTC:
                resources = resources or _as_resource(body)
        elif outer.kind == b"jp2h":
            for inner in boxes(data, outer.start, outer.end):
                if inner.kind == b"colr" and data[inner.start : inner.start + 1] in (b"\2", b"\3"):
                    icc = icc or data[inner.start + 3 : inner.end]
                elif inner.kind == b"res ":
                    dpi = _resolution(data, inner.start, inner.end)
    return PhotoMetadata(exif=exif, xmp=packet, resources=resources, icc=icc, dpi=dpi)


def _as_resource(iptc: bytes) -> bytes:
    """IPTC-IIM as the Photoshop image resource 1028, unless it is one already."""
    if iptc.startswith(b"8BIM"):
        return iptc
    return b"8BIM\x04\x04\0\0" + struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)


def _resolution(data: bytes, start: int, end: int) -> tuple[float, float] | None:
    """Capture resolution before display resolution, both in samples per meter."""
    values: dict[bytes, tuple[float, float]] = {}
    for inner in boxes(data, start, end):
        if inner.kind in (b"resc", b"resd") and inner.end - inner.start >= 10:
            down, per_down, across, per_across, exponent, power = struct.unpack_from(
                ">4H2b", data, inner.start
            )
            if all((down, per_down, across, per_across)):
                values[inner.kind] = (
                    across / per_across * 10.0**power * _INCH,
                    down / per_down * 10.0**exponent * _INCH,
                )
    return values.get(b"resc") or values.get(b"resd")


def _with_metadata(data: bytes, metadata: PhotoMetadata) -> bytes:
    """Put resolution and profile into the header box, and the rest behind it."""
    header = next(b for b in boxes(data) if b.kind == b"jp2h")
    inner = []
    for part in boxes(data, header.start, header.end):
        if part.kind == b"colr" and metadata.icc:
            inner.append(box(b"colr", b"\2\0\0" + metadata.icc))
        else:
            inner.append(data[part.begin : part.end])
    if metadata.dpi is not None:
        inner.append(box(b"res ", box(b"resc", _per_meter(metadata.dpi))))
    parts = [box(b"jp2h", b"".join(inner))]
    for identifier, body in (
        (_XMP, metadata.xmp),
        (_EXIF, metadata.exif),
        (_IPTC, metadata.resources),
    ):
        if body is not None:
            parts.append(box(b"uuid", identifier + body))
    return data[: header.begin] + b"".join(parts) + data[header.end :]


def _per_meter(dpi: tuple[float, float]) -> bytes:
    """A resolution as two fractions, in samples per meter."""
    across, down = (min(65535, max(1, round(value / _INCH))) for value in dpi)
    return struct.pack(">4H2b", down, 1, across, 1, 0, 0)
