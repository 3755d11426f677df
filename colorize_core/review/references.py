"""Pictures in color that reviewers drop: checked, made plain, kept below OUT/references."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import Final

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.atomic import publish_bytes
from colorize_core.errors import UsageError
from colorize_core.inference.references import colored_pixels
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.photo.raster import to_uint8
from colorize_core.media.picture.plain import encode_picture
from colorize_core.media.picture.resize import fit, shrink

_MOST_PIXELS: Final = 100_000_000
_LONG_SIDE: Final = 2048  # what carries color is smaller by far


def store_reference(out: Path, data: bytes, name: str) -> str:
    """Keep a picture; returns its path relative to OUT.

    It is decoded and written anew, so nothing but its pixels is kept. The same picture twice is
    one file.

    Args:
        out: output folder.
        data: of a picture in any format that the project reads.
        name: as the user knows it; only letters and digits of it are used.

    Raises:
        InputError: it cannot be decoded, is too large, or gray.
        UsageError: OUT/references is a link or no folder.
    """
    folder = RunFolder(out).references
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is a link or no folder", remedy="remove it")
    found = decode_photo(data, name=name, max_pixels=_MOST_PIXELS).pages[0].pixels
    pixels = to_uint8(colored_pixels(found))
    plain = shrink(pixels, *fit(pixels.shape[1], pixels.shape[0], _LONG_SIDE))
    digest = hashlib.sha256(data).hexdigest()[:12]
    words = re.sub(r"[^A-Za-z0-9]+", "-", PurePosixPath(name).stem).strip("-")[:40]
    path = folder / f"{words or 'reference'}-{digest}.png"
    if not path.exists():
        publish_bytes(path, encode_picture(".png", plain))
    return f"{folder.name}/{path.name}"
