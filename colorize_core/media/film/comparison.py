"""A film before and after, side by side in one film: same times, same sound."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_core.atomic import publish
from colorize_core.errors import VerifyError
from colorize_core.media.film.container_choice import MUXERS
from colorize_core.media.film.demux import main_video, open_film
from colorize_core.media.film.display_rgb import SWS_MATRICES, to_display_rgb
from colorize_core.media.film.encoder import writing
from colorize_core.media.film.film import RANGE_LIMITED, FilmProbe
from colorize_core.media.film.mux.stream_copier import StreamCopier
from colorize_core.media.film.mux.streams import Target
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.pyav import decode_seconds
from colorize_core.media.film.reader import read_frames
from colorize_core.media.picture.side_by_side import DIVIDER, side_by_side

WIDEST: Final = 1920  # of both halves together
HIGHEST: Final = 1080
# Without B-frames no frame is decoded before its time, so that no muxer moves all times.
_OPTIONS: Final = {"crf": "20", "preset": "veryfast", "x264-params": "bframes=0"}


def compare_films(
    source: Path,
    output: Path,
    target: Path,
    note: str,
    *,
    fps: float,
    is_stopped: Callable[[], bool] = lambda: False,
) -> bool:
    """Publish a film with the source on the left and the result on the right, upright.

    Each frame is shown when the output shows it, and the output's sound is copied; where that is a
    folder of pictures, the source's count. Pictures are never enlarged; both together are at most
    1920 x 1080. Two frames are held at a time.

    Args:
        source: the film (or folder of frames) before.
        output: the film (or folder of frames) after.
        target: final path; the suffix chooses MP4, QuickTime or Matroska.
        note: put into the file's comment.
        fps: of folders of frames, as in VideoSettings.
        is_stopped: asked at every frame; with True nothing is published.

    Returns:
        Whether it was published.

    Raises:
        VerifyError: the two have different numbers of frames.
        OutOfSpaceError: the disk is full.
        InputError: one of them cannot be read.
    """
    before, after = (probe_film(path, fps=fps) for path in (source, output))
    if before.frames != after.frames:
        raise VerifyError(f"{before.frames} frames before, {after.frames} after")
    # Pictures in a folder have neither times nor sound: the source's count.
    timed, shown = (source, before) if output.is_dir() else (output, after)
    size = panel_size(*shown.display_size)
    try:
        with publish(target) as temporary, writing(target):
            pairs = _pairs(source, before, output, after, size, is_stopped)
            _write(temporary, timed, shown, pairs, size, note)
    except _StoppedError:
        return False
    return True


class _StoppedError(Exception):
    """The user wants to stop."""


def _pairs(
    source: Path,
    before: FilmProbe,
    output: Path,
    after: FilmProbe,
    size: tuple[int, int],
    is_stopped: Callable[[], bool],
) -> Iterator[NDArray[np.uint8]]:
    """Frames of both beside each other, [H, W, 3]."""
    pictures = read_frames(source, before, 0, before.frames)
    with open_film(output, after.frame_rate) as container:
        # Not as a source is read: of RGB, that would take the luma alone.
        frames = container.decode(main_video(container, output))
        for left, right in zip(pictures, frames, strict=True):
            if is_stopped():
                raise _StoppedError
            yield side_by_side(_rgb(left.frame, before, size), _rgb(right, after, size))


def panel_size(width: int, height: int) -> tuple[int, int]:
    """Size of one half for an upright film of square pixels: even sides, never enlarged."""
    scale = min(1.0, (WIDEST - DIVIDER) / 2 / width, HIGHEST / height)
    return max(2, int(width * scale) // 2 * 2), max(2, int(height * scale) // 2 * 2)


def _rgb(frame: av.VideoFrame, probe: FilmProbe, size: tuple[int, int]) -> NDArray[np.uint8]:
    """An upright picture of the panel's size, [H, W, 3]."""
    is_turned = round(probe.rotation / 90) % 2 == 1
    stored = size[::-1] if is_turned else size
    return to_display_rgb(frame, probe, size=stored, interpolation="AREA")


def _write(
    temporary: Path,
    timed: Path,
    probe: FilmProbe,
    pictures: Iterator[NDArray[np.uint8]],
    size: tuple[int, int],
    note: str,
) -> None:
    suffix = temporary.suffix.lower()
    kind = {".mkv": "mkv", ".mov": "mov", ".qt": "mov"}.get(suffix, "mp4")
    options = {} if kind == "mkv" else {"movie_timescale": str(probe.time_base.denominator)}
    with (
        open_film(timed, probe.frame_rate) as sound,
        av.open(str(temporary), "w", format=MUXERS[kind], options=options) as result,
    ):
        result.metadata["comment"] = note
        color = _add_color(result, probe, size)
        copied: dict[int, Target] = {}
        for stream in sound.streams.audio:
            new = result.add_stream_from_template(stream, opaque=True)
            copied[stream.index] = Target(new)
            new.time_base = stream.time_base
            new.metadata.update({k: v for k, v in stream.metadata.items() if k == "language"})
        copies = StreamCopier(sound, copied, kind)
        packets = [_encoded(color, probe, pictures), copies.packets()]
        for packet in heapq.merge(*packets, key=decode_seconds):
            result.mux_one(packet)


def _add_color(result: OutputContainer, probe: FilmProbe, size: tuple[int, int]) -> VideoStream:
    width, height = size
    stream = result.add_stream("libx264", rate=probe.frame_rate, options=_OPTIONS)
    stream.width, stream.height, stream.pix_fmt = 2 * width + DIVIDER, height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = probe.time_base
    context, tags = stream.codec_context, probe.output_color
    context.color_range, context.colorspace = RANGE_LIMITED, tags.matrix
    context.color_primaries, context.color_trc = tags.primaries, tags.transfer
    return stream


def _encoded(stream: Any, probe: FilmProbe, pictures: Iterator[NDArray[np.uint8]]) -> Iterator[Any]:
    for picture, pts in zip(pictures, probe.pts, strict=True):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace=SWS_MATRICES[probe.matrix],
            dst_color_range=RANGE_LIMITED,
        )
        frame.pts, frame.time_base = int(pts), probe.time_base
        yield from stream.encode(frame)
    yield from stream.encode(None)
