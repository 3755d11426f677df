"""Strips and tiles of TIFF pages: decoded by libtiff; missing and damaged ones are left out."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import imagecodecs
import numpy as np
import tifffile

from colorize_core.errors import UndecodableError
from colorize_core.media.photo import ifd
from colorize_core.media.photo.formats.jpeg_damage import examine
from colorize_core.media.photo.formats.tiff_tags import Remarks
from colorize_core.media.photo.raster import Samples

_NO_COMPRESSION, _JPEG, _CMYK = 1, 7, 5
_STRIP_COUNTS, _TILE_COUNTS = 279, 325
_MOST_TRIES: Final = 48  # to find damaged strips by halves


class Pages:
    """A file whose pages can be decoded one by one, in any order, each in its own time.

    libtiff finds a page by walking the chain from the start: with thousands of pages that is
    quadratic. So the header of a copy points to the page that is wanted.
    """

    def __init__(self, data: bytes) -> None:
        self._data = bytearray(data)
        self._flavor, _ = ifd.read_header(data)

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self._data)

    def decode(self, page: tifffile.TiffPage, *, as_rgb: bool = False) -> Samples:
        """Decode one page with libtiff.

        Raises:
            TiffError: damaged.
        """
        struct.pack_into(
            self._flavor.offset_code, self._data, 8 if self._flavor.big else 4, page.offset
        )
        return np.asarray(imagecodecs.tiff_decode(self._data, 0, asrgb=as_rgb))

    def patch(self, page: tifffile.TiffPage, tag: int, index: int, value: int) -> int | None:
        """Overwrite one of the values of an integer tag; the old one, None where it has none."""
        entry = ifd.read_ifd(self._data, self._flavor, page.offset)[0].get(tag)
        code = {3: "H", 4: "I", 16: "Q"}.get(entry.type) if entry is not None else None
        if entry is None or code is None or index >= entry.count:
            return None
        position = entry.value_position + index * struct.calcsize(code)
        old: int = struct.unpack_from(self._flavor.order + code, self._data, position)[0]
        struct.pack_into(self._flavor.order + code, self._data, position, value)
        return old

    def segment(self, offset: int, count: int) -> bytes:
        """Bytes of a strip or tile."""
        return bytes(self._data[offset : offset + count])

    def grow(self, size: int) -> None:
        """Make the file at least this long."""
        self._data += bytes(max(0, size - len(self._data)))


def decode_past_damage(pages: Pages, page: tifffile.TiffPage, remarks: Remarks) -> Samples:
    """Decode a page; what is missing or damaged of it is black, and said.

    Raises:
        TiffError: the damage cannot be narrowed down.
        UndecodableError: nothing of the page is there.
    """
    lost = _leave_out_absent(pages, page)
    if page.compression == _JPEG:
        _check_jpeg(pages, page, remarks)
    try:
        stored = pages.decode(page)
    except imagecodecs.TiffError:
        found = _find_damaged(pages, page)
        if found is None:
            raise
        stored, damaged = found
        lost += damaged
    number = len(page.dataoffsets)
    if lost >= number:
        raise UndecodableError("no picture data in a page", remedy="copy it again from its origin")
    if lost:
        percent = max(1, 100 * lost // number)
        remarks.damage.append(f"{percent} % of a page is missing or damaged, and black")
    return stored


def _counts_tag(page: tifffile.TiffPage) -> int:
    return _TILE_COUNTS if page.is_tiled else _STRIP_COUNTS


def _leave_out_absent(pages: Pages, page: tifffile.TiffPage) -> int:
    """Mark strips that lie outside the file as empty, which libtiff reads as black; how many."""
    lost = 0
    for index, (offset, count) in enumerate(
        zip(page.dataoffsets, page.databytecounts, strict=False)
    ):
        if count and offset + count <= pages.size:
            continue
        lost += 1
        is_partial = page.compression == _NO_COMPRESSION and offset < pages.size
        if is_partial and count <= page.imagewidth * page.imagelength * 2 * page.samplesperpixel:
            pages.grow(offset + count)
        else:
            pages.patch(page, _counts_tag(page), index, 0)
    return lost


def _find_damaged(pages: Pages, page: tifffile.TiffPage) -> tuple[Samples, int] | None:
    """Decode without the strips that cannot be decoded: the picture and their number."""
    tag = _counts_tag(page)
    kept = {
        index: count
        for index, count in enumerate(page.databytecounts)
        if pages.patch(page, tag, index, 0)
    }
    bad: list[int] = []
    queue: list[Sequence[int]] = [list(kept)]
    for _ in range(_MOST_TRIES):
        if not queue:
            break
        tried = queue.pop()
        if _decodes(pages, page, {index: kept[index] for index in tried}):
            continue
        if len(tried) == 1:
            bad.append(tried[0])
        else:
            queue += [tried[: len(tried) // 2], tried[len(tried) // 2 :]]
    bad += [index for part in queue for index in part]
    if len(bad) == len(kept):
        return None
    for index in set(kept) - set(bad):
        pages.patch(page, tag, index, kept[index])
    return pages.decode(page), len(bad)


def _decodes(pages: Pages, page: tifffile.TiffPage, counts: dict[int, int]) -> bool:
    for index, count in counts.items():
        pages.patch(page, _counts_tag(page), index, count)
    try:
        pages.decode(page)
    except imagecodecs.TiffError:
        return False
    finally:
        for index in counts:
            pages.patch(page, _counts_tag(page), index, 0)
    return True


def _check_jpeg(pages: Pages, page: tifffile.TiffPage, remarks: Remarks) -> None:
    """Ask the JPEG decoder about each strip, with the tables that the page keeps for all."""
    tables = bytes(page.jpegtables or b"")
    colorspace = "CMYK" if page.photometric == _CMYK and page.planarconfig == 1 else "GRAY"
    wrong = 0
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        strip = pages.segment(offset, count)
        if len(strip) == count > 2:
            whole = tables[:-2] + strip[2:] if tables else strip
            wrong += bool(examine(whole, colorspace).damage)
    if wrong:
        percent = max(1, 100 * wrong // len(page.dataoffsets))
        remarks.damage.append(f"JPEG data in up to {percent} % of a page are damaged")
