"""Closed captions as a stream beside the pictures: a track of QuickTime, or subtitles."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.subtitles.stream import SubtitleStream
from av.subtitles.subtitle import AssSubtitle, SubtitleSet

from colorize_core.media.film.captions import caption_track
from colorize_core.media.film.pyav import (
    AnyPacket,
    StreamPacket,
    SubtitlePacket,
    decoded_at,
    shown_at,
)

_TICKS = 90_000
_MICROSECOND = Fraction(1, 1_000_000)
# Erase displayed memory (CTA-608), sent twice like all commands: ends what is still shown.
_ERASE = bytes.fromhex("fc942cfc942c")
_HOLD_SECONDS = 2
_STYLING = re.compile(rb"\{[^}]*\}")


def add_text(result: OutputContainer, stream: SubtitleStream, codec: str) -> Stream:
    """Add a stream to `result` for the text of captions: "ass", with places, or "mov_text"."""
    if codec != "ass":
        new = result.add_mux_stream(codec)
    else:
        stream.codec_context.open(strict=False)
        header = io.BytesIO(bytes(stream.codec_context.subtitle_header or b""))
        with av.open(header, "r", format="ass") as template:
            new = result.add_stream_from_template(template.streams[0], opaque=True)
    new.time_base = Fraction(1, 1000)
    return new


class CaptionConverter:
    """Packets of a c608 stream on their way into a stream of `add_text`."""

    def __init__(self, stream: SubtitleStream, codec: str) -> None:
        self.damaged = 0
        self._context = stream.codec_context
        self._codec = codec

    def packets(self, packet: SubtitlePacket) -> Iterator[StreamPacket]:
        """Yield the texts that are complete with this packet."""
        try:
            shown = self._context.decode2(packet)
        except MemoryError:
            raise
        except av.FFmpegError:
            self.damaged += 1
            return
        if shown is None:
            return
        for event in shown.rects:
            assert isinstance(event, AssSubtitle)
            line = bytes(event.ass)
            text = line if self._codec == "ass" else _plain(line)
            if _plain(line):
                yield self._packet(text, shown)

    def _packet(self, text: bytes, shown: SubtitleSet) -> StreamPacket:
        is_measured = self._codec == "mov_text"
        packet = av.Packet(len(text).to_bytes(2, "big") + text if is_measured else text)
        packet.time_base = Fraction(1, 1000)
        start = round(shown.pts * _MICROSECOND * 1000) + shown.start_display_time
        packet.pts = packet.dts = start
        packet.duration = shown.end_display_time - shown.start_display_time
        return packet


def _plain(line: bytes) -> bytes:
    """Text of a line of ASS: the last of nine fields, without places and colors."""
    text = _STYLING.sub(b"", line.split(b",", 8)[-1])
    return text.replace(b"\\N", b"\n").replace(b"\\h", b" ").strip()


class PictureCaptions:
    """The captions inside a film's pictures, as one more stream of a result.

    Args:
        path: the source.
        source_codec: of its pictures.
        codec: "eia_608", "ass" or "mov_text".
        result: container that is written.
    """

    def __init__(self, path: Path, source_codec: str, codec: str, result: OutputContainer) -> None:
        self._track = caption_track(path, source_codec)
        self._start = self._track[0][0] if self._track else Fraction(0)
        self._codec = codec
        with self._opened() as (_, stream):
            if codec == "eia_608":
                self.stream: Stream = result.add_stream_from_template(stream, opaque=True)
                self.stream.time_base = stream.time_base
            else:
                self.stream = add_text(result, stream, codec)

    def packets(self) -> Iterator[AnyPacket]:
        """Yield packets in the order of their times."""
        with self._opened() as (film, stream):
            converter = CaptionConverter(stream, self._codec)
            for packet in film.demux(stream):
                is_track = self._codec == "eia_608"
                for new in [packet] * bool(packet.size) if is_track else converter.packets(packet):
                    moved = round(self._start / new.time_base)
                    new.pts, new.dts = shown_at(new) + moved, decoded_at(new) + moved
                    new.stream = self.stream
                    yield new

    @contextmanager
    def _opened(self) -> Iterator[tuple[InputContainer, SubtitleStream]]:
        """A file of QuickTime with nothing but the captions, from time 0."""
        file = io.BytesIO()
        with av.open(file, "w", format="mov") as film:
            stream = film.add_mux_stream("eia_608")
            stream.time_base = Fraction(1, _TICKS)
            end = [(self._track[-1][0] + _HOLD_SECONDS, _ERASE)] if self._track else []
            for time, data in self._track + end:
                packet = av.Packet(data)
                packet.stream = stream
                packet.time_base = Fraction(1, _TICKS)
                packet.pts = packet.dts = round((time - self._start) * _TICKS)
                film.mux_one(packet)
        file.seek(0)
        with av.open(file, "r", format="mov") as source:
            track = source.streams[0]
            assert isinstance(track, SubtitleStream)
            yield source, track
