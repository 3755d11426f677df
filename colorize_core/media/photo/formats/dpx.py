"""DPX: a single frame of a film scan, as its samples lie in the file.

Values are taken as they are, without a conversion from printing density, as FFmpeg does for films.
Source: SMPTE ST 268-1.
"""

from __future__ import annotations

import struct
from typing import Final

import numpy as np

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.photo.formats.base import Decoded, check_pixels
from colorize_core.media.photo.formats.cut_short import said_of_rows
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster, Samples, to_full_range

_CHANNELS: Final = {6: 1, 50: 3, 51: 4}  # luma, RGB, RGBA
_PACKED, _FILLED_LOW, _FILLED_HIGH = 0, 1, 2
_HEADER_BYTES: Final = 2048
_UNDEFINED: Final = 0xFFFFFFFF


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    if len(data) < _HEADER_BYTES:
        raise UndecodableError("the header is cut short", remedy="copy it again from its origin")
    order = ">" if data[:4] == b"SDPX" else "<"
    start = struct.unpack_from(order + "I", data, 4)[0]
    width, height = struct.unpack_from(order + "II", data, 772)
    check_pixels(width, height, max_pixels)
    signed = struct.unpack_from(order + "I", data, 780)[0]
    descriptor, _, _, bits = struct.unpack_from("4B", data, 800)
    packing, coding, begin, row_padding = struct.unpack_from(order + "HHII", data, 804)
    channels = _CHANNELS.get(descriptor)
    if channels is None or coding == 1 or signed == 1:
        raise UnsupportedError(
            f"a DPX of kind {descriptor}, coding {coding}", remedy="convert it to TIFF or PNG"
        )
    if begin not in (0, _UNDEFINED):
        start = begin
    padding = 0 if row_padding == _UNDEFINED else row_padding
    shape = height, width * channels
    samples, there = _samples(data, start, shape, bits, packing, padding, order)
    samples = to_full_range(samples, bits).reshape(height, width, channels)
    alpha = np.ascontiguousarray(samples[..., 3]) if channels == 4 else None
    color = samples[..., 0] if channels == 1 else np.ascontiguousarray(samples[..., :3])
    damage = () if there == 1 else (said_of_rows(there),)
    return Decoded((Raster(color, alpha),), PhotoMetadata(), damage=damage)


def _samples(
    data: bytes,
    start: int,
    shape: tuple[int, int],
    bits: int,
    packing: int,
    padding: int,
    order: str,
) -> tuple[Samples, float]:
    """Rows of samples at their own depth, and which share of them is there."""
    height, count = shape
    if bits in (8, 16) or (bits == 12 and packing in (_FILLED_LOW, _FILLED_HIGH)):
        size = 1 if bits == 8 else 2
        used = count * size
        stride = -(-used // 4) * 4 if padding == 0 and bits == 8 else used + padding
        kind = np.dtype(np.uint8 if size == 1 else order + "u2")
        rows, there = _rows(data, start, height, used, stride, stride_may_be_short=True)
        values: Samples = rows.view(kind).astype(np.uint8 if size == 1 else np.uint16)
        if bits == 12:
            values = values >> 4 if packing == _FILLED_LOW else values & 0xFFF
        return values, there
    if bits == 10 and packing in (_FILLED_LOW, _FILLED_HIGH):
        words = -(-count // 3)
        rows, there = _rows(data, start, height, 4 * words, 4 * words + padding)
        packed = rows.view(order + "u4").astype(np.uint32)
        lowest = 2 if packing == _FILLED_LOW else 0
        parts = [(packed >> (lowest + shift)) & 0x3FF for shift in (20, 10, 0)]
        values = np.stack(parts, axis=-1).reshape(height, -1)[:, :count].astype(np.uint16)
        return values, there
    raise UnsupportedError(
        f"a DPX with {bits} bits, packing {packing}", remedy="convert it to TIFF or PNG"
    )


def _rows(
    data: bytes,
    start: int,
    height: int,
    used: int,
    stride: int,
    *,
    stride_may_be_short: bool = False,
) -> tuple[Samples, float]:
    """Bytes of each row, HxB, 0 where the file ends, and which share of the rows is there."""
    if stride_may_be_short and start + stride * height > len(data) >= start + used * height:
        stride = used
    body = memoryview(data)[start : start + stride * height]
    is_whole = len(body) >= stride * (height - 1) + used
    there = 1.0 if is_whole else len(body) / stride / height
    said_of_rows(there)  # before room is made for rows that are not there
    whole = np.zeros(stride * height, np.uint8)
    whole[: len(body)] = np.frombuffer(body, np.uint8)
    return np.ascontiguousarray(whole.reshape(height, stride)[:, :used]), there
