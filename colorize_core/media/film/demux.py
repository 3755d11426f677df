"""Opening films with FFmpeg: containers, their main stream, and packets that may be damaged."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from colorize_core.errors import MissingError, UndecodableError, UnsupportedError
from colorize_core.media.film.image_sequence import frame_pattern


@contextlib.contextmanager
def open_film(path: Path, rate: Fraction | None = None) -> Iterator[Any]:
    """Open a container, or a folder of numbered pictures, for reading.

    Args:
        path: file or folder.
        rate: frames per second; used for a folder only, and needed there.

    Raises:
        MissingError: there is no such file.
        UndecodableError: FFmpeg finds no film in it.
        UnsupportedError: the order of a folder's pictures is not that of their names.
    """
    if not path.exists():
        raise MissingError(f"{path}: no such file", remedy="was it moved during the run?")
    is_folder = path.is_dir()
    name = frame_pattern(path) if is_folder else str(path)
    options = {"pattern_type": "glob", "framerate": str(rate)} if is_folder else {}
    try:
        container = av.open(
            name,
            format="image2" if is_folder else None,
            options=options,
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError) as error:
        raise UndecodableError(
            f"{path.name}: not a readable film: {short_error(error)}",
            remedy="try to play it; a file cut off before its index needs repair",
        ) from error
    with container:
        yield container


def main_video(container: InputContainer, path: Path) -> Any:
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


def decode_packet(packet: Any) -> tuple[list[Any], bool]:
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


def is_attached_picture(stream: Any) -> bool:
    """Tell a cover from a film."""
    return bool(stream.disposition & type(stream.disposition).attached_pic)


def short_error(error: BaseException) -> str:
    """One line that says what FFmpeg says."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:200]
