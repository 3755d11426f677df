"""Sound, subtitles and further streams, packet by packet: as they are, or rewritten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.rational import AVRational
from av.stream import Stream
from av.subtitles.stream import SubtitleStream

from colorize_core.media.film.demux import DEMUX_ERRORS
from colorize_core.media.film.latm import LatmUnwrapper
from colorize_core.media.film.mux.captions import CaptionConverter
from colorize_core.media.film.mux.sound import SoundConverter
from colorize_core.media.film.mux.streams import Target
from colorize_core.media.film.pyav import AnyPacket, decoded_at

_LENGTH_BYTES = 2  # mov_text begins with the length of the text


class StreamCopier:
    """Packets of a source's streams on their way into a result.

    Args:
        source: open container.
        targets: streams of the result by index in the source.
        container: of the result.
    """

    def __init__(self, source: InputContainer, targets: dict[int, Target], container: str) -> None:
        self._source = source
        self._targets = targets
        self._rewriters = {
            index: _rewriter(source.streams[index], target)
            for index, target in targets.items()
            if target.rewritten_as and _is_decoded(source.streams[index])
        }
        self._is_strict = container in ("mp4", "mov")
        # Of a film in pieces: each begins its sound anew, a little before its pictures.
        self._may_overlap = source.format.name == "concat"
        self._last: dict[int, int] = {}
        self._said: dict[int, int] = {}
        self._reached: dict[int, int] = {}  # the latest decode time of each sound stream
        self._moved: Counter[int] = Counter()
        self._error = ""

    def packets(self) -> Iterator[AnyPacket]:
        """Yield packets in the order of the file, addressed to their new stream."""
        for packet in self._demuxed():
            index = packet.stream.index  # the one in a flush packet itself is 0
            if index in self._rewriters:
                for new in self._rewriters[index].packets(packet):
                    new.stream = self._targets[index].stream
                    self._keep_order(new, index)
                    yield new
                continue
            if packet.pts is None and packet.dts is None:
                if packet.size == 0:
                    continue  # the flush packet at the end
                packet.pts = self._last.get(index, 0)  # a cover has no time
            if self._may_overlap and self._is_past(packet):
                continue
            copied = _rewritten(packet, self._targets[index].rewritten_as)
            if copied is not None:
                if self._is_strict and packet.stream.type == "audio":
                    # Packets in one tick of a coarse clock are moved by a sample, not by a tick.
                    copied.rescale_ts(AVRational(1, packet.stream.codec_context.sample_rate))
                copied.stream = self._targets[index].stream
                self._keep_order(copied, index)
                yield copied

    def damage(self) -> tuple[str, ...]:
        """What went wrong, for the report."""
        notes = [
            f"{count} packets of stream {index} had times out of order"
            for index, count in self._moved.items()
            if count
        ]
        notes += [
            f"{rewriter.damaged} packets of stream {index} are damaged and left out"
            for index, rewriter in self._rewriters.items()
            if rewriter.damaged
        ]
        return (*notes, self._error) if self._error else tuple(notes)

    def _demuxed(self) -> Iterator[AnyPacket]:
        streams = [self._source.streams[index] for index in self._targets]
        packets = iter(self._source.demux(*streams)) if streams else iter(())
        while True:
            try:
                packet = next(packets, None)
            except MemoryError:
                raise
            except DEMUX_ERRORS:
                self._error = "the source cannot be read to its end: sound and subtitles stop early"
                return
            if packet is None:
                return
            yield packet

    def _is_past(self, packet: AnyPacket) -> bool:
        """Whether the piece before has this moment of sound already."""
        if packet.stream.type != "audio" or packet.dts is None:
            return False
        said = self._reached.get(packet.stream.index)
        if said is not None and packet.dts <= said:
            return True
        self._reached[packet.stream.index] = packet.dts
        return False

    def _keep_order(self, packet: AnyPacket, index: int) -> None:
        if packet.dts is None:
            packet.dts = packet.pts
        said, last = decoded_at(packet), self._last.get(index)
        if last is not None and (said < last or (self._is_strict and said <= last)):
            # Short packets share a tick of a coarse clock: that is no damage.
            self._moved[index] += said < self._said[index]
            packet.dts = last + self._is_strict
            if packet.pts is not None:
                packet.pts = max(packet.pts, packet.dts)
        self._last[index], self._said[index] = decoded_at(packet), said


def _is_decoded(stream: Stream) -> bool:
    return bool(stream.type == "audio" or stream.codec_context.codec.canonical_name == "eia_608")


def _rewriter(stream: Stream, target: Target) -> SoundConverter | LatmUnwrapper | CaptionConverter:
    if isinstance(stream, SubtitleStream):
        return CaptionConverter(stream, str(target.rewritten_as))
    if target.rewritten_as == "aac":
        return LatmUnwrapper(stream)
    assert isinstance(target.stream, AudioStream)
    return SoundConverter(target.stream)


def _rewritten(packet: AnyPacket, codec: str | None) -> AnyPacket | None:
    """The packet as it is, or its text for another container; None for a text without letters."""
    if codec is None:
        return packet
    text = bytes(packet)
    if packet.stream.codec_context.name == "mov_text":
        text = text[_LENGTH_BYTES:][: _length(text)]
    if not text:
        return None  # MP4 fills pauses with empty texts
    return _with_data(packet, _measured(text) if codec == "mov_text" else text)


def _length(text: bytes) -> int:
    return int.from_bytes(text[:_LENGTH_BYTES], "big")


def _measured(text: bytes) -> bytes:
    return len(text).to_bytes(_LENGTH_BYTES, "big") + text


def _with_data(packet: AnyPacket, data: bytes) -> AnyPacket:
    copy = av.Packet(data)
    copy.time_base = packet.time_base
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    return copy
