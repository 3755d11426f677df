"""Which items stand for an archive: spread evenly over it, from every part of it first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from colorize_core.archive.source.item import SourceItem

T = TypeVar("T")


def spread(items: Sequence[T]) -> Iterator[T]:
    """All items, so that the first of them are evenly spread, however many are taken.

    The order is that of bit-reversed numbers (van der Corput): first, middle, quarters, eighths.
    """
    bits = max(0, len(items) - 1).bit_length()
    for number in range(1 << bits):
        place = int(f"{number:0{bits}b}"[::-1], 2) if bits else 0
        if place < len(items):
            yield items[place]


def sample_order(items: Sequence[SourceItem]) -> list[SourceItem]:
    """Photos spread over the archive; where there are none, films, the smallest first.

    A film takes hours where a photo takes a second, so films are no part of a sample of photos.
    """
    photos = [item for item in items if item.kind == "photo"]
    return list(spread(photos)) or sorted(items, key=lambda item: item.size)
