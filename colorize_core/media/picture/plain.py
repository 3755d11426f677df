"""Writes plain pictures, without metadata."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core.atomic import publish_bytes

_JPEG_QUALITY = 92


def write_picture(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Publish a picture in the format of the path's suffix.

    Args:
        path: ends in .jpg, .png, .tif, .bmp or .webp.
        pixels: [H, W] gray or [H, W, 3] RGB; uint16 for .png and .tif only.
    """
    publish_bytes(path, encode_picture(path.suffix, pixels))


def encode_picture(
    suffix: str, pixels: NDArray[np.uint8] | NDArray[np.uint16], jpeg_quality: int = _JPEG_QUALITY
) -> bytes:
    """The file `write_picture` would write.

    Raises:
        ValueError: the format cannot hold such a picture.
    """
    stored = pixels if pixels.ndim == 2 else pixels[..., ::-1]  # OpenCV wants BGR
    options = [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality] if suffix == ".jpg" else []
    ok, data = cv2.imencode(suffix, np.ascontiguousarray(stored), options)
    if not ok:
        raise ValueError(f"OpenCV cannot write {pixels.dtype} as {suffix}")
    return data.tobytes()
