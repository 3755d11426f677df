"""What a TIFF file needs to be written again."""

from __future__ import annotations

from dataclasses import dataclass

from colorize_core.media.photo import ifd


@dataclass(frozen=True)
class PageLayout:
    """How one page was stored, and its tags, values in the byte order of the file."""

    compression: int
    tile: tuple[int, int] | None
    turned: bool  # the tags asked for another orientation than the samples had
    extra_sample: int  # TIFF ExtraSamples value that the page's alpha gets
    resolution: tuple[tuple[int, int], tuple[int, int]] | None
    resolution_unit: int
    tags: tuple[tuple[int, int, int, bytes], ...]
    xmp: bytes | None
    exif: ifd.Directory | None
    gps: ifd.Directory | None


@dataclass(frozen=True)
class TiffLayout:
    """What a TIFF file needs to be written again."""

    flavor: ifd.Flavor
    pages: tuple[PageLayout, ...]
