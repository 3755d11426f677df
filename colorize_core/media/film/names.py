"""Suffixes of films, and the names that their results get; known without loading av."""

from __future__ import annotations

from pathlib import PurePosixPath

# What counts as a film in a folder; anything libav opens is a film when it is named alone.
FILM_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3gp", "264", "avi", "dv", "flv", "h264", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4"),
        *("mpeg", "mpg", "mts", "mxf", "nut", "ogv", "ts", "vob", "webm", "wmv"),
        *("asf", "divx", "f4v", "m1v", "m2t", "mod", "qt", "tod", "y4m", "dat"),
    )
)

# What counts as a frame in a folder that is taken as a film.
FRAME_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp", ".dpx", ".exr"})

# Of each container this project writes; the first is the one that is added.
_OUTPUT_SUFFIXES = {
    "mkv": (".mkv",),
    "mp4": (".mp4", ".m4v"),
    "mov": (".mov", ".qt"),
    "webm": (".webm",),
}


def output_name(path: str, container: str) -> str:
    """Keep the item's own relative path; where the format changes, the new suffix is added."""
    if PurePosixPath(path).suffix.lower() in _OUTPUT_SUFFIXES[container]:
        return path
    return f"{path}{_OUTPUT_SUFFIXES[container][0]}"


def frames_name(path: str) -> str:
    """Relative path of the folder that takes the frames of the film `path`."""
    return f"{path}.frames"


def pieces_name(path: str) -> str:
    """Relative path of the folder that takes a copy of the film `path` that lies in pieces."""
    return f"{path}.pieces"


def film_outputs(
    path: str, *, container: str, frames: str, is_folder: bool, in_pieces: bool
) -> tuple[str, ...]:
    """Every output that a film may get; which one it is, its content decides.

    Args:
        path: of the item.
        container: as in VideoSettings.
        frames: likewise.
        is_folder: the film is a folder of pictures.
        in_pieces: it lies in several files.
    """
    copy = frames_name(path) if is_folder else pieces_name(path) if in_pieces else path
    if frames != "none":
        return (copy,) if is_folder else (copy, frames_name(path))
    containers = _OUTPUT_SUFFIXES if container == "source" else (container,)
    return copy, *(output_name(path, name) for name in containers)
