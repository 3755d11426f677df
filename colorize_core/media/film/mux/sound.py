"""Sound that a container refuses: decoded, and kept as PCM with equal samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

from colorize_core.media.film.demux import decode_packet, open_film
from colorize_core.media.film.pyav import AnyPacket, AudioPacket, unit

# Where streams only count their channels; MP4 has to know where they sound.
_USUAL_LAYOUTS = {
    1: "mono",
    2: "stereo",
    3: "2.1",
    4: "4.0",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}
# Times are rounded in many containers; only a longer wait is a pause in the sound.
_PAUSE = Fraction(1, 10)


def add_pcm(result: OutputContainer, stream: AudioStream, codec: str) -> AudioStream:
    """Add a stream to `result` that takes the samples of the source's `stream` as `codec`."""
    context = stream.codec_context
    new = result.add_stream(codec, rate=context.sample_rate)
    assert isinstance(new, AudioStream)
    new.codec_context.layout = _USUAL_LAYOUTS.get(context.channels, context.layout.name)
    if not context.layout.name.endswith("channels"):
        new.codec_context.layout = context.layout
    return new


class SoundBeside:
    """The sound of a file of its own, packet by packet, as one more stream of a result.

    Args:
        path: of a WAV.
        result: container that is written.

    Raises:
        UndecodableError: it cannot be read.
    """

    def __init__(self, path: Path, result: OutputContainer) -> None:
        self._stack = ExitStack()
        self._source = self._stack.enter_context(open_film(path))
        self._sound = self._source.streams.audio[0]
        self.stream = result.add_stream_from_template(self._sound, opaque=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def packets(self) -> Iterator[AudioPacket]:
        """Yield packets in the order of their times, from the film's beginning."""
        for packet in self._source.demux(self._sound):
            if packet.size:
                packet.stream = self.stream
                yield packet


class SoundConverter:
    """Packets of a sound stream, decoded and written as PCM.

    Samples follow each other without rounding; a pause in the source stays one.

    Args:
        target: stream of `add_pcm`.
    """

    def __init__(self, target: AudioStream) -> None:
        self.damaged = 0
        self._target = target
        self._rate = int(target.codec_context.sample_rate)
        self._resampler: av.AudioResampler | None = None
        self._next: int | None = None

    def packets(self, packet: AudioPacket) -> Iterator[AnyPacket]:
        """Yield the samples of one packet of the source; an empty one ends the stream."""
        frames, is_damaged = decode_packet(packet)
        self.damaged += is_damaged
        for frame in frames:
            # Also when the sound changes inside the film, the result's stays what it is.
            for part in self._same_kind(frame):
                part.pts, part.time_base = self._place(frame, part.samples), Fraction(1, self._rate)
                yield from self._target.encode(part)
        if not packet.size:
            yield from self._target.encode(None)

    def _same_kind(self, frame: av.AudioFrame) -> list[av.AudioFrame]:
        wanted = self._target.codec_context
        is_same = (frame.format.name, frame.sample_rate) == (wanted.format.name, self._rate)
        if is_same and len(frame.layout.channels) == len(wanted.layout.channels):
            frame_layout = frame.layout.name
            if frame_layout == wanted.layout.name or frame_layout.endswith("channels"):
                return [frame]
        if self._resampler is None:
            self._resampler = av.AudioResampler(wanted.format, wanted.layout, self._rate)
        return list(self._resampler.resample(frame))

    def _place(self, frame: av.AudioFrame, count: int) -> int:
        """Number of the first sample, counted from time 0."""
        place = self._next
        if frame.pts is not None:
            said = round(frame.pts * unit(frame) * self._rate)
            if place is None or said - place > _PAUSE * self._rate:
                place = said
        place = place or 0
        self._next = place + count
        return place
