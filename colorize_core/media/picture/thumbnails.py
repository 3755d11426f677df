"""Small before/after pictures for the run's page, written while the pixels are at hand."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core.atomic import TEMP_PREFIX

LONG_SIDE: Final = 400
_JPEG_QUALITY: Final = 80


def thumbs_folder(out: Path) -> Path:
    """Where the thumbnails of a run live: inside the page's folder, so that it can be moved."""
    return out / "report" / "thumbs"


def write_pair(
    before: NDArray[np.uint8], after: NDArray[np.uint8], folder: Path, key: str
) -> dict[str, Any]:
    """Write two JPEGs of the same size, at most `LONG_SIDE` pixels long, never enlarged.

    They are not fsynced: four flushes per photo cost more than a thumbnail that a power cut takes.
    Both still appear whole under their names while the machine runs.

    Args:
        before: [H, W, 3] RGB or [H, W] gray, 0..255.
        after: [H, W, 3] RGB, 0..255; may have another size than `before`, of the same aspect.
        folder: see `thumbs_folder`; files go into 256 subfolders by the start of `key`.
        key: unique name of the item; letters, digits, '-' and '_' only.

    Returns:
        JSON values: "before" and "after" are paths relative to `folder`, "width" and "height" the
        size of both.

    Raises:
        ValueError: `key` could leave `folder`, or a picture is empty or not uint8.
    """
    if not key.replace("-", "").replace("_", "").isalnum() or not key.isascii():
        raise ValueError(f"thumbnail key {key!r}: letters, digits, '-' and '_' only")
    width, height = fit(after.shape[1], after.shape[0], LONG_SIDE)
    details: dict[str, Any] = {}
    for role, picture in (("before", before), ("after", after)):
        name = f"{key[:2]}/{key}-{role}.jpg"
        _write(folder / name, _encode(picture, width, height))
        details[role] = name
    return {**details, "width": width, "height": height}


def fit(width: int, height: int, long_side: int) -> tuple[int, int]:
    """Size with the same aspect whose long side is at most `long_side`; each side at least 1."""
    if width < 1 or height < 1:
        raise ValueError(f"a picture of {width} x {height} has no thumbnail")
    scale = min(1.0, long_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Resize by area averaging, [H, W] or [H, W, 3] uint8."""
    if picture.dtype != np.uint8 or picture.size == 0:
        raise ValueError(f"expected a filled uint8 picture, found {picture.dtype} {picture.shape}")
    if picture.shape[:2] == (height, width):
        return picture
    smaller = picture.shape[0] >= height and picture.shape[1] >= width
    mode = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(picture), (width, height), interpolation=mode)
    return np.asarray(resized, dtype=np.uint8)


def _encode(picture: NDArray[np.uint8], width: int, height: int) -> bytes:
    small = shrink(picture, width, height)
    if small.ndim == 3:
        small = np.ascontiguousarray(small[..., ::-1])  # OpenCV wants BGR
    ok, data = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    if not ok:
        raise ValueError(f"a picture of {width} x {height} did not encode as JPEG")
    return bytes(data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMP_PREFIX}{uuid.uuid4().hex}.jpg")
    temporary.write_bytes(data)
    temporary.replace(path)
