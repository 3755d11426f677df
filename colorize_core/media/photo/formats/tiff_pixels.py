"""Pixels of a TIFF page, as they are stored and as gray or color samples.

libtiff decodes, because the decoders that tifffile uses crash the process on some damaged LZW. What
libtiff does not know (JPEG 2000, JPEG XL) goes through tifffile.
"""

from __future__ import annotations

import numpy as np
import tifffile

from colorize_core.media.photo.exif import ORIENTATION
from colorize_core.media.photo.formats.tiff_segments import Pages, decode_past_damage
from colorize_core.media.photo.formats.tiff_tags import Remarks
from colorize_core.media.photo.raster import (
    Raster,
    Samples,
    to_full_range,
    unassociated,
    upright,
)

_WHITE_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 2, 3, 5, 6
_OLD_JPEG, _JPEG = 6, 7
_PHOTOMETRIC, _SEPARATE, _ICC = 262, 2, 34675
_ASSOCIATED_ALPHA = 1
# JPEG 2000 (Aperio's, and the registered one) and JPEG XL.
_NOT_IN_LIBTIFF = frozenset({33003, 33004, 33005, 34712, 50002, 52546})


def read_page(pages: Pages, page: tifffile.TiffPage, remarks: Remarks) -> Raster:
    """Decode a page to what color management takes.

    Raises:
        Exception: what the codecs raise on damaged data.
    """
    turn = orientation_of(page)
    photometric = int(page.photometric)
    by_libtiff = page.compression == _OLD_JPEG or (
        photometric == _YCBCR and page.compression != _JPEG
    )
    if by_libtiff:  # subsampled chroma outside JPEG is known to libtiff alone
        rgba = pages.decode(page, as_rgb=True)
        # libtiff has mirrored the picture for its orientation (not turned it): mirror it back.
        samples, alpha = upright(rgba[..., :3], (turn - 1) % 4 + 1), None
    else:
        samples, alpha = _split(page, stored_samples(pages, page, remarks), photometric, remarks)
    icc = page.tags.get(_ICC)
    profile = icc.value if icc is not None and isinstance(icc.value, bytes) else None
    return Raster(samples, alpha, profile, turn)


def orientation_of(page: tifffile.TiffPage) -> int:
    """Orientation 1..8 of a page, 1 where it says none."""
    tag = page.tags.get(ORIENTATION)
    value = tag.value if tag is not None else 1
    return int(value) if value in range(1, 9) else 1


def stored_samples(pages: Pages, page: tifffile.TiffPage, remarks: Remarks) -> Samples:
    """Samples as HxWxS at the bit depth of the file.

    Raises:
        Exception: what the codecs raise on damaged data.
    """
    if page.photometric == _CMYK:
        # libtiff turns CMYK into RGB without looking at the profile; called RGB, inks come through.
        pages.patch(page, _PHOTOMETRIC, 0, _RGB)
    if page.compression in _NOT_IN_LIBTIFF:
        stored = np.asarray(page.asarray(maxworkers=1))
    else:
        stored = decode_past_damage(pages, page, remarks)
    if page.planarconfig == _SEPARATE and page.samplesperpixel > 1:
        stored = np.moveaxis(stored, 0, -1)
    if stored.dtype == bool:
        stored = stored.astype(np.uint8)
    return stored.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)


def _split(
    page: tifffile.TiffPage, stored: Samples, photometric: int, remarks: Remarks
) -> tuple[Samples, Samples | None]:
    bits = int(page.bitspersample)
    if photometric == _PALETTE:
        return _through_palette(stored[..., 0], np.asarray(page.colormap)), None
    stored = to_full_range(stored, bits)
    channels = {_RGB: 3, _CMYK: 4, _YCBCR: 3}.get(photometric, 1)
    color = stored[..., 0] if channels == 1 else np.ascontiguousarray(stored[..., :channels])
    if photometric == _WHITE_IS_ZERO:
        color = np.iinfo(color.dtype).max - color
    if stored.shape[2] == channels:
        return color, None
    if stored.shape[2] > channels + 1:
        remarks.warnings.append("extra channels beyond the first were left out")
    alpha = np.ascontiguousarray(stored[..., channels])
    if page.extrasamples and page.extrasamples[0] == _ASSOCIATED_ALPHA:
        color = unassociated(color, alpha)
    return color, alpha


def _through_palette(indices: Samples, colormap: Samples) -> Samples:
    # Writers scale 8-bit colors by 257, by 256, or not at all.
    table = colormap if int(colormap.max()) < 256 else colormap >> 8
    picture = table.astype(np.uint8).T[indices]
    is_gray = bool((picture[..., :1] == picture).all())
    return np.ascontiguousarray(picture[..., 0] if is_gray else picture)
