"""A photo before and after, side by side in one picture."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.media.photo.codec import encode_photo
from colorize_core.media.photo.photo import Page, Photo, PhotoMetadata
from colorize_core.media.photo.raster import Samples, to_uint8
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.media.picture.resize import fit, shrink
from colorize_core.media.picture.side_by_side import side_by_side

# A picture of 24 megapixels is shown in full; both halves fit into what JPEG can hold.
LONGEST_SIDE: Final = 6000
_JPEG_QUALITY: Final = 92


def panel_of(pixels: Samples) -> NDArray[np.uint8]:
    """A decoded page [H, W] or [H, W, 3] as RGB uint8, long side at most `LONGEST_SIDE`."""
    narrow = to_uint8(pixels)
    size = fit(narrow.shape[1], narrow.shape[0], LONGEST_SIDE)
    small = shrink(narrow, *size)
    return np.repeat(small[..., None], 3, axis=2) if small.ndim == 2 else small


def compare_photos(
    before: NDArray[np.uint8], after: NDArray[np.uint8], note: ComputedColorNote
) -> bytes:
    """Encode two panels of `panel_of`, before on the left, as one JPEG (quality 92, 4:4:4).

    Args:
        before: [H, W, 3].
        after: likewise, of the same size.
        note: says that the color is computed.

    Raises:
        ValueError: the sizes differ.
    """
    picture = side_by_side(before, after)
    like = Photo("jpeg", "jpeg", (Page(picture),), 8, PhotoMetadata(), lossless=False)
    return encode_photo([picture], like=like, jpeg_quality=_JPEG_QUALITY, note=note)
