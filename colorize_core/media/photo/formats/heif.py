"""HEIF and HEIC: through libheif, if it is installed.

The wheel of pillow-heif brings the encoder x265, which is under the GPL: so it is an extra.
"""

from __future__ import annotations

import numpy as np

from colorize_core.errors import UnsupportedError
from colorize_core.media.photo.formats.base import Decoded, check_pixels, split_alpha
from colorize_core.media.photo.formats.boxes import boxes
from colorize_core.media.photo.photo import EXIF_PREFIX, PhotoMetadata
from colorize_core.media.photo.raster import Raster


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`. Pictures of more than 8 bits come as 16."""
    try:
        import pillow_heif
    except ImportError as error:
        raise UnsupportedError(
            "HEIC is read with the extra `heif` only",
            remedy="pip install 'colorize-archive[heif]', or convert it to JPEG or PNG",
        ) from error
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False)
    width, height = file.size
    check_pixels(width, height, max_pixels, len(data))
    info = file.info
    exif, packet = info.get("exif"), info.get("xmp")
    # libheif has turned the picture upright already, and the EXIF says so.
    metadata = PhotoMetadata(
        exif=exif.removeprefix(EXIF_PREFIX) if exif else None,
        xmp=packet or None,
        icc=info.get("icc_profile") or None,
    )
    samples, alpha = split_alpha(np.array(file))
    more = len(file) - 1
    notes = (f"{more} more pictures in the file are left out",) if more else ()
    warnings: tuple[str, ...] = ()
    if any(part.kind == b"mpvd" for part in boxes(data)):
        warnings = ("the film behind the picture is not kept",)
    return Decoded(
        (Raster(samples, alpha, metadata.icc),),
        metadata,
        lossless=False,
        warnings=warnings,
        notes=notes,
    )
