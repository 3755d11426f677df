"""AAC out of LATM (broadcast sound): the same coded sound in ADTS, which every muxer takes.

ISO/IEC 14496-3, sections 1.6.2.1 (AudioSpecificConfig), 1.7 (LOAS, LATM) and 1.A.3 (ADTS).
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import av
from av.container import OutputContainer
from av.stream import Stream

from colorize_core.media.film.demux import open_film
from colorize_core.media.film.pyav import AnyPacket

_SYNC: Final = 0x2B7
_SBR, _PS = 5, 29
_IN_ADTS = {1, 2, 3, 4}  # Main, LC, SSR, LTP
_ESCAPED: Final = 15
_ADTS_BYTES: Final = 7
_TEMPLATE_FRAMES = 20


class NotPlainError(ValueError):
    """The sound uses a part of LATM that ADTS has no words for."""


@dataclass(frozen=True)
class AacConfig:
    """What an ADTS header says: object type, index of the sampling rate, channels."""

    object_type: int
    rate_index: int
    channels: int


class _Bits:
    """Reads an integer bit by bit, the first one first."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise NotPlainError("it ends too early")
        return (self._value >> self._left) & ((1 << count) - 1)

    def number(self) -> int:
        """LatmGetValue: the count of bytes comes first."""
        return self.take(8 * (self.take(2) + 1))

    @property
    def left(self) -> int:
        return self._left


def read_config(extradata: bytes) -> AacConfig:
    """Read an AudioSpecificConfig.

    Raises:
        NotPlainError: ADTS cannot say what it says.
    """
    return _audio_config(_Bits(extradata))


def unwrap(data: bytes, config: AacConfig) -> tuple[bytes, AacConfig]:
    """Turn one LOAS frame into one ADTS frame.

    Args:
        data: a packet of the demuxer.
        config: in force so far; frames need not repeat it.

    Returns:
        The ADTS frame and the configuration in force now.

    Raises:
        NotPlainError: damaged, or not expressible.
    """
    bits = _Bits(data)
    if bits.take(11) != _SYNC:
        raise NotPlainError("no sync word")
    bits.take(13)
    if not bits.take(1):
        config = _stream_config(bits)
    size = 0
    while True:
        step = bits.take(8)
        size += step
        if step != 255:
            break
    payload = bits.take(8 * size).to_bytes(size, "big")
    return _adts_header(config, size) + payload, config


def _stream_config(bits: _Bits) -> AacConfig:
    version = bits.take(1)
    if version:
        if bits.take(1):
            raise NotPlainError("a later version")
        bits.number()
    # One frame, one program, one layer.
    if (bits.take(1), bits.take(6), bits.take(4), bits.take(3)) != (1, 0, 0, 0):
        raise NotPlainError("more than one stream in one")
    if version:
        length = bits.number()
        end = bits.left - length
        config = _audio_config(bits)
        bits.take(bits.left - end)
    else:
        config = _audio_config(bits)
    if bits.take(3):
        raise NotPlainError("frames of a fixed length")
    bits.take(8)
    if bits.take(1):
        _skip_other_data(bits, version)
    if bits.take(1):
        bits.take(8)
    return config


def _skip_other_data(bits: _Bits, version: int) -> None:
    if version:
        bits.number()
        return
    while bits.take(9) >> 8:
        pass


def _audio_config(bits: _Bits) -> AacConfig:
    object_type, rate_index, channels = bits.take(5), bits.take(4), bits.take(4)
    if object_type in (_SBR, _PS):
        # Decoders find the upper half of the band by themselves.
        if bits.take(4) == _ESCAPED:
            bits.take(24)
        object_type = bits.take(5)
    is_plain = object_type in _IN_ADTS and rate_index != _ESCAPED and 0 < channels < 8
    # Flags: frames of 960 samples, a core coder, an extension.
    if not is_plain or bits.take(3):
        raise NotPlainError(f"object type {object_type}, {channels} channels")
    return AacConfig(object_type, rate_index, channels)


def _adts_header(config: AacConfig, size: int) -> bytes:
    length = size + _ADTS_BYTES
    fields = (
        (0xFFF1, 16),  # sync, MPEG-4, no checksum
        (config.object_type - 1, 2),
        (config.rate_index, 4),
        (0, 1),
        (config.channels, 3),
        (0, 4),
        (length, 13),
        (0x7FF, 11),
        (0, 2),
    )
    header = 0
    for value, width in fields:
        header = header << width | value
    return header.to_bytes(_ADTS_BYTES, "big")


class LatmUnwrapper:
    """Packets of a LATM stream on their way into a stream of `add_aac`."""

    def __init__(self, stream: Stream) -> None:
        self.damaged = 0
        self._config = read_config(bytes(stream.codec_context.extradata or b""))

    def packets(self, packet: AnyPacket) -> Iterator[AnyPacket]:
        """Yield the packet without its wrapping; nothing if it is damaged."""
        if not packet.size:
            return
        try:
            data, self._config = unwrap(bytes(packet), self._config)
        except NotPlainError:
            self.damaged += 1
            return
        plain = av.Packet(data)
        plain.time_base = packet.time_base
        plain.pts, plain.dts, plain.duration = packet.pts, packet.dts, packet.duration
        yield plain


def is_plain(stream: Stream) -> bool:
    """Tell whether the frames of a LATM stream can go into ADTS."""
    try:
        read_config(bytes(stream.codec_context.extradata or b""))
    except NotPlainError:
        return False
    return True


def add_aac(result: OutputContainer, stream: Stream, path: Path) -> Stream:
    """Add a stream to `result` that takes the packets of LatmUnwrapper.

    Args:
        result: container that is written.
        stream: of the source.
        path: of the source; its first frames tell muxers what AAC it is.
    """
    unwrapper = LatmUnwrapper(stream)
    with open_film(path) as source:
        first = itertools.islice(source.demux(source.streams[stream.index]), _TEMPLATE_FRAMES)
        frames = b"".join(bytes(plain) for packet in first for plain in unwrapper.packets(packet))
    with av.open(io.BytesIO(frames), format="aac") as template:
        new = result.add_stream_from_template(template.streams[0], opaque=True)
    new.time_base = stream.time_base
    return new
