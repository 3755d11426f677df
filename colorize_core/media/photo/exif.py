"""What a picture says about itself, kept true once it is upright, sRGB and in color."""

from __future__ import annotations

import struct

from colorize_core.media.photo import ifd

ORIENTATION = 274
_EXIF_COLOR_SPACE = 0xA001
# Horizontal and vertical: size and resolution of the picture, then size and resolution in EXIF.
_PAIRS = ((256, 257), (282, 283), (0xA002, 0xA003), (0xA20E, 0xA20F))
_THUMBNAIL_OFFSET, _THUMBNAIL_BYTES = 513, 514
_SRGB = 1

# Photoshop image resources that describe the gray original: thumbnails, ICC profile and its
# untagged flag, EXIF and XMP copies. Source: Adobe Photoshop File Formats Specification, Image
# Resource IDs.
_STALE_RESOURCES = frozenset({1033, 1036, 1039, 1041, 1058, 1059, 1060})


def exif_orientation(exif: bytes | None) -> int:
    """EXIF orientation 1..8; 1 when absent or out of range.

    Raises:
        ValueError: the block cannot be parsed.
    """
    if exif is None:
        return 1
    flavor, offset = ifd.read_header(exif)
    entries, _ = ifd.read_ifd(exif, flavor, offset)
    entry = entries.get(ORIENTATION)
    value = ifd.read_integer(exif, flavor, entry) if entry else None
    return value if value is not None and 1 <= value <= 8 else 1


def normalized_exif(exif: bytes, *, swapped: bool) -> bytes:
    """The EXIF block of the upright sRGB picture.

    Values are patched in place and nothing moves, because maker notes hold offsets into the block.
    Orientation becomes 1, the color space sRGB, the thumbnail (a gray one) is unlinked and cut off
    where it ends the block.

    Args:
        exif: block without the `Exif` prefix of JPEG.
        swapped: width and height changed places.

    Raises:
        ValueError: the block cannot be parsed.
    """
    data = bytearray(exif)
    flavor, offset = ifd.read_header(exif)
    entries, next_position = ifd.read_ifd(exif, flavor, offset)
    if ORIENTATION in entries:
        ifd.write_integer(data, flavor, entries[ORIENTATION], 1)
    if swapped:
        _swap_pairs(data, entries)
    if ifd.EXIF_IFD in entries:
        _patch_exif_ifd(data, flavor, entries[ifd.EXIF_IFD], swapped)
    _unlink_thumbnail(data, flavor, next_position)
    return bytes(data)


def _patch_exif_ifd(data: bytearray, flavor: ifd.Flavor, pointer: ifd.Entry, swapped: bool) -> None:
    frozen = bytes(data)
    offset = ifd.read_integer(frozen, flavor, pointer)
    if offset is None:
        return
    try:
        entries, _ = ifd.read_ifd(frozen, flavor, offset)
    except ValueError:  # the rest of the block is still worth keeping
        return
    if _EXIF_COLOR_SPACE in entries:
        ifd.write_integer(data, flavor, entries[_EXIF_COLOR_SPACE], _SRGB)
    if swapped:
        _swap_pairs(data, entries)


def _swap_pairs(data: bytearray, entries: dict[int, ifd.Entry]) -> None:
    for tags in _PAIRS:
        across, down = (entries.get(tag) for tag in tags)
        if across and down and (across.type, across.size) == (down.type, down.size):
            values = across.raw(data), down.raw(data)
            data[across.value_position : across.value_position + across.size] = values[1]
            data[down.value_position : down.value_position + down.size] = values[0]


def _unlink_thumbnail(data: bytearray, flavor: ifd.Flavor, next_position: int) -> None:
    if next_position + flavor.offset_size > len(data):
        return
    offset = struct.unpack_from(flavor.offset_code, data, next_position)[0]
    struct.pack_into(flavor.offset_code, data, next_position, 0)
    if offset == 0:
        return
    frozen = bytes(data)
    try:
        entries, _ = ifd.read_ifd(frozen, flavor, offset)
    except ValueError:  # a broken second directory is unlinked all the same
        return
    start, size = entries.get(_THUMBNAIL_OFFSET), entries.get(_THUMBNAIL_BYTES)
    begin = ifd.read_integer(frozen, flavor, start) if start else None
    length = ifd.read_integer(frozen, flavor, size) if size else None
    if begin and length and begin + length == len(data) and begin > next_position:
        del data[begin:]


def patched_directory(
    directory: ifd.Directory, flavor: ifd.Flavor, *, swapped: bool
) -> ifd.Directory:
    """`normalized_exif` for an EXIF directory that moves into another TIFF file."""
    values = {tag: (kind, count, raw) for tag, kind, count, raw in directory.entries}
    if _EXIF_COLOR_SPACE in values:
        values[_EXIF_COLOR_SPACE] = (ifd.SHORT, 1, struct.pack(flavor.order + "H", _SRGB))
    for across, down in _PAIRS if swapped else ():
        if across in values and down in values:
            values[across], values[down] = values[down], values[across]
    return ifd.Directory(tuple((tag, *value) for tag, value in sorted(values.items())))


def clean_resources(resources: bytes) -> bytes | None:
    """Photoshop image resources that still hold for the output; None when none does.

    Raises:
        ValueError: the blocks do not parse.
    """
    kept = b""
    position = 0
    while position + 12 <= len(resources):
        if resources[position : position + 4] != b"8BIM":
            raise ValueError(f"no resource block at byte {position}")
        identifier = struct.unpack_from(">H", resources, position + 4)[0]
        name = resources[position + 6] + 1
        size_position = position + 6 + name + name % 2
        if size_position + 4 > len(resources):
            raise ValueError("resource block cut short")
        size = struct.unpack_from(">I", resources, size_position)[0]
        end = size_position + 4 + size
        if end > len(resources):
            raise ValueError("resource block cut short")
        if identifier not in _STALE_RESOURCES:
            kept += resources[position:end] + b"\0" * (size % 2)
        position = end + size % 2
    return kept or None
