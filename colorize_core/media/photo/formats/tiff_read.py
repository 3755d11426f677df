"""TIFF: every page with its tags, read to 8- or 16-bit samples."""

from __future__ import annotations

import io
import logging
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import imagecodecs
import numpy as np
import tifffile

from colorize_core.errors import TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.photo import ifd, xmp
from colorize_core.media.photo.exif import ORIENTATION, clean_resources, patched_directory
from colorize_core.media.photo.formats.tiff_layout import PageLayout, TiffLayout
from colorize_core.media.photo.raster import (
    Raster,
    Samples,
    swaps_sides,
    to_full_range,
    unassociated,
    upright,
)

# tifffile logs every odd tag; without a handler Python prints those on the user's terminal.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 1, 2, 3, 5, 6
_OLD_JPEG, _JPEG = 6, 7
_PHOTOMETRIC, _SEPARATE = 262, 2
_DESCRIPTION, _XMP, _RESOURCES, _ICC = 270, 700, 34377, 34675
_ASSOCIATED_ALPHA, _UNASSOCIATED_ALPHA = 1, 2
_REDUCED, _MASK = 1, 4
_MOST_PAGES = 65_535
_LOSSY = frozenset({_OLD_JPEG, _JPEG, 22610, 33003, 33004, 33005, 34712, 34892, 50001, 50002})

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


@dataclass(frozen=True)
class TiffFile:
    """A decoded TIFF file."""

    rasters: tuple[Raster, ...]
    layout: TiffLayout
    lossless: bool
    warnings: tuple[str, ...]


def read_tiff(data: bytes, *, max_pixels: int) -> TiffFile:
    """Decode all pages. Reduced copies and masks of pages are left out with a warning.

    Args:
        data: the whole file.
        max_pixels: limit on the pixels of all pages together, checked before any is decoded.

    Raises:
        TooLargeError: more pixels than allowed.
        UnsupportedError: float or signed samples, more than 16 bits, volumes, an unusual color
            space. UndecodableError: no pages. Exception: what tifffile and its codecs raise on
            damaged data.
    """
    flavor, _ = ifd.read_header(data)
    # tifffile's own walk along the pages can go round for ever.
    offsets, ended = ifd.directory_offsets(data, most=_MOST_PAGES)
    warnings = [] if ended else ["the list of pages breaks off"]
    rasters: list[Raster] = []
    layouts: list[PageLayout] = []
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        every = [_page_at(file, index, offset) for index, offset in enumerate(offsets)]
        pages = [(i, p) for i, p in enumerate(every) if not p.subfiletype & (_REDUCED | _MASK)]
        if not pages:
            raise UndecodableError("a TIFF without pages", remedy="check that the file is whole")
        if len(pages) < len(every):
            warnings.append("reduced copies or masks of pages were left out")
        _check_size([p for _, p in pages], max_pixels)
        for index, page in pages:
            _check_supported(page)
            rasters.append(_read_page(data, index, page, warnings))
            layouts.append(_read_layout(data, flavor, page, rasters[-1].orientation, warnings))
    return TiffFile(
        tuple(rasters),
        TiffLayout(flavor, tuple(layouts)),
        lossless=all(layout.compression not in _LOSSY for layout in layouts),
        warnings=tuple(dict.fromkeys(warnings)),
    )


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


def _read_page(data: bytes, index: int, page: tifffile.TiffPage, warnings: list[str]) -> Raster:
    if not page.databytecounts or 0 in page.databytecounts:
        warnings.append("parts of a page hold no data and are black")
    orientation = page.tags.get(ORIENTATION)
    value = orientation.value if orientation is not None else 1
    turn = int(value) if value in range(1, 9) else 1
    photometric = int(page.photometric)
    by_libtiff = page.compression == _OLD_JPEG or (
        photometric == _YCBCR and page.compression != _JPEG
    )
    if by_libtiff:  # subsampled chroma outside JPEG is known to libtiff alone
        rgba = imagecodecs.tiff_decode(data, index, asrgb=True)
        # libtiff has mirrored the picture for its orientation (not turned it): mirror it back.
        samples, alpha = upright(rgba[..., :3], (turn - 1) % 4 + 1), None
    else:
        samples, alpha = _split(page, _stored_samples(data, index, page), photometric, warnings)
    icc = page.tags.get(_ICC)
    profile = icc.value if icc is not None and isinstance(icc.value, bytes) else None
    return Raster(samples, alpha, profile, turn)


def _stored_samples(data: bytes, index: int, page: tifffile.TiffPage) -> Samples:
    """Samples as HxWxS at the bit depth of the file.

    libtiff decodes, because the decoders that tifffile uses crash the process on some damaged LZW.
    """
    if page.photometric == _CMYK:
        # libtiff turns CMYK into RGB without looking at the profile; called RGB, inks come through.
        masked = bytearray(data)
        flavor, _ = ifd.read_header(data)
        entry = ifd.read_ifd(data, flavor, page.offset)[0][_PHOTOMETRIC]
        ifd.write_integer(masked, flavor, entry, _RGB)
        data = bytes(masked)
    stored: Samples = imagecodecs.tiff_decode(data, index)
    if page.planarconfig == _SEPARATE and page.samplesperpixel > 1:
        stored = np.moveaxis(stored, 0, -1)
    if stored.dtype == bool:
        stored = stored.astype(np.uint8)
    return stored.reshape(page.imagelength, page.imagewidth, page.samplesperpixel)


def _split(
    page: tifffile.TiffPage, stored: Samples, photometric: int, warnings: list[str]
) -> tuple[Samples, Samples | None]:
    bits = int(page.bitspersample)
    if photometric == _PALETTE:
        return _through_palette(stored[..., 0], np.asarray(page.colormap)), None
    stored = to_full_range(stored, bits)
    channels = {_RGB: 3, _CMYK: 4, _YCBCR: 3}.get(photometric, 1)
    color = stored[..., 0] if channels == 1 else np.ascontiguousarray(stored[..., :channels])
    if photometric == _WHITE_IS_ZERO:
        color = np.iinfo(color.dtype).max - color
    if stored.shape[2] == channels:
        return color, None
    if stored.shape[2] > channels + 1:
        warnings.append("extra channels beyond the first were left out")
    alpha = np.ascontiguousarray(stored[..., channels])
    if page.extrasamples and page.extrasamples[0] == _ASSOCIATED_ALPHA:
        color = unassociated(color, alpha)
    return color, alpha


def _through_palette(indices: Samples, colormap: Samples) -> Samples:
    # Writers scale 8-bit colors by 257, by 256, or not at all.
    table = colormap if int(colormap.max()) < 256 else colormap >> 8
    picture = table.astype(np.uint8).T[indices]
    is_gray = bool((picture[..., :1] == picture).all())
    return np.ascontiguousarray(picture[..., 0] if is_gray else picture)


def _read_layout(
    data: bytes, flavor: ifd.Flavor, page: tifffile.TiffPage, orientation: int, warnings: list[str]
) -> PageLayout:
    entries, _ = ifd.read_ifd(data, flavor, page.offset)
    if 330 in entries:
        warnings.append("reduced copies or masks of pages were left out")
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
                warnings.append("damaged Photoshop resources were left out")
        if raw is not None:
            tags.append((tag, entry.type, entry.count if tag != _RESOURCES else len(raw), raw))
    swapped = swaps_sides(orientation)
    exif = _take(data, flavor, entries.get(ifd.EXIF_IFD), warnings)
    return PageLayout(
        compression=int(page.compression),
        tile=(page.tilelength, page.tilewidth) if page.is_tiled else None,
        turned=orientation != 1,
        extra_sample=0 if page.extrasamples and page.extrasamples[0] == 0 else _UNASSOCIATED_ALPHA,
        resolution=_resolution(data, flavor, entries, swapped),
        resolution_unit=_first(data, flavor, entries.get(296), 2),
        tags=tuple(tags),
        xmp=_packet(data, entries.get(_XMP), warnings),
        exif=patched_directory(exif, flavor, swapped=swapped) if exif else None,
        gps=_take(data, flavor, entries.get(ifd.GPS_IFD), warnings),
    )


def _packet(data: bytes, entry: ifd.Entry | None, warnings: list[str]) -> bytes | None:
    if entry is None:
        return None
    packet = entry.raw(data)
    try:
        xmp.check_packet(packet)
    except ValueError as error:
        warnings.append(f"XMP was left out: {error}")
        return None
    return packet


def _first(data: bytes, flavor: ifd.Flavor, entry: ifd.Entry | None, default: int) -> int:
    value = ifd.read_integer(data, flavor, entry) if entry else None
    return default if value is None else value


def _take(
    data: bytes, flavor: ifd.Flavor, pointer: ifd.Entry | None, warnings: list[str]
) -> ifd.Directory | None:
    offset = ifd.read_integer(data, flavor, pointer) if pointer else None
    if offset is None:
        return None
    try:
        return ifd.take_directory(data, flavor, offset)
    except ValueError:
        warnings.append("a damaged EXIF directory was left out")
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
