"""TIFF directories (IFDs) as raw bytes: the structure that EXIF blocks and TIFF files share.

Values are copied, never interpreted, so a tag of any type survives as it is. Source: TIFF 6.0
section 2 and the BigTIFF extension.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

_TYPE_SIZES = {
    **{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4},
    **{16: 8, 17: 8, 18: 8},
}
_MOST_ENTRIES = 4096
SHORT, LONG, LONG8 = 3, 4, 16

EXIF_IFD = 34665
GPS_IFD = 34853
INTEROP_IFD = 40965
SUBDIRECTORIES = frozenset({EXIF_IFD, GPS_IFD, INTEROP_IFD})


@dataclass(frozen=True)
class Flavor:
    """Byte order and offset width of a TIFF structure."""

    order: Literal["<", ">"]
    big: bool = False

    @property
    def offset_code(self) -> str:
        """`struct` code of an offset."""
        return self.order + ("Q" if self.big else "I")

    @property
    def offset_size(self) -> int:
        """Bytes of an offset, and of a value stored inside its entry."""
        return 8 if self.big else 4


@dataclass(frozen=True)
class Entry:
    """One directory entry: where its bytes and those of its value lie."""

    tag: int
    type: int
    count: int
    entry_position: int
    value_position: int
    size: int

    def raw(self, data: bytes | bytearray) -> bytes:
        """Value bytes in the byte order of the structure."""
        return bytes(data[self.value_position : self.value_position + self.size])


@dataclass(frozen=True)
class Directory:
    """A directory taken out of its file: (tag, type, count, raw value or nested directory)."""

    entries: tuple[tuple[int, int, int, bytes | Directory], ...]


def read_header(data: bytes | memoryview) -> tuple[Flavor, int]:
    """Return the flavor and the offset of the first directory.

    Raises:
        ValueError: `data` does not start like a TIFF structure.
    """
    orders: dict[bytes, Literal["<", ">"]] = {b"II": "<", b"MM": ">"}
    order = orders.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        raise ValueError("no TIFF header")
    magic = struct.unpack_from(order + "H", data, 2)[0]
    if magic == 42:
        return Flavor(order), struct.unpack_from(order + "I", data, 4)[0]
    if magic == 43 and len(data) >= 16:
        return Flavor(order, big=True), struct.unpack_from(order + "Q", data, 8)[0]
    raise ValueError(f"TIFF magic is {magic}, not 42 or 43")


def read_ifd(
    data: bytes | bytearray | memoryview, flavor: Flavor, offset: int
) -> tuple[dict[int, Entry], int]:
    """Return entries by tag, and the position of the pointer to the next directory.

    Entries of unknown type or whose value lies outside `data` are left out, as readers do.

    Raises:
        ValueError: the directory itself does not fit into `data`.
    """
    count_code, head, step = ("Q", 8, 20) if flavor.big else ("H", 2, 12)
    if not 0 < offset <= len(data) - head:
        raise ValueError(f"directory offset {offset} outside {len(data)} bytes")
    number = struct.unpack_from(flavor.order + count_code, data, offset)[0]
    end = offset + head + number * step
    if number > _MOST_ENTRIES or end > len(data):
        raise ValueError(f"directory of {number} entries does not fit")
    found: dict[int, Entry] = {}
    for position in range(offset + head, end, step):
        tag, kind = struct.unpack_from(flavor.order + "HH", data, position)
        count = struct.unpack_from(flavor.offset_code, data, position + 4)[0]
        size = _TYPE_SIZES.get(kind, 0) * count
        value = position + 4 + flavor.offset_size
        if size > flavor.offset_size:
            value = struct.unpack_from(flavor.offset_code, data, value)[0]
        if kind in _TYPE_SIZES and value + size <= len(data):
            found.setdefault(tag, Entry(tag, kind, count, position, value, size))
    return found, end


def directory_offsets(data: bytes, *, most: int) -> tuple[list[int], bool]:
    """Offsets of the chain of directories, and whether it ends as it should.

    Raises:
        ValueError: no TIFF header, a chain that bites its tail, or more than `most` directories.
    """
    flavor, offset = read_header(data)
    offsets: dict[int, None] = {}
    while offset:
        if offset in offsets or len(offsets) == most:
            raise ValueError(f"directory {len(offsets) + 1} repeats an earlier one, or is too much")
        try:
            _, position = read_ifd(data, flavor, offset)
        except ValueError:
            return list(offsets), False
        offsets[offset] = None
        if position + flavor.offset_size > len(data):
            return list(offsets), False
        offset = struct.unpack_from(flavor.offset_code, data, position)[0]
    return list(offsets), True


def read_integer(data: bytes, flavor: Flavor, entry: Entry) -> int | None:
    """First value of an integer entry, else None."""
    code = {1: "B", SHORT: "H", LONG: "I", 13: "I", LONG8: "Q", 18: "Q"}.get(entry.type)
    if code is None or entry.count < 1:
        return None
    value: int = struct.unpack_from(flavor.order + code, data, entry.value_position)[0]
    return value


def write_integer(data: bytearray | memoryview, flavor: Flavor, entry: Entry, value: int) -> None:
    """Overwrite the first value of an integer entry in place; other types are left alone."""
    code = {1: "B", SHORT: "H", LONG: "I", 13: "I", LONG8: "Q", 18: "Q"}.get(entry.type)
    if code is not None and entry.count >= 1:
        struct.pack_into(flavor.order + code, data, entry.value_position, value)


def take_directory(data: bytes, flavor: Flavor, offset: int, depth: int = 2) -> Directory:
    """Copy a directory with the EXIF, GPS and interoperability directories below it.

    Raises:
        ValueError: the directory at `offset` cannot be read; a broken one below it is left out.
    """
    taken: list[tuple[int, int, int, bytes | Directory]] = []
    for entry in read_ifd(data, flavor, offset)[0].values():
        if entry.tag not in SUBDIRECTORIES:
            taken.append((entry.tag, entry.type, entry.count, entry.raw(data)))
            continue
        below = read_integer(data, flavor, entry)
        if below is None or depth == 0:
            continue
        try:
            taken.append((entry.tag, LONG, 1, take_directory(data, flavor, below, depth - 1)))
        except ValueError:
            continue
    return Directory(tuple(sorted(taken, key=lambda item: item[0])))


def serialize(directory: Directory, flavor: Flavor, base: int) -> bytes:
    """Bytes of `directory` to stand at offset `base`, as the last one of its chain."""
    count_code, head, step = ("Q", 8, 20) if flavor.big else ("H", 2, 12)
    number = len(directory.entries)
    table = struct.pack(flavor.order + count_code, number)
    values = b""
    start = base + head + number * step + flavor.offset_size
    for tag, kind, count, value in directory.entries:
        if isinstance(value, Directory):
            kind = LONG8 if flavor.big else LONG
            block = serialize(value, flavor, start + len(values))
            field = struct.pack(flavor.offset_code, start + len(values))
        elif len(value) <= flavor.offset_size:
            block, field = b"", value.ljust(flavor.offset_size, b"\0")
        else:
            block, field = value, struct.pack(flavor.offset_code, start + len(values))
        values += block + b"\0" * (len(block) % 2)
        table += struct.pack(flavor.order + "HH", tag, kind)
        table += struct.pack(flavor.offset_code, count) + field
    return table + b"\0" * flavor.offset_size + values
