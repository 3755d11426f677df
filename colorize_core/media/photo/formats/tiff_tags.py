"""TIFF tags: what is copied, what describes the gray samples and goes."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import tifffile

from colorize_core.media.photo import ifd, xmp
from colorize_core.media.photo.exif import clean_resources, patched_directory
from colorize_core.media.photo.formats.tiff_layout import PageLayout
from colorize_core.media.photo.raster import swaps_sides

_DESCRIPTION, _XMP, _RESOURCES, _ICC = 270, 700, 34377, 34675
_UNSPECIFIED, _UNASSOCIATED_ALPHA = 0, 2

# Descriptions that programs read as the layout of the samples, which color changes.
_LAYOUT_DESCRIPTION = re.compile(rb'ImageJ=|\{"shape"|(?s:.{0,2000})<OME ')

# Tags that describe how the gray samples were stored or colored: layout, response curves,
# thumbnails, CFA, layers of Photoshop (37724) and ImageJ's display ranges. Everything else is
# copied as it is.
_LAYOUT_TAGS = frozenset(
    {
        *range(254, 260),
        *range(262, 267),
        *(273, 274, *range(277, 285), *range(288, 294), 296, 300, 301),
        *(317, 318, 319, 320, 321, *range(322, 326), *range(326, 329), 330, 332, 333, 334, 336),
        *range(338, 348),
        *(400, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 559, _XMP),
        *(32995, 32996, 32997, 32998, 33421, 33422, _ICC, *ifd.SUBDIRECTORIES, 37724, 50838, 50839),
    }
)


@dataclass
class Remarks:
    """What reading a TIFF file brought up: see `base.Decoded`."""

    warnings: list[str] = field(default_factory=list)
    damage: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_layout(
    data: bytes, flavor: ifd.Flavor, page: tifffile.TiffPage, orientation: int, remarks: Remarks
) -> PageLayout:
    """What the page at hand needs to be written again, upright."""
    entries, _ = ifd.read_ifd(data, flavor, page.offset)
    swapped = swaps_sides(orientation)
    exif = _take(data, flavor, entries.get(ifd.EXIF_IFD), remarks)
    return PageLayout(
        compression=int(page.compression),
        tile=tile_of(page),
        turned=orientation != 1,
        extra_sample=_extra_sample(page),
        resolution=_resolution(data, flavor, entries, swapped),
        resolution_unit=_first(data, flavor, entries.get(296), 2),
        tags=copied_tags(data, entries, remarks),
        xmp=_packet(data, entries.get(_XMP), remarks),
        exif=patched_directory(exif, flavor, swapped=swapped) if exif else None,
        gps=_take(data, flavor, entries.get(ifd.GPS_IFD), remarks),
    )


def tile_of(page: tifffile.TiffPage) -> tuple[int, int] | None:
    """Length and width of the page's tiles; None for strips."""
    return (page.tilelength, page.tilewidth) if page.is_tiled else None


def _extra_sample(page: tifffile.TiffPage) -> int:
    """What the channel beyond the color is called: no transparency, unless the file says so."""
    is_alpha = bool(page.extrasamples) and page.extrasamples[0] in (1, 2)
    return _UNASSOCIATED_ALPHA if is_alpha else _UNSPECIFIED


def copied_tags(
    data: bytes, entries: Mapping[int, ifd.Entry], remarks: Remarks
) -> tuple[tuple[int, int, int, bytes], ...]:
    """Tags (tag, type, count, value) that hold for the color page too."""
    tags = []
    for tag, entry in sorted(entries.items()):
        raw: bytes | None = entry.raw(data)
        if tag in _LAYOUT_TAGS or entry.type > 12 or entry.count == 0:
            continue
        if tag == _DESCRIPTION and _LAYOUT_DESCRIPTION.match(entry.raw(data)):
            continue
        if tag == _RESOURCES and raw is not None:
            try:
                raw = clean_resources(raw)
            except ValueError:
                raw = None
                remarks.warnings.append("damaged Photoshop resources were left out")
        if raw is not None:
            tags.append((tag, entry.type, entry.count if tag != _RESOURCES else len(raw), raw))
    return tuple(tags)


def _packet(data: bytes, entry: ifd.Entry | None, remarks: Remarks) -> bytes | None:
    if entry is None:
        return None
    packet = entry.raw(data)
    try:
        xmp.check_packet(packet)
    except ValueError as error:
        remarks.warnings.append(f"XMP was left out: {error}")
        return None
    return packet


def _first(data: bytes, flavor: ifd.Flavor, entry: ifd.Entry | None, default: int) -> int:
    value = ifd.read_integer(data, flavor, entry) if entry else None
    return default if value is None else value


def _take(
    data: bytes, flavor: ifd.Flavor, pointer: ifd.Entry | None, remarks: Remarks
) -> ifd.Directory | None:
    offset = ifd.read_integer(data, flavor, pointer) if pointer else None
    if offset is None:
        return None
    try:
        return ifd.take_directory(data, flavor, offset)
    except ValueError:
        remarks.warnings.append("a damaged EXIF directory was left out")
        return None


def _resolution(
    data: bytes, flavor: ifd.Flavor, entries: dict[int, ifd.Entry], swapped: bool
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    across, down = entries.get(282), entries.get(283)
    if across is None or down is None or (across.size, down.size) != (8, 8):
        return None
    pairs = [struct.unpack(flavor.order + "II", entry.raw(data)) for entry in (across, down)]
    if any(0 in pair for pair in pairs):
        return None
    if swapped:
        pairs.reverse()
    return (pairs[0][0], pairs[0][1]), (pairs[1][0], pairs[1][1])
