"""Strips and tiles of TIFF pages: decoded by libtiff; missing and damaged ones are left out."""

from __future__ import annotations

import struct
from typing import Final

import imagecodecs
import numpy as np
import tifffile

from colorize_core.errors import UndecodableError
from colorize_core.media.photo import ifd
from colorize_core.media.photo.formats.jpeg_damage import examine
from colorize_core.media.photo.formats.tiff_tags import Remarks
from colorize_core.media.photo.raster import Samples

_PLAIN, _JPEG = 1, 7
_SEPARATE = 2
# Offsets and byte counts.
_STRIP_TAGS, _TILE_TAGS = (273, 279), (324, 325)
_MOST_CANDIDATES: Final = 8
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

    def grow(self, size: int) -> None:
        """Fill the file up to this many bytes."""
        self._data += bytes(max(0, size - len(self._data)))

    def segment(self, offset: int, count: int) -> bytes:
        """Bytes of a strip or tile."""
        return bytes(self._data[offset : offset + count])


def decode_past_damage(pages: Pages, page: tifffile.TiffPage, remarks: Remarks) -> Samples:
    """Decode a page; what is missing or damaged of it is 0, and said.

    Raises:
        TiffError: the damage cannot be narrowed down.
        UndecodableError: nothing of the page is there.
    """
    segments = _Segments(pages, page)
    partly = segments.complete_plain()
    bad = segments.absent()
    if len(bad) == len(segments):
        raise UndecodableError("no picture data in a page", remedy="copy it again from its origin")
    if page.compression == _JPEG:
        _check_jpeg(pages, page, remarks)
    try:
        if bad:
            segments.stand_in(bad, segments.sound(bad))
        stored = pages.decode(page)
    except imagecodecs.TiffError:
        bad = segments.find_damaged(bad)
        stored = pages.decode(page)
    if bad:
        stored = stored.copy()
        for index in bad:
            stored[segments.place(index)] = 0
    if bad or partly:
        percent = max(1, int(100 * (len(bad) + partly) / len(segments)))
        remarks.damage.append(f"{percent} % of a page is missing or damaged, and blank")
    return stored


class _Segments:
    """The strips or tiles of a page. One that cannot be decoded is replaced by one that can."""

    def __init__(self, pages: Pages, page: tifffile.TiffPage) -> None:
        self._pages, self._page = pages, page
        self._tags = _TILE_TAGS if page.is_tiled else _STRIP_TAGS
        self._where = list(zip(page.dataoffsets, page.databytecounts, strict=False))

    def __len__(self) -> int:
        return len(self._where)

    def complete_plain(self) -> float:
        """Fill up uncompressed strips that the end of the file cuts; how many, in parts of one."""
        size, missing = self._pages.size, 0.0
        page = self._page
        if page.compression != _PLAIN:
            return missing
        most = page.imagewidth * page.imagelength * page.samplesperpixel * 2
        for offset, count in self._where:
            if offset < size < offset + count and count <= most:
                missing += (offset + count - size) / count
                self._pages.grow(offset + count)
        return missing

    def absent(self) -> set[int]:
        """Those that lie outside the file or are empty."""
        size = self._pages.size
        return {
            index
            for index, (offset, count) in enumerate(self._where)
            if not count or offset + count > size
        }

    def sound(self, bad: set[int]) -> int:
        """The first that can be decoded.

        Raises:
            TiffError: none of the first few.
        """
        candidates = [index for index in range(len(self)) if index not in bad]
        for index in candidates[:_MOST_CANDIDATES]:
            if self._decodes(set(range(len(self))), index):
                return index
        raise imagecodecs.TiffError("no strip of a page can be decoded")

    def find_damaged(self, bad: set[int]) -> set[int]:
        """Find those that cannot be decoded, by halves, and let a sound one stand in for them.

        Raises:
            TiffError: there are too many.
        """
        sound = self.sound(bad)
        queue = [[index for index in range(len(self)) if index not in bad]]
        bad = set(bad)
        for _ in range(_MOST_TRIES):
            if not queue:
                break
            tried = queue.pop()
            if self._decodes(set(range(len(self))) - set(tried), sound):
                continue
            if len(tried) == 1:
                bad.add(tried[0])
            else:
                queue += [tried[: len(tried) // 2], tried[len(tried) // 2 :]]
        bad.update(index for part in queue for index in part)
        self.stand_in(bad, sound)
        return bad

    def stand_in(self, bad: set[int], sound: int) -> None:
        """Let all `bad` ones point to the data of `sound`, and the others to their own."""
        for index in range(len(self)):
            for tag, value in zip(
                self._tags, self._where[sound if index in bad else index], strict=True
            ):
                self._pages.patch(self._page, tag, index, value)

    def place(self, index: int) -> tuple[slice | int, ...]:
        """Where a strip or tile lies in the decoded page, HxW, HxWxS, or SxHxW for planes."""
        page = self._page
        high, wide = (
            (page.tilelength, page.tilewidth)
            if page.is_tiled
            else (page.rowsperstrip, page.imagewidth)
        )
        across, down = -(-page.imagewidth // wide), -(-page.imagelength // high)
        plane, index = divmod(index, across * down)
        row, column = divmod(index, across)
        area = (slice(row * high, (row + 1) * high), slice(column * wide, (column + 1) * wide))
        is_planar = page.planarconfig == _SEPARATE and page.samplesperpixel > 1
        return (plane, *area) if is_planar else area

    def _decodes(self, bad: set[int], sound: int) -> bool:
        self.stand_in(bad, sound)
        try:
            self._pages.decode(self._page)
        except imagecodecs.TiffError:
            return False
        return True


def _check_jpeg(pages: Pages, page: tifffile.TiffPage, remarks: Remarks) -> None:
    """Ask the JPEG decoder about each strip, with the tables that the page keeps for all."""
    tables = bytes(page.jpegtables or b"")
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    colorspace = {1: "GRAY", 3: "RGB", 4: "CMYK"}.get(samples)
    if colorspace is None:
        return
    wrong = 0
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        strip = pages.segment(offset, count)
        if len(strip) == count > 2:
            whole = tables[:-2] + strip[2:] if tables else strip
            wrong += bool(examine(whole, colorspace).damage)
    if wrong:
        percent = max(1, 100 * wrong // len(page.dataoffsets))
        remarks.damage.append(f"JPEG data in up to {percent} % of a page are damaged")
