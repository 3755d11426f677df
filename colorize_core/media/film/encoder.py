"""Writing one segment of a film."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Self

import av
from av.video.stream import VideoStream

from colorize_core.errors import OutOfSpaceError, UnsupportedError
from colorize_core.media.film.encoder_choice import Encoding
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.pyav import AnyPacket, add_video, decoded_at, shown_at, video_context

_NVENC = {"h264_nvenc", "hevc_nvenc"}
_GLOBAL_HEADER = 1 << 22
# Frames before the first one, so that no decode time is negative: muxers would shift all times.
_LEAD = 16


@cache
def is_encoder_available(codec: str) -> bool:
    """Tell whether an encoder opens on this machine, by opening it once."""
    try:
        context = video_context(codec, "w")
        context.width, context.height, context.pix_fmt = 256, 256, "yuv420p"
        context.time_base = Fraction(1, 25)
        context.open()
    except (av.FFmpegError, ValueError):
        return False
    return True


class SegmentEncoder:
    """Writes frames into one segment file. Use it as a context manager.

    Frames are encoded at a constant rate, so that irregular times do not steer the quality; a
    packet's time is its frame's number in the film (see `frame_number`). The first frame is an IDR
    and groups of pictures are closed: segments of one film can be put behind each other.

    Args:
        output: the file; whatever its suffix, it is NUT (QuickTime for ProRes).
        probe: the source.
        encoding: of `choose_encoding`, the same for all segments of a film.
        start: number of the segment's first frame.

    Raises:
        UnsupportedError: the encoder does not open on this machine.
        OutOfSpaceError: the disk is full.
    """

    def __init__(self, output: Path, probe: FilmProbe, encoding: Encoding, start: int) -> None:
        if encoding.codec in _NVENC and not is_encoder_available(encoding.codec):
            raise UnsupportedError(
                f"the encoder {encoding.codec} does not open on this machine",
                remedy="use --codec libx264",
            )
        self._probe = probe
        self._path = output
        self._start = start
        self._written = 0
        self._copied = 0
        self._is_flushed = False
        self._container = av.open(
            str(output), "w", format="mov" if encoding.codec == "prores_ks" else "nut"
        )
        self._stream = self._add_stream(encoding)

    def write(self, frame: av.VideoFrame) -> None:
        """Encode the next frame, in the encoding's format."""
        frame.pts = self._written
        frame.time_base = 1 / self._probe.frame_rate
        # The source's picture types must not steer the encoder.
        frame.pict_type = 0 if self._written else 1
        self._written += 1
        self._mux(self._stream.encode(frame))

    def copy(self, packet: AnyPacket, place: int, depth: int) -> None:
        """Take over what this encoder made earlier.

        Args:
            packet: the next one in decode order.
            place: of its frame in the segment.
            depth: places by which its encoder lets decoding begin earlier.
        """
        packet.stream, packet.time_base = self._stream, 1 / self._probe.frame_rate
        packet.pts, packet.dts = place, self._copied - depth
        packet.duration = 1
        self._copied += 1
        self._mux([packet])

    def flush(self) -> None:
        """Encode what the encoder still holds back; no frame can follow."""
        if self._written and not self._is_flushed:
            self._is_flushed = True
            self._mux(self._stream.encode(None))

    def close(self) -> None:
        """Flush the encoder and finish the file."""
        self.flush()
        with writing(self._path):
            self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
            return
        with suppress(av.FFmpegError):
            # What it says adds nothing to the error that is on its way.
            self._container.close()

    def _add_stream(self, encoding: Encoding) -> VideoStream:
        probe = self._probe
        stream = add_video(self._container, encoding.codec, probe.frame_rate, encoding.options)
        stream.width, stream.height = probe.width, probe.height
        stream.pix_fmt = encoding.planar.name
        context = stream.codec_context
        context.time_base = 1 / probe.frame_rate
        context.sample_aspect_ratio = probe.sample_aspect
        context.thread_count = encoding.threads
        context.thread_type = "FRAME"
        context.flags |= _GLOBAL_HEADER
        color = probe.output_color
        context.color_range, context.colorspace = color.range, color.matrix
        context.color_primaries, context.color_trc = color.primaries, color.transfer
        if encoding.codec == "libsvtav1":
            os.environ.setdefault("SVT_LOG", "1")
        try:
            with writing(self._path):
                self._container.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            self._container.close()
            raise UnsupportedError(
                f"{encoding.codec} does not take {encoding.planar.name} of "
                f"{probe.width} x {probe.height}: {error}",
                remedy="use another --codec",
            ) from error
        return stream

    def _mux(self, packets: Iterable[AnyPacket]) -> None:
        for packet in packets:
            packet.pts = shown_at(packet) + self._start + _LEAD
            packet.dts = decoded_at(packet) + self._start + _LEAD
            with writing(self._path):
                self._container.mux(packet)


def frame_number(packet: AnyPacket, probe: FilmProbe) -> int:
    """Number in the film of the frame in a segment's packet."""
    position = shown_at(packet) * packet.time_base * probe.frame_rate
    return round(position) - _LEAD


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Name a full disk for what it is.

    Raises:
        OutOfSpaceError: the disk of `path` is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OutOfSpaceError(
            f"the disk of {path.parent} is full", remedy="make room, then run again"
        ) from error
