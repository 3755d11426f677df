"""Suffixes of films; known without loading av."""

from __future__ import annotations

# What counts as a film in a folder; anything libav opens is a film when it is named alone.
FILM_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3gp", "264", "avi", "dv", "flv", "h264", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4"),
        *("mpeg", "mpg", "mts", "mxf", "nut", "ogv", "ts", "vob", "webm", "wmv"),
    )
)

# What counts as a frame in a folder that is taken as a film.
FRAME_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".dpx", ".exr"})
