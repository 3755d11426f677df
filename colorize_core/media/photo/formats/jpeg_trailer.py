"""What follows the picture in a JPEG file: films of Motion Photos, further pictures (MPF).

Both stay byte for byte as they are, behind the new picture. A film is found from the end of the
file, so what XMP says of it stays true; further pictures are found by offsets, which are moved.
Sources: Motion Photo format 1.0; CIPA DC-007 (Multi-Picture Format).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace

from colorize_core.media.photo import ifd
from colorize_core.media.photo.formats.jpeg_segments import MULTI_PICTURE, picture_end
from colorize_core.media.photo.photo import PhotoMetadata

_ENTRIES, _ENTRY_BYTES = 0xB002, 16
_SEGMENT = b"\xff\xe2"
_PICTURE = b"\xff\xd8\xff"


def with_trailer(metadata: PhotoMetadata, data: bytes) -> tuple[PhotoMetadata, tuple[str, ...]]:
    """Add what follows the picture of a file to its metadata, and say what that is."""
    end = picture_end(data)
    trailer = data[end:] if end is not None else b""
    others = tuple(part for part in metadata.extra if not _is_index(part))
    index = next((part for part in metadata.extra if _is_index(part)), None)
    if not trailer.strip(b"\0"):
        return replace(metadata, extra=others), ()
    if b"ftyp" in trailer or b"MotionPhoto_Data" in trailer:
        said = "the film behind the picture is kept as it was"
    elif index is not None and _PICTURE in trailer:
        said = "the further pictures in the file are kept as they were"
    else:
        said = f"{len(trailer)} unknown bytes behind the picture were left out"
        return replace(metadata, extra=others), (said,)
    if index is None or end is None:
        return replace(metadata, extra=others, trailer=trailer), (said,)
    moved = _moved(index, data.find(index) + len(_SEGMENT) + 2 + len(MULTI_PICTURE) - end)
    return replace(metadata, extra=(moved, *others) if moved else others, trailer=trailer), (said,)


def finished(data: bytes, metadata: PhotoMetadata) -> bytes:
    """A written picture with what follows it."""
    if not metadata.trailer:
        return data
    for part in metadata.extra:
        if _is_index(part):
            base = data.find(part) + len(_SEGMENT) + 2 + len(MULTI_PICTURE)
            index = _moved(part, len(data) - base, first_size=len(data))
            data = data.replace(part, index or part, 1)
    return data + metadata.trailer


def _is_index(part: bytes) -> bool:
    return part.startswith(_SEGMENT) and part[4 : 4 + len(MULTI_PICTURE)] == MULTI_PICTURE


def _moved(part: bytes, by: int, first_size: int | None = None) -> bytes | None:
    """The index with all offsets but the first, which is 0, moved; None when it is damaged."""
    start = len(_SEGMENT) + 2 + len(MULTI_PICTURE)
    patched = bytearray(part)
    try:
        flavor, offset = ifd.read_header(part[start:])
        entry = ifd.read_ifd(part[start:], flavor, offset)[0][_ENTRIES]
    except (ValueError, LookupError):
        return None
    positions: Sequence[int] = range(
        start + entry.value_position, start + entry.value_position + entry.size - 15, _ENTRY_BYTES
    )
    for number, position in enumerate(positions):
        size, old = struct.unpack_from(flavor.order + "II", part, position + 4)
        if number == 0:
            size, old, by_here = first_size if first_size is not None else size, 0, 0
        else:
            by_here = by
        struct.pack_into(flavor.order + "II", patched, position + 4, size, (old + by_here) % 2**32)
    return bytes(patched)
