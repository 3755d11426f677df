"""Small before/after pictures for the run's page, written while the pixels are at hand."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.atomic import TEMP_PREFIX
from colorize_core.media.picture.pair import ThumbnailPair
from colorize_core.media.picture.plain import encode_picture
from colorize_core.media.picture.resize import fit, shrink

LONG_SIDE: Final = 400
LARGE_SIDE: Final = 1600
_JPEG_QUALITY: Final = 80


def write_pair(
    before: NDArray[np.uint8], after: NDArray[np.uint8], folder: Path, key: str
) -> ThumbnailPair:
    """Write two JPEGs of the same size, at most `LONG_SIDE` pixels long, never enlarged.

    They are not fsynced: four flushes per photo cost more than a thumbnail that a power cut takes.
    Both still appear whole under their names while the machine runs.

    Args:
        before: [H, W, 3] RGB or [H, W] gray, 0..255.
        after: [H, W, 3] RGB, 0..255; may have another size than `before`, of the same aspect.
        folder: of the run's thumbnails; files go into 256 subfolders by the start of `key`.
        key: unique name of the item; letters, digits, '-' and '_' only.

    Returns:
        Their paths relative to `folder`, and the size of both.

    Raises:
        ValueError: `key` could leave `folder`, or a picture is empty or not uint8.
    """
    if not key.replace("-", "").replace("_", "").isalnum() or not key.isascii():
        raise ValueError(f"thumbnail key {key!r}: letters, digits, '-' and '_' only")
    width, height = fit(after.shape[1], after.shape[0], LONG_SIDE)
    names = {role: f"{key[:2]}/{key}-{role}.jpg" for role in ("before", "after")}
    for role, picture in (("before", before), ("after", after)):
        small = shrink(picture, width, height)
        _write(folder / names[role], encode_picture(".jpg", small, _JPEG_QUALITY))
    return ThumbnailPair(**names, width=width, height=height)


def write_large(picture: NDArray[np.uint8], folder: Path, key: str, role: str) -> str:
    """Write a JPEG of at most `LARGE_SIDE` pixels, as `write_pair` does.

    Args:
        picture: [H, W, 3] RGB or [H, W] gray, 0..255.
        folder: of the run's thumbnails.
        key: as of the pair.
        role: "source" or "result".

    Returns:
        Its path relative to `folder`.
    """
    name = f"{key[:2]}/{key}-{role}.jpg"
    small = shrink(picture, *fit(picture.shape[1], picture.shape[0], LARGE_SIDE))
    _write(folder / name, encode_picture(".jpg", small, _JPEG_QUALITY))
    return name


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMP_PREFIX}{uuid.uuid4().hex}.jpg")
    temporary.write_bytes(data)
    temporary.replace(path)
