"""TIFF: which pages a file has, and all of them read."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import tifffile

from colorize_core.errors import TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.photo import ifd
from colorize_core.media.photo.formats.tiff_layout import KeptPage, Level, PageLayout, TiffLayout
from colorize_core.media.photo.formats.tiff_pixels import orientation_of, read_page, stored_samples
from colorize_core.media.photo.formats.tiff_segments import Pages
from colorize_core.media.photo.formats.tiff_tags import (
    Remarks,
    copied_tags,
    read_layout,
    tile_of,
)
from colorize_core.media.photo.raster import Raster, swaps_sides, upright

# tifffile logs every odd tag; nothing of it is for the user's terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False

_OLD_JPEG, _JPEG = 6, 7
_REDUCED, _MASK = 1, 4
_MOST_PAGES: Final = 20_000
_MOST_LEVELS: Final = 32
_LOSSY = frozenset({_OLD_JPEG, _JPEG, 22610, 33003, 33004, 33005, 34712, 34892, 50001, 50002})
_LEFT_OUT = "a mask or another page beside the pictures was left out"


@dataclass(frozen=True)
class TiffFile:
    """A decoded TIFF file."""

    rasters: tuple[Raster, ...]
    layout: TiffLayout
    lossless: bool
    remarks: Remarks


def read_tiff(data: bytes, *, max_pixels: int) -> TiffFile:
    """Decode all pages. Reduced copies are noted, to be made anew; masks are kept as they are.

    Args:
        data: the whole file.
        max_pixels: limit on the pixels of all pages together, checked before any is decoded.

    Raises:
        TooLargeError: more pixels, or pages, than allowed.
        UnsupportedError: float or signed samples, more than 16 bits, volumes, an unusual color
            space.
        UndecodableError: no pages.
        Exception: what tifffile and its codecs raise on damaged data.
    """
    flavor, _ = ifd.read_header(data)
    # tifffile's own walk along the pages can go round for ever.
    offsets, ended = ifd.directory_offsets(data, most=_MOST_PAGES)
    remarks = Remarks(damage=[] if ended else ["the list of pages breaks off"])
    rasters: list[Raster] = []
    layouts: list[PageLayout] = []
    kept: list[KeptPage] = []
    following: dict[int, list[tifffile.TiffPage]] = {}
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        every = [_page_at(file, index, offset) for index, offset in enumerate(offsets)]
        pictures = [page for page in every if not page.subfiletype & (_REDUCED | _MASK)]
        if not pictures:
            raise UndecodableError("a TIFF without pages", remedy="check that the file is whole")
        _check_size([page for page in every if not page.subfiletype & _REDUCED], max_pixels)
        pages = Pages(data)
        for page in every:
            if not page.subfiletype & (_REDUCED | _MASK):
                _check_supported(page)
                rasters.append(read_page(pages, page, remarks))
                layout = read_layout(data, flavor, page, rasters[-1].orientation, remarks)
                levels = _levels(_pages_below(file, page, remarks), rasters[-1], remarks)
                layouts.append(replace(layout, levels=levels))
            elif page.subfiletype & _MASK:
                kept += _kept(data, flavor, pages, page, len(layouts) - 1, remarks)
            else:  # one that stands before the first page moves behind it
                following.setdefault(max(0, len(layouts) - 1), []).append(page)
    for index, copies in following.items():
        levels = _levels(copies, rasters[index], remarks)
        layouts[index] = replace(layouts[index], following=levels)
    return TiffFile(
        tuple(rasters),
        TiffLayout(flavor, tuple(layouts), tuple(kept)),
        lossless=all(layout.compression not in _LOSSY for layout in layouts),
        remarks=remarks,
    )


def _pages_below(
    file: tifffile.TiffFile, page: tifffile.TiffPage, remarks: Remarks
) -> list[tifffile.TiffPage]:
    """Reduced copies in the sub-directories of a page."""
    found: list[tifffile.TiffPage] = []
    for offset in (page.subifds or ())[:_MOST_LEVELS]:
        try:
            below = _page_at(file, 0, offset)
        except (ValueError, LookupError, tifffile.TiffFileError):
            remarks.warnings.append("a damaged directory was left out")
            continue
        if below.subfiletype & _REDUCED:
            found.append(below)
        else:
            remarks.warnings.append(_LEFT_OUT)
    return found


def _levels(
    copies: Sequence[tifffile.TiffPage], raster: Raster, remarks: Remarks
) -> tuple[Level, ...]:
    """Sizes of reduced copies of a page, upright; what is no reduction of it is left out."""
    height, width = raster.samples.shape[:2]
    swapped = swaps_sides(raster.orientation)
    left = 2 * width * height
    levels: list[Level] = []
    for copy in copies[:_MOST_LEVELS]:
        across, down, tile = int(copy.imagewidth), int(copy.imagelength), tile_of(copy)
        left -= across * down
        if not (0 < across <= width and 0 < down <= height) or left < 0:
            remarks.warnings.append("a reduced copy that is none was left out")
            break
        level = Level(across, down, tile)
        levels.append(Level(down, across, tile[::-1] if tile else None) if swapped else level)
    return tuple(levels)


def _kept(
    data: bytes,
    flavor: ifd.Flavor,
    pages: Pages,
    page: tifffile.TiffPage,
    after: int,
    remarks: Remarks,
) -> list[KeptPage]:
    """A mask as it is stored; a damaged one is left out."""
    if page.bitspersample not in (1, 8, 16) or page.sampleformat not in (1, 4):
        remarks.warnings.append(_LEFT_OUT)
        return []
    try:
        samples = upright(stored_samples(pages, page, remarks), orientation_of(page))
        tags = copied_tags(data, ifd.read_ifd(data, flavor, page.offset)[0], remarks)
    except Exception:  # noqa: BLE001 - the picture itself is sound
        remarks.warnings.append(_LEFT_OUT)
        return []
    if page.bitspersample == 1:
        samples = samples.astype(bool)
    return [KeptPage(samples, int(page.subfiletype), max(0, after), tags)]


def _page_at(file: tifffile.TiffFile, index: int, offset: int) -> tifffile.TiffPage:
    file.filehandle.seek(offset)
    return tifffile.TiffPage(file, index)


def _check_size(pages: Sequence[tifffile.TiffPage], max_pixels: int) -> None:
    total = sum(page.imagewidth * page.imagelength for page in pages)
    # No more samples than RGBA with one more channel has, and no tile larger than a picture may be.
    stored = sum(p.imagewidth * p.imagelength * p.samplesperpixel for p in pages)
    tile = max(p.tilewidth * p.tilelength for p in pages)
    if total > max_pixels or stored > 5 * max_pixels or tile > max(max_pixels, 1 << 20):
        raise TooLargeError(
            f"{total} pixels in {len(pages)} pages, the limit is {max_pixels}",
            remedy="raise photo.max_pixels",
        )


def _check_supported(page: tifffile.TiffPage) -> None:
    kinds = {1: "unsigned", 2: "signed", 3: "float", 4: "untyped", 5: "complex", 6: "complex"}
    kind = kinds.get(page.sampleformat, "unknown")
    bits = page.bitspersample
    if page.imagewidth < 1 or page.imagelength < 1:
        raise UndecodableError("a page without pixels", remedy="check that the file is whole")
    if kind not in ("unsigned", "untyped") or not isinstance(bits, int) or not 1 <= bits <= 16:
        raise UnsupportedError(
            f"{bits}-bit {kind} samples", remedy="convert to 8- or 16-bit unsigned integers"
        )
    if page.imagedepth != 1:
        raise UnsupportedError("a volume", remedy="save its slices as pages")
    channels = {0: 1, 1: 1, 2: 3, 3: 1, 5: 4, 6: 3}.get(page.photometric)
    if channels is None or page.samplesperpixel < channels or page.samplesperpixel > channels + 8:
        raise UnsupportedError(
            f"photometric interpretation {page.photometric} with {page.samplesperpixel} samples",
            remedy="convert to gray or RGB",
        )
