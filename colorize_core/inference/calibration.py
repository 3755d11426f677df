"""Pictures that an 8-bit generator is calibrated on."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.archive.source.contents import MAX_FILE_BYTES, read_item
from colorize_core.archive.source.item import SourceItem
from colorize_core.color.letterbox import Letterbox, padded
from colorize_core.color.pixels import pixels_to_L
from colorize_core.errors import InputError
from colorize_core.media.photo.codec import decode_photo

log = logging.getLogger(__name__)

_MAX_PIXELS: Final = 250_000_000
_SIZE: Final = 256  # working size
_PHOTOS: Final = 32


def calibration_pictures(photos: Sequence[SourceItem]) -> Iterator[NDArray[np.float32]]:
    """L [1,1,256,256], 0..100, of at most 32 photos from all over the list.

    What cannot be read is left out with a warning.
    """
    every = max(1, len(photos) // _PHOTOS)
    for item in photos[::every][:_PHOTOS]:
        try:
            data = read_item(item, max_bytes=MAX_FILE_BYTES)
            pixels = decode_photo(data, name=item.path, max_pixels=_MAX_PIXELS).pages[0].pixels
        except InputError as error:
            log.warning("%s: left out: %s", item.path, error)
            continue
        L = pixels_to_L(pixels)
        low = Letterbox.of_picture(L, _SIZE).shrink(L)
        yield padded(low[..., :_SIZE, :_SIZE], (_SIZE, _SIZE)).numpy()
