"""A finished segment as a small film that browsers play."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

import av

from colorize_core.media.film.demux import main_video, open_film
from colorize_core.media.film.display_rgb import to_display_rgb
from colorize_core.media.film.encoder import writing
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.picture.resize import fit

_OPTIONS: Final = {"crf": "20", "preset": "veryfast"}
_TICK: Final = Fraction(1, 90_000)


def write_clip(segment: Path, probe: FilmProbe, start: int, target: Path, long_side: int) -> None:
    """Write frames of a segment upright, with square pixels and the film's times, without sound.

    Args:
        segment: file of SegmentEncoder.
        probe: of the film.
        start: number of the segment's first frame.
        target: MP4 with H.264.
        long_side: most pixels.

    Raises:
        UndecodableError: the segment is not readable.
        OutOfSpaceError: the disk is full.
    """
    width, height = (side // 2 * 2 for side in fit(*probe.display_size, long_side))
    is_turned = round(probe.rotation / 90) % 2 == 1
    size = (height, width) if is_turned else (width, height)
    first = probe.pts_of(start)
    with (
        open_film(segment) as container,
        writing(target),
        av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as result,
    ):
        stream = result.add_stream("libx264", rate=probe.frame_rate, options=_OPTIONS)
        stream.width, stream.height, stream.pix_fmt = max(2, width), max(2, height), "yuv420p"
        stream.time_base = stream.codec_context.time_base = _TICK
        stream.codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(main_video(container, segment))):
            rgb = to_display_rgb(frame, probe, size=size, interpolation="AREA")
            shown = av.VideoFrame.from_ndarray(rgb, format="rgb24")
            later = (probe.pts_of(start + number) - first) * probe.time_base
            shown.pts, shown.time_base = round(later / _TICK), _TICK
            result.mux(stream.encode(shown))
        result.mux(stream.encode(None))
