"""What programs hand over as a picture, as integer pixels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_core.color.pixels import Pixels
from colorize_core.config import ColorizeConfig
from colorize_core.errors import UnsupportedError, UsageError
from colorize_core.media.photo.codec import decode_photo

# The path of a photo, a PIL image, or an array (H, W), (H, W, 1) or (H, W, 3) of uint8, uint16 or
# floats in 0..1.
AnyPicture = str | os.PathLike[str] | NDArray[Any] | Any
_AS_THEY_ARE = ("L", "RGB", "I;16")
_TURNED_TO_RGB = ("1", "P", "CMYK", "YCbCr")


def as_pixels(picture: AnyPicture) -> Pixels:
    """Integer pixels of what a program hands over; floats become 16 bits.

    Args:
        picture: see AnyPicture; sRGB-encoded. Of a file, the first page.

    Returns:
        (H, W) or (H, W, 3), uint8 or uint16.

    Raises:
        UnsupportedError: another kind, shape or range.
        InputError: the file cannot be read as a photo.
        UsageError: there is no such file.
    """
    if isinstance(picture, str | os.PathLike):
        return _of_file(Path(picture))
    return _of_array(_of_pil(picture) if hasattr(picture, "convert") else picture)


def like_given(rgb: Pixels, picture: AnyPicture) -> NDArray[Any]:
    """Bring a result to the kind of its input: floats in 0..1 where floats were given."""
    dtype = getattr(picture, "dtype", rgb.dtype)
    return (rgb / np.float32(65535)).astype(dtype) if np.issubdtype(dtype, np.floating) else rgb


def _of_file(path: Path) -> Pixels:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="give the path of a photo") from error
    limit = ColorizeConfig().photo.max_pixels
    pixels: Pixels = decode_photo(data, name=path.name, max_pixels=limit).pages[0].pixels
    return pixels


def _of_pil(image: Any) -> NDArray[Any]:
    if image.mode in _TURNED_TO_RGB:
        image = image.convert("RGB")
    if image.mode not in _AS_THEY_ARE:
        raise UnsupportedError(
            f"a PIL image of mode {image.mode}",
            remedy='convert("L") or convert("RGB") it first; transparency has no color',
        )
    return np.asarray(image)


def _of_array(array: Any) -> Pixels:
    shape, dtype = getattr(array, "shape", None), getattr(array, "dtype", None)
    if shape is None or not isinstance(dtype, np.dtype):
        raise UnsupportedError(
            f"a picture of type {type(array).__name__}",
            remedy="give a path, a PIL image or a numpy array",
        )
    if len(shape) == 3 and shape[2] == 1:
        array = array[..., 0]
    fits = len(array.shape) == 2 or (len(array.shape) == 3 and array.shape[2] == 3)
    if not fits or 0 in shape or not _is_known(dtype):
        raise UnsupportedError(
            f"a picture of shape {shape} and dtype {dtype}",
            remedy="give (H, W), (H, W, 1) or (H, W, 3) of uint8, uint16 or floats in 0..1",
        )
    return _integers(array) if np.issubdtype(dtype, np.floating) else array


def _is_known(dtype: np.dtype[Any]) -> bool:
    return dtype in (np.uint8, np.uint16) or np.issubdtype(dtype, np.floating)


def _integers(array: NDArray[Any]) -> NDArray[np.uint16]:
    low, high = float(array.min()), float(array.max())
    if not 0 <= low <= high <= 1:  # also where there is a NaN
        raise UnsupportedError(
            f"floats from {low:g} to {high:g}", remedy="scale them to 0..1, or give uint8 or uint16"
        )
    return (array * 65535).round().astype(np.uint16)
