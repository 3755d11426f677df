"""A film as a folder of numbered pictures."""

from __future__ import annotations

import csv
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import tifffile

from colorize_core.atomic import publish_folder
from colorize_core.errors import VerifyError
from colorize_core.media.film.display_rgb import to_display_rgb
from colorize_core.media.film.film import FilmProbe

_AFTER_HEADER = 33  # signature and IHDR
_HDR = {"pq": "the curve PQ", "hlg": "the curve HLG"}
TIMES_NAME = "times.csv"


@dataclass(frozen=True)
class FramesResult:
    """What was published: pictures, `size` bytes in all. `lost` is what pictures cannot hold."""

    frames: int
    size: int
    lost: tuple[str, ...]


def export_frames(
    probe: FilmProbe,
    segments: Sequence[Path],
    folder: Path,
    note: str,
    *,
    as_tiff: bool = False,
) -> FramesResult:
    """Write the frames of finished segments as pictures, upright, and a table of their times.

    8-bit films give 8-bit pictures, deeper ones 16-bit. The folder appears whole or not at all.

    Args:
        probe: of the source.
        segments: lossless files of SegmentEncoder in order, together all frames of the film.
        folder: final path; what it held before is replaced.
        note: put into each picture; says that the color is computed.
        as_tiff: TIFF with Deflate instead of PNG.

    Raises:
        VerifyError: the segments do not hold exactly the film's frames.
    """
    pixel_format = "bgr24" if probe.planar.depth == 8 else "bgr48le"
    digits = max(6, len(str(probe.frames)))
    suffix, write = (".tif", _write_tiff) if as_tiff else (".png", _write_png)
    names = [f"{index:0{digits}d}{suffix}" for index in range(1, probe.frames + 1)]
    count = 0
    with publish_folder(folder) as temporary:
        for frame in _decode(segments):
            picture = to_display_rgb(frame, probe, pixel_format, interpolation="BICUBIC")
            if count < len(names):
                write(temporary / names[count], picture, note)
            count += 1
        if count != probe.frames:
            raise VerifyError(f"the segments hold {count} frames, the film {probe.frames}")
        _write_times(temporary / TIMES_NAME, probe, names)
        size = sum(path.stat().st_size for path in temporary.iterdir())
    return FramesResult(count, size, lost_in_frames(probe))


def _decode(segments: Sequence[Path]) -> Iterator[av.VideoFrame]:
    for segment in segments:
        with av.open(str(segment)) as container:
            yield from container.decode(container.streams.video[0])


def _write_png(path: Path, picture: np.ndarray[Any, Any], note: str) -> None:
    ok, data = cv2.imencode(".png", picture)
    if not ok:
        raise VerifyError(f"{path.name}: a picture of shape {picture.shape} did not encode")
    png = data.tobytes()
    path.write_bytes(png[:_AFTER_HEADER] + _comment(note) + png[_AFTER_HEADER:])


def _write_tiff(path: Path, picture: np.ndarray[Any, Any], note: str) -> None:
    rgb = np.ascontiguousarray(picture[..., ::-1])
    tifffile.imwrite(path, rgb, photometric="rgb", compression="zlib", description=note.encode())


def _comment(text: str) -> bytes:
    """A PNG chunk iTXt, neither packed nor of a language."""
    content = b"iTXt" + b"Comment" + bytes(5) + text.encode()
    return struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content))


def _write_times(path: Path, probe: FilmProbe, names: Sequence[str]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "seconds"))
        for name, pts in zip(names, probe.pts.tolist(), strict=True):
            table.writerow((name, f"{float(pts * probe.time_base):.6f}"))


def lost_in_frames(probe: FilmProbe) -> tuple[str, ...]:
    """What of a film a folder of pictures cannot hold."""
    lost = [
        f"{stream.kind} stream {stream.index} ({stream.codec or stream.name or 'unknown'})"
        for stream in probe.streams
        if stream.index != probe.video_index and not stream.is_redundant
    ]
    lost += [f"{_HDR[probe.transfer]} is not marked in pictures"] if probe.transfer in _HDR else []
    lost += list(probe.hdr)
    if probe.chapters:
        lost.append("chapters")
    if probe.sample_aspect != 1:
        lost.append(f"the pixels' shape {probe.sample_aspect}")
    return tuple(lost)
