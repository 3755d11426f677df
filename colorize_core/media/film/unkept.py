"""Qualities of a film's pictures that no result has: found in the source, to be listed."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.video.stream import VideoStream

from colorize_core.media.film.boxes import clean_aperture, picture_boxes
from colorize_core.media.film.ffmpeg_log import listening
from colorize_core.media.film.pieces import pieces_of

_DOLBY_VISION: Final = ("dvcC", "dvvC", "dvwC")
_MATROSKA_HEADER: Final = 1 << 16
_CLUSTER: Final = bytes.fromhex("1f43b675")
# What players take 4:2:0 for when nothing is said.
_USUAL_LOCATIONS = {"unspecified", "unknown", "left"}


def unkept_qualities(
    path: Path, container: str, stream: VideoStream, frame: av.VideoFrame
) -> tuple[str, ...]:
    """List in words what of the pictures goes nowhere.

    Args:
        path: of the film.
        container: FFmpeg's name of its demuxer.
        stream: of its pictures.
        frame: the first one, decoded.
    """
    found = []
    if container.startswith("mov,"):
        found += _says_dolby_vision_in(picture_boxes(path))
    if container == "matroska,webm" and _says_dolby_vision(path):
        found.append("the record of Dolby Vision")
    if stream.metadata.get("alpha_mode") == "1":
        found.append("transparency (a second layer of VP8 or VP9)")
    location = chroma_location(frame)
    if location not in _USUAL_LOCATIONS:
        found.append(f"where chroma samples lie ({location})")
    return tuple(found)


def aperture_box(path: Path, container: str, frame: av.VideoFrame) -> bytes:
    """Content of the box that says which part of the pictures is clean; b"" if it is all."""
    box = picture_boxes(path).get("clap", b"") if container.startswith("mov,") else b""
    size = clean_aperture(box)
    return b"" if size is None or size == (Fraction(frame.width), Fraction(frame.height)) else box


def _says_dolby_vision_in(boxes: dict[str, bytes]) -> list[str]:
    return ["the record of Dolby Vision"] * any(name in boxes for name in _DOLBY_VISION)


def _says_dolby_vision(path: Path) -> bool:
    with pieces_of(path)[0].open("rb") as file:
        header = file.read(_MATROSKA_HEADER).split(_CLUSTER)[0]
    return any(name.encode() in header for name in _DOLBY_VISION)


def chroma_location(frame: av.VideoFrame) -> str:
    """Where the chroma samples of a 4:2:0 frame lie, in FFmpeg's word; "unspecified" if unsaid.

    PyAV does not tell; FFmpeg's filter showinfo prints it.
    """
    if "420" not in frame.format.name:
        return "unspecified"
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
    )
    printer, sink = graph.add("showinfo", "checksum=0"), graph.add("buffersink")
    source.link_to(printer)
    printer.link_to(sink)
    graph.configure()
    with listening() as messages:
        graph.push(frame)
        graph.pull()
    said = re.search(r"\bcl:(\w+)", " ".join(message.text for message in messages))
    return said[1] if said else "unspecified"
