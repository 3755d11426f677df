"""Films that lie in pieces: reading them as one, and whether they are one.

A list of the pieces stands for the film, as FFmpeg's concat demuxer takes it. Streams that are cut
anywhere (MPEG program and transport streams) are read byte by byte behind each other; of files with
an index of their own, each continues where the pictures of the one before end.
"""

from __future__ import annotations

import io
import itertools
import os
import re
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Final

import av
from av.container import InputContainer
from av.stream import Stream

from colorize_core.media.film.pyav import unit

LIST_SUFFIX: Final = ".ffconcat"
_FILE: Final = re.compile(r"^file 'file:(.*)'$")
_CUT_ANYWHERE: Final = {"mpeg", "mpegts"}
_BORDER_BYTES: Final = 8 << 20  # read on each side of a border
_GAP_SECONDS: Final = 1.0  # of a clock that goes on over a border
_CLOCK_SECONDS: Final = 5.0  # by which what cameras write about their start is off
_CREATED: Final = "creation_time"


def is_list(path: Path) -> bool:
    """Whether a path stands for a film in pieces."""
    return path.suffix == LIST_SUFFIX


def pieces_of(path: Path) -> tuple[Path, ...]:
    """The files of a film, in order; of one in a single file, that file."""
    if not is_list(path):
        return (path,)
    # Not splitlines: it also splits at what a name may hold, such as U+2028.
    lines = path.read_bytes().decode(errors="surrogateescape").split("\n")
    names = [match[1] for line in lines if (match := _FILE.match(line))]
    return tuple(Path(name.replace(r"'\''", "'")) for name in names)


def open_pieces(path: Path) -> InputContainer:
    """Open a film in pieces as one container, with the tags of the first piece.

    Raises:
        av.FFmpegError, ValueError: see `av.open`.
    """
    files = pieces_of(path)
    with _open(files[0]) as first:
        is_cut_anywhere = first.format.name in _CUT_ANYWHERE
        tags = dict(first.metadata)
    if is_cut_anywhere:
        return av.open(JoinedFile(files), "r", metadata_errors="replace")
    options = {"safe": "0", "protocol_whitelist": "file"}
    container = av.open(io.BytesIO(_timed_list(files)), "r", format="concat", options=options)
    container.metadata.update(tags)
    return container


def container_name(container: InputContainer, path: Path) -> str:
    """FFmpeg's name of the container, of a film in pieces that of its first piece."""
    if container.format.name != "concat" or not is_list(path):
        return str(container.format.name)
    with _open(pieces_of(path)[0]) as first:
        return str(first.format.name)


def _open(path: Path) -> InputContainer:
    return av.open(str(path), "r", metadata_errors="replace")


def _timed_list(files: Sequence[Path]) -> bytes:
    lines = ["ffconcat version 1.0"]
    for file in files:
        quoted = str(file).replace("'", r"'\''")
        lines += [f"file 'file:{quoted}'", f"duration {round(_seconds(file) * 1_000_000)}us"]
    return "\n".join(lines).encode(errors="surrogateescape")


def _seconds(file: Path) -> Fraction:
    """How long the pictures of a piece are shown: what sound is longer by belongs to the next."""
    with _open(file) as container:
        stream = container.streams.video[0]
        if stream.duration:
            return Fraction(stream.duration * unit(stream))
        return Fraction(container.duration or 0, av.time_base)


class JoinedFile(io.RawIOBase):
    """Files behind each other as one, or parts of them.

    Args:
        files: in order.
        ranges: of each, from which byte to which; all of it by default.
    """

    def __init__(self, files: Sequence[Path], ranges: Sequence[tuple[int, int]] = ()) -> None:
        super().__init__()
        self.name = str(files[0])
        self._files = files
        self._ranges = ranges or [(0, file.stat().st_size) for file in files]
        self._ends = list(itertools.accumulate(stop - start for start, stop in self._ranges))
        self._position = 0
        self._opened: tuple[int, BinaryIO] | None = None

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The place of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a place; returns it."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._ends[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any, /) -> int:
        """Fill a buffer as far as the present file reaches; 0 at the end."""
        index = bisect_right(self._ends, self._position)
        if index == len(self._files):
            return 0
        left = self._ends[index] - self._position
        start = self._ranges[index][1] - left
        file = self._file(index)
        file.seek(start)
        data = file.read(min(len(buffer), left))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def close(self) -> None:
        """Close the file that is open."""
        if self._opened is not None:
            self._opened[1].close()
            self._opened = None
        super().close()

    def _file(self, index: int) -> BinaryIO:
        if self._opened is None or self._opened[0] != index:
            if self._opened is not None:
                self._opened[1].close()
            self._opened = (index, self._files[index].open("rb"))
        return self._opened[1]


def belong_together(files: Sequence[Path]) -> bool:
    """Whether files whose names follow each other are one film: same streams, and time goes on."""
    try:
        streams = [_streams(file) for file in files]
        return all(other == streams[0] for other in streams) and all(
            _goes_on(before, after) for before, after in itertools.pairwise(files)
        )
    except (av.FFmpegError, ValueError, IndexError, OSError, AttributeError, TypeError):
        # The last two: a stream says too little of itself to tell. Apart, nothing is lost.
        return False


def _streams(file: Path) -> list[tuple[Any, ...]]:
    """What pieces of one film have in common; subtitles may begin later."""
    with _open(file) as container:
        pictures = [
            (container.format.name, _codec(s), s.width, s.height) for s in container.streams.video
        ]
        sound = [
            (_codec(s), s.codec_context and s.codec_context.sample_rate)
            for s in container.streams.audio
        ]
    return [*pictures, *sound]


def _codec(stream: Stream) -> str | None:
    """None: there is no decoder for it."""
    context = stream.codec_context
    return None if context is None else str(context.codec.canonical_name)


def _goes_on(before: Path, after: Path) -> bool:
    with _open(before) as container:
        if container.format.name not in _CUT_ANYWHERE:
            return _is_created_behind(container, after)
    size = before.stat().st_size
    reach = min(_BORDER_BYTES, size, after.stat().st_size)
    border = JoinedFile([before, after], [(size - reach, size), (0, reach)])
    with av.open(border, "r") as container:
        stream = container.streams.video[0]
        gap = _GAP_SECONDS / unit(stream)
        clock = [p.dts for p in container.demux(stream) if p.dts is not None]
    steps = [later - earlier for earlier, later in itertools.pairwise(clock)]
    return bool(steps) and min(steps) >= 0 and max(steps) < gap


def _is_created_behind(container: InputContainer, after: Path) -> bool:
    """Whether a file may have been begun when `container` was full; also where nothing is said.

    Cameras write when the recording began into all pieces, or when the piece did.
    """
    with _open(after) as other:
        said = [c.metadata.get(_CREATED) for c in (container, other)]
    dates = [datetime.fromisoformat(text) for text in said if text is not None]
    if len(dates) < len(said):
        return True
    begun, then = dates
    apart = (then - begun).total_seconds()
    length = (container.duration or 0) / av.time_base
    return abs(apart) < _CLOCK_SECONDS or abs(apart - length) < _CLOCK_SECONDS
