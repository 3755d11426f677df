"""Opening films with FFmpeg: containers, their main stream, and packets that may be damaged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, overload

import av
from av.container import InputContainer
from av.stream import Stream
from av.subtitles.subtitle import Subtitle
from av.video.stream import VideoStream

from colorize_core.errors import MissingError, UndecodableError, UnsupportedError
from colorize_core.media.film.frame_files import concat_list, find_frames, read_dpx_times
from colorize_core.media.film.pieces import is_list, open_pieces
from colorize_core.media.film.pyav import AnyPacket, AudioPacket, SubtitlePacket, VideoPacket


@contextlib.contextmanager
def open_film(
    path: Path, rate: Fraction | None = None, *, first: int = 0
) -> Iterator[InputContainer]:
    """Open a container, a film in pieces, or a folder of numbered pictures, for reading.

    Args:
        path: file, list of pieces, or folder.
        rate: frames per second; used for a folder only, and needed there.
        first: of a folder whose container is called "concat": the frame to begin with, because it
            cannot be seeked in.

    Raises:
        MissingError: there is no such file.
        UndecodableError: FFmpeg finds no film in it.
        UnsupportedError: the order of a folder's pictures is not that of their names.
    """
    if not path.exists():
        raise MissingError(f"{path}: no such file", remedy="was it moved during the run?")
    try:
        container = (
            _open_folder(path, rate or Fraction(25), first) if path.is_dir() else _open(path)
        )
    except (av.FFmpegError, ValueError) as error:
        raise UndecodableError(
            f"{path.name}: not a readable film: {short_error(error)}",
            remedy="try to play it; a file cut off before its index needs repair",
        ) from error
    with container:
        yield container


def _open(path: Path) -> InputContainer:
    if is_list(path):
        return open_pieces(path)
    return av.open(str(path), "r", metadata_errors="replace")


def _open_folder(path: Path, rate: Fraction, first: int) -> InputContainer:
    frames = find_frames(path)
    if frames.pattern is not None:
        options = {"pattern_type": "glob", "framerate": str(rate)}
        container = av.open(frames.pattern, "r", format="image2", options=options)
    else:
        # The names are ours, not of a file that somebody sent.
        options = {"safe": "0", "protocol_whitelist": "file"}
        listed = concat_list(frames.files, rate, first)
        container = av.open(listed, "r", format="concat", options=options)
    time_code = read_dpx_times(frames.files[0]).time_code
    if time_code is not None:
        container.metadata["timecode"] = time_code
    return container


def main_video(container: InputContainer, path: Path) -> VideoStream:
    """Find the stream that is colored: the first that is not a cover picture.

    Raises:
        UnsupportedError: there is none, or no decoder for it.
    """
    for stream in container.streams.video:
        if is_attached_picture(stream):
            continue
        if stream.codec_context is None:
            raise UnsupportedError(f"{path.name}: no decoder for its pictures")
        # One thread: concealment of damage must not depend on timing.
        stream.codec_context.thread_count = 1
        return stream
    raise UnsupportedError(f"{path.name}: has no moving pictures", remedy="leave it out of SRC")


# What demuxing a damaged film raises: PyAV knows no streams that FFmpeg finds on the way.
DEMUX_ERRORS = (av.FFmpegError, IndexError)


def readable(packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
    """Packets up to where the rest cannot be read: the reader holds it, the probe has noted it."""
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except MemoryError:
            raise
        except DEMUX_ERRORS:
            return
        yield packet


@overload
def decode_packet(packet: VideoPacket) -> tuple[list[av.VideoFrame], bool]: ...
@overload
def decode_packet(packet: AudioPacket) -> tuple[list[av.AudioFrame], bool]: ...
@overload
def decode_packet(packet: SubtitlePacket) -> tuple[list[Subtitle], bool]: ...
def decode_packet(packet: AnyPacket) -> tuple[list[Any], bool]:
    """Decode one packet; damage gives no frames and True instead of an exception.

    Raises:
        MemoryError: no memory.
    """
    try:
        return list(packet.decode()), False
    except MemoryError:
        raise
    except av.FFmpegError:
        return [], True


def is_attached_picture(stream: Stream) -> bool:
    """Tell a cover from a film."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def short_error(error: BaseException) -> str:
    """One line that says what FFmpeg says."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:200]
