"""Suffixes of photos, and the names that their results get: the one name rule.

The content decides, never the suffix. A result keeps the name of its source where its format can
hold it; where the format changes, the true suffix is added. Names that version 0.1.0 gave stay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from colorize_core.media.picture.sniff import (
    TGA_SUFFIXES,
    Format,
    is_animated_gif,
    is_deep_heif,
    kind_of,
)

# Of each written format; the first is the one that is added.
_SUFFIXES: Final[dict[Format, tuple[str, ...]]] = {
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "png": (".png", ".apng"),
    "tiff": (".tif", ".tiff"),
    "webp": (".webp",),
    "bmp": (".bmp",),
    "jp2": (".jp2", ".jpx", ".jpf"),
}
_TO_PNG = frozenset({".gif", ".pbm", ".pgm", ".ppm", ".pnm"})
_OF_0_1 = _TO_PNG | frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".webp", ".bmp"}
)
_READ_BY_0_1: Final = frozenset({"jpeg", "png", "tiff", "webp", "bmp", "pnm", "gif"})
_BY_SUFFIX: Final[dict[str, Format]] = {
    **{suffix: kind for kind, suffixes in _SUFFIXES.items() for suffix in suffixes},
    **dict.fromkeys((".heic", ".heif", ".hif", ".heics", ".heifs"), "heif"),
    **dict.fromkeys((".avif", ".avifs"), "avif"),
    **dict.fromkeys((".j2k", ".j2c", ".jpc"), "jp2"),
    **dict.fromkeys((".psd", ".psb"), "psd"),
    **dict.fromkeys(TGA_SUFFIXES, "tga"),
    **{".jxl": "jxl", ".pcx": "pcx", ".dpx": "dpx", ".pdf": "pdf", ".mpo": "jpeg", ".gif": "gif"},
    **dict.fromkeys((".pbm", ".pgm", ".ppm", ".pnm"), "pnm"),
}
# Other results are shown on the page of a run by a picture made of them.
SHOWN_BY_BROWSERS: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".gif", ".bmp", ".avif"}
)
PHOTO_SUFFIXES: Final = frozenset(_BY_SUFFIX)


def output_path(path: str, head: Callable[[], bytes] = bytes) -> str:
    """Where the photo at the relative POSIX `path` goes: same path, or one suffix more.

    Args:
        path: of the item.
        head: gives the first `HEAD_BYTES` of its file; without them, the suffix is believed.
    """
    suffix = _suffix(path)
    start = head()
    kind = kind_of(path, start) or _BY_SUFFIX.get(suffix)
    if kind is None:
        return path
    if _named_by_0_1(suffix, kind, start):
        return f"{path}.png" if suffix in _TO_PNG else path
    known = _SUFFIXES[written_format(path, kind, start)]
    return path if suffix in known else path + known[0]


def _suffix(path: str) -> str:
    """As PurePosixPath's, lower case, which takes ten times as long."""
    name = path.rpartition("/")[2]
    at = name.rfind(".")
    return name[at:].lower() if 0 < at < len(name) - 1 else ""


def written_format(path: str, kind: Format, head: bytes) -> Format:
    """Format of the result of a photo of this kind at `path`.

    What holds an animation becomes WebP, what has pages TIFF, photos of telephones JPEG, all else
    that is not written itself PNG.
    """
    if kind == "gif" and is_animated_gif(head):
        return "webp"
    if kind == "heif":
        return "png" if is_deep_heif(head) else "jpeg"
    if kind in ("psd", "pdf"):
        return "tiff"
    if kind not in _SUFFIXES:
        return "png"
    # In 0.1.0 the suffix decided here. A TIFF stays TIFF, because PNG has no pages.
    is_old = _named_by_0_1(_suffix(path), kind, head)
    to_png = is_old and _suffix(path) in _TO_PNG and kind != "tiff"
    return "png" if to_png else kind


def _named_by_0_1(suffix: str, kind: Format, head: bytes) -> bool:
    """Whether version 0.1.0 read such a file, so that its result has a name already."""
    is_new = kind == "gif" and is_animated_gif(head)
    return suffix in _OF_0_1 and kind in _READ_BY_0_1 and not is_new
