"""Pictures of a finished film for the run's page: a strip, one frame per shot, and a short clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.error
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from colorize_core.atomic import publish
from colorize_core.media.film.demux import decode_packet
from colorize_core.media.film.display_matrix import display_matrix, upright
from colorize_core.media.picture.pair import FilmThumbnails, PreviewClip, StripPair
from colorize_core.media.picture.resize import fit, shrink
from colorize_core.media.picture.thumbnails import LONG_SIDE, write_pair

STRIP_FRAMES: Final = 24
_CLIP_SECONDS: Final = 6.0
_CLIP_FRAMES: Final = 180
_PANEL: Final = 320  # long side of each half of the clip
_MAX_SKIPPED: Final = 1500  # frames decoded after a seek before a point is given up
_MOST_MOVED: Final = 0.05  # seconds
_TICKS: Final = 90_000


def write_film(
    source: Path, output: Path, folder: Path, key: str, *, shots: Sequence[float]
) -> FilmThumbnails | None:
    """Write thumbnails of a film's shots and a silent clip, before on the left, after on the right.

    Decodes at most one group of pictures per shown frame. Where a film is damaged, the next frame
    that decodes is shown; a point behind which nothing decodes is left out.

    Args:
        source: the film before; both keep their timestamps, so frames are paired by time.
        output: the film after.
        folder: as for `thumbnails.write_pair`.
        key: likewise.
        shots: seconds at which shots begin, rising. Thinned to `STRIP_FRAMES`; empty = one shot.

    Returns:
        Names relative to `folder`; the poster is a frame of the strip. None when no point decodes.

    Raises:
        av.error.FFmpegError: one of the films does not open.
    """
    strip = []
    # A raw stream does not say how long it is.
    middles = _middles(shots, _duration(source) or _duration(output))
    for number, seconds in enumerate(middles):
        before = next(_frames(source, seconds), None)
        after = next(_frames(output, before[0]), None) if before else None
        if before and after:
            pair = write_pair(before[1], after[1], folder, f"{key}-{number}")
            strip.append(StripPair(**vars(pair), time=round(before[0], 3)))
    if not strip:
        return None
    # The opening is often titles: the poster is from the middle of the strip.
    middle = strip[len(strip) // 2]
    start = max(0.0, middle.time - 1.0)
    clip = _write_clip(source, output, folder, key, start)
    return FilmThumbnails(
        middle.before, middle.after, middle.width, middle.height, tuple(strip), clip
    )


def _middles(shots: Sequence[float], duration: float) -> list[float]:
    starts = sorted({float(s) for s in shots if 0 < s < duration} | {0.0})
    ends = [*starts[1:], max(duration, starts[-1])]
    # A shot of a frame or two has no later frame than its first.
    middles = [
        (start + end) / 2 if end - start > 0.1 else start
        for start, end in zip(starts, ends, strict=True)
    ]
    if len(middles) <= STRIP_FRAMES:
        return middles
    picks = np.linspace(0, len(middles) - 1, STRIP_FRAMES).round().astype(int)
    return [middles[int(i)] for i in picks]


def _duration(path: Path) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if stream.duration and stream.time_base:
            return float(stream.duration * stream.time_base)
        return (container.duration or 0) / 1e6


def _frames(
    path: Path, start: float, *, seeks: bool = True
) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Frames from `start` seconds on: time, and an upright RGB picture with square pixels."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        base = stream.time_base or Fraction(1, _TICKS)
        if seeks:
            try:
                container.seek(max(0, int(start / base)), stream=stream, backward=True)
            except av.error.FFmpegError:
                # A raw stream, and a failed seek leaves nothing to read: again from its beginning.
                yield from _frames(path, start, seeks=False)
                return
        rate = float(stream.guessed_rate or 25)
        skipped = 0
        for number, frame in enumerate(_decoded(container, stream)):
            time = number / rate if frame.time is None and not seeks else frame.time
            if time is None or time < start - 1e-3:
                skipped += 1
                if skipped > _MAX_SKIPPED:
                    return
                continue
            yield time, _picture(frame, stream.sample_aspect_ratio)


def _decoded(container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
    """What decodes, also behind damage."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.error.FFmpegError:
            return
        if packet is None:
            return
        yield from decode_packet(packet)[0]


def _pairs(
    source: Path, output: Path, start: float
) -> Iterator[tuple[float, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Time in the output, before and after; where the source is damaged, its frame before that."""
    befores = _frames(source, start)
    upcoming = next(befores, None)
    before: NDArray[np.uint8] | None = None
    moved: float | None = None
    for time, after in _frames(output, start):
        if moved is None and upcoming is not None:
            # Muxers may move all times a little later, to keep early sound.
            later = time - upcoming[0]
            moved = later if 0 < later < _MOST_MOVED else 0.0
        while upcoming is not None and upcoming[0] + (moved or 0.0) <= time + 1e-3:
            before, upcoming = upcoming[1], next(befores, None)
        if before is not None:
            yield time, before, after


def _picture(frame: av.VideoFrame, aspect: Fraction | None) -> NDArray[np.uint8]:
    wide = max(1, round(frame.width * float(aspect or 1)))
    width, height = fit(wide, frame.height, LONG_SIDE)
    picture = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    return upright(picture.astype(np.uint8, copy=False), display_matrix(frame))


def _write_clip(source: Path, output: Path, folder: Path, key: str, start: float) -> PreviewClip:
    name = f"{key[:2]}/{key}-preview.mp4"
    seconds = -1.0
    with (
        publish(folder / name) as temporary,
        av.open(str(temporary), "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream: VideoStream | None = None
        for number, (time, before, after) in enumerate(_pairs(source, output, start)):
            if time > start + _CLIP_SECONDS or number == _CLIP_FRAMES:
                break
            if time - start <= seconds:
                continue  # H.264 in AVI repeats times; a muxer refuses them
            both = _side_by_side(before, after)
            if stream is None:
                stream = _clip_stream(container, both.shape[1], both.shape[0])
            frame = av.VideoFrame.from_ndarray(both, format="rgb24")
            frame.pts = round((time - start) * _TICKS)
            frame.time_base = Fraction(1, _TICKS)
            container.mux(stream.encode(frame))
            seconds = time - start
        if stream is not None:
            container.mux(stream.encode())
    return PreviewClip(name, round(max(0.0, seconds), 2))


def _clip_stream(container: OutputContainer, width: int, height: int) -> VideoStream:
    stream = container.add_stream("libx264", rate=30)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
    stream.codec_context.thread_count = 1
    stream.options = {"crf": "26", "preset": "veryfast"}
    return stream


def _side_by_side(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.uint8]:
    width, height = fit(after.shape[1], after.shape[0], _PANEL)
    width, height = width + width % 2, height + height % 2  # 4:2:0 wants even sides
    panels = [shrink(panel, width, height) for panel in (before, after)]
    return np.concatenate(panels, axis=1)
