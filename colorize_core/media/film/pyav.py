"""What PyAV's annotations leave open, narrowed in one place.

Times are None where there are none; contexts, streams and side data are of a wider type than they
have here.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, cast

import av
from av.container import OutputContainer
from av.sidedata.sidedata import SideData
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.packet import Packet
    from av.stream import Stream
    from av.subtitles.stream import SubtitleStream

    AnyPacket = Packet[Any]
    VideoPacket = Packet[VideoStream]
    AudioPacket = Packet[AudioStream]
    SubtitlePacket = Packet[SubtitleStream]
    StreamPacket = Packet[Stream]
else:  # packets have a type of stream in PyAV's annotations alone
    from av.packet import Packet

    AnyPacket = VideoPacket = AudioPacket = SubtitlePacket = StreamPacket = Packet


class _Based(Protocol):
    @property
    def time_base(self) -> Fraction | None: ...


class _Timed(_Based, Protocol):
    @property
    def pts(self) -> int | None: ...


class _Coded(_Based, Protocol):
    @property
    def dts(self) -> int | None: ...


def unit(timed: _Based) -> Fraction:
    """Seconds of a tick."""
    assert timed.time_base is not None
    return timed.time_base


def shown_at(timed: _Timed) -> int:
    """Ticks at which a frame, or that of a packet, is shown."""
    assert timed.pts is not None
    return timed.pts


def decoded_at(packet: _Coded) -> int:
    """Ticks at which a packet is decoded."""
    assert packet.dts is not None
    return packet.dts


def decode_seconds(packet: _Coded) -> Fraction:
    """Seconds at which a packet is decoded."""
    return decoded_at(packet) * unit(packet)


def side_data(frame: av.VideoFrame) -> Iterable[SideData]:
    """All side data of a frame.

    Raises:
        ValueError: some are of a kind that PyAV does not know.
    """
    return cast("Iterable[SideData]", frame.side_data)


def video_context(codec: str, mode: str) -> VideoCodecContext:
    """A decoder ("r") or encoder ("w") of pictures.

    Raises:
        ValueError: there is none of this name.
    """
    context = av.CodecContext.create(codec, cast("Any", mode))
    assert isinstance(context, VideoCodecContext)
    return context


def add_video(
    result: OutputContainer, codec: str, rate: Fraction, options: dict[str, str] | None = None
) -> VideoStream:
    """Add a stream of pictures.

    Raises:
        ValueError: there is no such encoder.
    """
    stream = result.add_stream(codec, rate=rate, options=options)
    assert isinstance(stream, VideoStream)
    return stream
