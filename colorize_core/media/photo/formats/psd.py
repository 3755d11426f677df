"""Photoshop files: the composite picture, at its full depth.

Source: Adobe Photoshop File Formats Specification.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import imagecodecs
import numpy as np

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.photo import xmp
from colorize_core.media.photo.formats.base import Decoded, check_pixels
from colorize_core.media.photo.formats.tiff_new import new_layout, new_page
from colorize_core.media.photo.formats.tiff_tags import Remarks
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster, Samples, unassociated

_BITMAP, _GRAY, _INDEXED, _RGB, _CMYK, _DUOTONE = 0, 1, 2, 3, 4, 8
_CHANNELS: Final = {_BITMAP: 1, _GRAY: 1, _INDEXED: 1, _RGB: 3, _CMYK: 4, _DUOTONE: 1}
_RAW, _PACKBITS = 0, 1
_RESOLUTION, _PROFILE, _VERSION, _EXIF, _XMP = 1005, 1039, 1057, 1058, 1060
_MOST_CHANNELS: Final = 56
_MOST_RESOURCES: Final = 4096


@dataclass(frozen=True)
class _Header:
    is_large: bool
    channels: int
    height: int
    width: int
    bits: int
    mode: int


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    header = _header(data)
    check_pixels(header.width, header.height, max_pixels)
    _check_supported(header)
    colors, position = _section(data, 26, "I")
    resources, position = _section(data, position, "I")
    layers, position = _section(data, position, "Q" if header.is_large else "I")
    found = _resources(resources)
    # A composite is always there, but blank where the file was saved without compatibility.
    if found.get(_VERSION, b"\0\0\0\0\1")[4:5] == b"\0" and len(layers) > 4:
        raise UnsupportedError(
            "a Photoshop file without its composite picture",
            remedy="save it with 'maximize compatibility', or as TIFF",
        )
    planes = _planes(data, position, header)
    number = _CHANNELS[header.mode]
    samples, alpha = _color(planes[:number], colors, header.mode), None
    if len(planes) > number and _has_transparency(layers, header.is_large):
        alpha = planes[number]
        # The composite lies on white.
        top = np.iinfo(samples.dtype).max
        samples = top - unassociated(top - samples, alpha)
    remarks = Remarks()
    if len(planes) > number + (alpha is not None):
        remarks.notes.append("channels beyond the picture were left out")
    metadata = PhotoMetadata(
        exif=found.get(_EXIF),
        xmp=_packet(found.get(_XMP), remarks),
        resources=resources,
        icc=found.get(_PROFILE),
        dpi=_dpi(found.get(_RESOLUTION, b"")),
    )
    layout = new_layout(metadata, new_page(metadata, remarks))
    return Decoded(
        (Raster(samples, alpha, metadata.icc),),
        PhotoMetadata(xmp=metadata.xmp, dpi=metadata.dpi),
        warnings=tuple(remarks.warnings),
        notes=tuple(remarks.notes),
        tiff=layout,
    )


def _header(data: bytes) -> _Header:
    if len(data) < 30:
        raise UndecodableError("the header is cut short", remedy="copy it again from its origin")
    version, channels, height, width, bits, mode = struct.unpack_from(">H6xHIIHH", data, 4)
    return _Header(version == 2, channels, height, width, bits, mode)


def _check_supported(header: _Header) -> None:
    depths = (1,) if header.mode == _BITMAP else (8, 16)
    needed = _CHANNELS.get(header.mode)
    if needed is None or header.bits not in depths:
        raise UnsupportedError(
            f"a Photoshop file of mode {header.mode} with {header.bits} bits",
            remedy="save it as TIFF, in gray or RGB with 8 or 16 bits",
        )
    if not needed <= header.channels <= _MOST_CHANNELS:
        raise UndecodableError(
            f"{header.channels} channels for mode {header.mode}", remedy="copy it again"
        )


def _section(data: bytes, position: int, code: str) -> tuple[bytes, int]:
    size = struct.calcsize(">" + code)
    if position + size > len(data):
        raise UndecodableError("the file is cut short", remedy="copy it again from its origin")
    length = struct.unpack_from(">" + code, data, position)[0]
    end = position + size + length
    if end > len(data):
        raise UndecodableError("the file is cut short", remedy="copy it again from its origin")
    return data[position + size : end], end


def _resources(blocks: bytes) -> dict[int, bytes]:
    """Image resources by identifier, the first of each."""
    found: dict[int, bytes] = {}
    position = 0
    for _ in range(_MOST_RESOURCES):
        if blocks[position : position + 4] != b"8BIM" or position + 12 > len(blocks):
            break
        identifier = struct.unpack_from(">H", blocks, position + 4)[0]
        name = blocks[position + 6] + 1
        start = position + 6 + name + name % 2
        if start + 4 > len(blocks):
            break
        size = struct.unpack_from(">I", blocks, start)[0]
        found.setdefault(identifier, blocks[start + 4 : start + 4 + size])
        position = start + 4 + size + size % 2
    return found


def _planes(data: bytes, position: int, header: _Header) -> list[Samples]:
    """The channels of the composite, HxW each; uint16 for 16 bits."""
    if position + 2 > len(data):
        raise UndecodableError("no picture data in it", remedy="copy it again from its origin")
    coding = struct.unpack_from(">H", data, position)[0]
    row = -(-header.width * header.bits // 8)
    rows = header.height * header.channels
    if coding == _RAW:
        packed = data[position + 2 : position + 2 + rows * row]
    elif coding == _PACKBITS:
        packed = _unpacked(data, position + 2, rows, row, 4 if header.is_large else 2)
    else:
        raise UnsupportedError(f"Photoshop compression {coding}", remedy="save it as TIFF")
    if len(packed) < rows * row:
        raise UndecodableError(
            f"{len(packed)} of {rows * row} bytes of pixels", remedy="copy it again"
        )
    if header.bits == 1:
        bits = np.unpackbits(np.frombuffer(packed, np.uint8).reshape(rows, row), axis=1)
        stored: Samples = (1 - bits[:, : header.width]) * np.uint8(255)  # 1 is black
    else:
        kind = ">u2" if header.bits == 16 else np.uint8
        stored = np.frombuffer(packed, kind).astype(np.uint16 if header.bits == 16 else np.uint8)
    return list(stored.reshape(header.channels, header.height, header.width))


def _unpacked(data: bytes, position: int, rows: int, row: int, size: int) -> bytes:
    """PackBits, row by row, each with its length in front of all."""
    if position + rows * size > len(data):
        raise UndecodableError("the file is cut short", remedy="copy it again from its origin")
    counts = np.frombuffer(data, f">u{size}", rows, position).tolist()
    position += rows * size
    if sum(counts) > len(data) - position or rows * row > 130 * sum(counts):
        raise UndecodableError("picture data are missing", remedy="copy it again from its origin")
    parts = []
    for count in counts:
        unpacked = bytes(imagecodecs.packbits_decode(data[position : position + count]))
        if len(unpacked) < row:
            raise UndecodableError("a row is too short", remedy="copy it again from its origin")
        parts.append(unpacked[:row])
        position += count
    return b"".join(parts)


def _color(planes: list[Samples], table: bytes, mode: int) -> Samples:
    if mode == _INDEXED:
        if len(table) < 768:
            raise UndecodableError("no color table", remedy="copy it again from its origin")
        return np.frombuffer(table, np.uint8, 768).reshape(3, 256).T[planes[0]]
    if len(planes) == 1:
        return planes[0]
    color = np.stack(planes, axis=-1)
    # Photoshop stores the light that is left, not the ink.
    return np.iinfo(color.dtype).max - color if mode == _CMYK else color


def _has_transparency(layers: bytes, is_large: bool) -> bool:
    """Whether the first extra channel is the transparency: a negative number of layers says so."""
    at = 8 if is_large else 4
    return len(layers) >= at + 2 and struct.unpack_from(">h", layers, at)[0] < 0


def _packet(packet: bytes | None, remarks: Remarks) -> bytes | None:
    if packet is None:
        return None
    try:
        xmp.check_packet(packet)
    except ValueError as error:
        remarks.warnings.append(f"XMP was left out: {error}")
        return None
    return packet


def _dpi(resolution: bytes) -> tuple[float, float] | None:
    """Pixels per inch, fixed point with 16 bits behind it."""
    if len(resolution) < 16:
        return None
    across, down = struct.unpack_from(">I4xI", resolution)
    return (across / 65536, down / 65536) if across and down else None
