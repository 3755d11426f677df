"""Segments and joined films with a flat color, without a generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from colorize_core.config import VideoSettings
from colorize_core.media.film.container_choice import what_container_keeps
from colorize_core.media.film.encoder import SegmentEncoder
from colorize_core.media.film.encoder_choice import choose_encoding
from colorize_core.media.film.mux.join import JoinResult, join_segments
from colorize_core.media.film.names import output_name
from colorize_core.media.film.planes import with_chroma
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from colorize_core.media.film.segments import plan_segments

CB, CR = 100, 160


def write_segment(path, probe, start, stop, output, settings) -> None:
    encoding = choose_encoding(probe, settings)
    width, height = encoding.planar.chroma_size(probe.width, probe.height)
    shift = probe.planar.depth - 8
    cb = np.full((height, width), CB << shift, probe.planar.dtype)
    cr = np.full((height, width), CR << shift, probe.planar.dtype)
    with SegmentEncoder(output, probe, encoding, start) as encoder:
        for picture in read_frames(path, probe, start, stop):
            encoder.write(with_chroma(picture.frame, encoding.planar, cb, cr))


def color_film(path: Path, folder: Path, *, length: int = 17, **video) -> tuple[Path, JoinResult]:
    """Give a film a flat color; returns the result's path and what join said."""
    settings = VideoSettings(**{"preset": "ultrafast", **video})
    probe = probe_film(path, fps=settings.fps)
    folder.mkdir(exist_ok=True)
    segments = []
    for index, (start, stop) in enumerate(plan_segments(probe, length)):
        segments.append(folder / f"{index:03d}.nut")
        write_segment(path, probe, start, stop, segments[-1], settings)
    encoding = choose_encoding(probe, settings)
    choice = what_container_keeps(probe, settings.container, encoding.codec)
    output = folder / output_name(path.name, choice.container)
    result = join_segments(
        path,
        probe,
        segments,
        output,
        choice=choice,
        note="color is computed",
        with_sound=settings.sound,
    )
    return output, result
