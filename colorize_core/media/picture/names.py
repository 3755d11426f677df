"""Suffixes of photos, and the names that their results get: the one name rule."""

from __future__ import annotations

from pathlib import PurePosixPath

from colorize_core.media.picture.sniff import Format

PHOTO_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".gif"}
)
_TO_PNG = frozenset({".gif", ".pbm", ".pgm", ".ppm", ".pnm"})


def output_path(path: str) -> str:
    """Where the photo at the relative POSIX `path` goes: same path, or one suffix more."""
    return f"{path}.png" if _adds_png(path) else path


def written_format(path: str, kind: Format) -> Format:
    """Format of the result of a photo of this kind at `path`.

    The content decides, and what cannot hold the result becomes PNG. A TIFF stays TIFF, because
    PNG has no pages.
    """
    if kind in ("gif", "pnm") or (_adds_png(path) and kind != "tiff"):
        return "png"
    return kind


def _adds_png(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in _TO_PNG
