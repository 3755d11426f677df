"""Sound, subtitles and further streams, packet by packet, as they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import av

_LENGTH_BYTES = 2  # mov_text begins with the length of the text


class StreamCopier:
    """Packets of a source's streams on their way into a result.

    Args:
        source: open container.
        targets: streams of the result by index in the source.
        container: of the result.
    """

    def __init__(self, source: Any, targets: dict[int, Any], container: str) -> None:
        self._source = source
        self._targets = targets
        self._is_strict = container in ("mp4", "mov")
        self._last: dict[int, int] = {}
        self._moved: Counter[int] = Counter()
        self._error = ""

    def packets(self) -> Iterator[Any]:
        """Yield packets in the order of the file, addressed to their new stream."""
        streams = [self._source.streams[index] for index in self._targets]
        packets = iter(self._source.demux(*streams)) if streams else iter(())
        while True:
            try:
                packet = next(packets, None)
            except MemoryError:
                raise
            except av.FFmpegError as error:
                self._error = f"sound and subtitles stop early: {error.strerror}"
                return
            if packet is None:
                return
            if packet.pts is None and packet.dts is None:
                if packet.size == 0:
                    continue  # the flush packet at the end
                packet.pts = self._last.get(packet.stream_index, 0)  # a cover has no time
            index = packet.stream_index
            copied = self._convert(packet, self._targets[index])
            if copied is not None:
                self._keep_order(copied, index)
                yield copied

    def damage(self) -> tuple[str, ...]:
        """What went wrong, for the report."""
        moved = [
            f"{count} packets of stream {index} had times out of order"
            for index, count in self._moved.items()
        ]
        return (*moved, self._error) if self._error else tuple(moved)

    def _convert(self, packet: Any, target: Any) -> Any | None:
        """Address a packet to its new stream; text between MP4 and Matroska is rewritten."""
        codec = packet.stream.codec_context
        was_mov_text = codec is not None and codec.name == "mov_text"
        is_mov_text = self._is_strict and target.type == "subtitle"
        if target.type == "subtitle" and was_mov_text != is_mov_text:
            text = bytes(packet)
            text = text[_LENGTH_BYTES:][: _length(text)] if was_mov_text else _measured(text)
            if len(text) <= (0 if was_mov_text else _LENGTH_BYTES):
                return None  # MP4 fills pauses with empty texts
            packet = _with_data(packet, text)
        packet.stream = target
        return packet

    def _keep_order(self, packet: Any, index: int) -> None:
        if packet.dts is None:
            packet.dts = packet.pts
        last = self._last.get(index)
        if last is not None and (packet.dts < last or (self._is_strict and packet.dts == last)):
            packet.dts = last + self._is_strict
            if packet.pts is not None:
                packet.pts = max(packet.pts, packet.dts)
            self._moved[index] += 1
        self._last[index] = packet.dts


def _length(text: bytes) -> int:
    return int.from_bytes(text[:_LENGTH_BYTES], "big")


def _measured(text: bytes) -> bytes:
    return len(text).to_bytes(_LENGTH_BYTES, "big") + text


def _with_data(packet: Any, data: bytes) -> Any:
    copy = av.Packet(data)
    copy.time_base = packet.time_base
    copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
    return copy
