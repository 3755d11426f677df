"""What a TIFF file needs to be written again."""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core.media.photo import ifd
from colorize_core.media.photo.raster import Samples


@dataclass(frozen=True)
class Level:
    """A reduced copy of a page: it is made anew from the color page."""

    width: int
    height: int
    tile: tuple[int, int] | None


@dataclass(frozen=True)
class PageLayout:
    """How one page was stored, and its tags, values in the byte order of the file.

    Attributes:
        compression: TIFF code.
        tile: length, width.
        turned: the tags asked for another orientation than the samples had.
        extra_sample: TIFF ExtraSamples value that the page's alpha gets.
        resolution: two fractions, across and down.
        resolution_unit: TIFF code.
        tags: (tag, type, count, value) of what is copied as it is.
        xmp: packet.
        exif: directory.
        gps: directory.
        levels: reduced copies in sub-directories.
        following: reduced copies in the directories that follow.
    """

    compression: int
    tile: tuple[int, int] | None = None
    turned: bool = False
    extra_sample: int = 2
    resolution: tuple[tuple[int, int], tuple[int, int]] | None = None
    resolution_unit: int = 2
    tags: tuple[tuple[int, int, int, bytes], ...] = ()
    xmp: bytes | None = None
    exif: ifd.Directory | None = None
    gps: ifd.Directory | None = None
    levels: tuple[Level, ...] = ()
    following: tuple[Level, ...] = ()


@dataclass(frozen=True)
class KeptPage:
    """A page that is no picture of its own (infrared, a mask): copied behind page `after`.

    `samples` is HxW, or HxWxS, bool, uint8 or uint16, as stored.
    """

    samples: Samples
    subfile_type: int
    after: int
    tags: tuple[tuple[int, int, int, bytes], ...]


@dataclass(frozen=True)
class TiffLayout:
    """What a TIFF file needs to be written again."""

    flavor: ifd.Flavor
    pages: tuple[PageLayout, ...]
    kept: tuple[KeptPage, ...] = ()
