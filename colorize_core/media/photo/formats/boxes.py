"""Boxes, the structure that JPEG 2000 and JPEG XL share. Source: ISO/IEC 14496-12, 4.2."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MOST_BOXES: Final = 4096


@dataclass(frozen=True)
class Box:
    """One box: type, where it begins, where its body begins and ends."""

    kind: bytes
    begin: int
    start: int
    end: int

    def body(self, data: bytes) -> bytes:
        """The bytes inside."""
        return data[self.start : self.end]


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes between two positions, up to the first that makes no sense; the last may be cut."""
    end = len(data) if end is None else min(end, len(data))
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and start + 16 <= end:
            size, head = struct.unpack_from(">Q", data, start + 8)[0], 16
        elif size == 0:
            size = end - start
        if size < head:
            return
        yield Box(kind, start, start + head, min(start + size, end))
        start += size


def box(kind: bytes, body: bytes) -> bytes:
    """One box, written."""
    return struct.pack(">I4s", len(body) + 8, kind) + body
