"""TIFF layout of a page that was none: deflated, with what its file said about it."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from colorize_core.media.photo import ifd
from colorize_core.media.photo.exif import clean_resources
from colorize_core.media.photo.formats.tiff_layout import PageLayout, TiffLayout
from colorize_core.media.photo.formats.tiff_tags import Remarks, copied_tags
from colorize_core.media.photo.photo import PhotoMetadata

_DEFLATE, _JPEG = 8, 7
_RESOURCES, _BYTE, _INCH = 34377, 1, 2


def new_page(metadata: PhotoMetadata, remarks: Remarks, *, is_lossy: bool = False) -> PageLayout:
    """Layout of a page with this metadata, whose EXIF becomes tags and directories."""
    tags: list[tuple[int, int, int, bytes]] = []
    exif = gps = None
    if metadata.exif is not None:
        try:
            flavor, offset = ifd.read_header(metadata.exif)
            entries, _ = ifd.read_ifd(metadata.exif, flavor, offset)
            whole = ifd.take_directory(metadata.exif, flavor, offset)
            below = {tag: value for tag, _, _, value in whole.entries}
            exif, gps = (_directory(below.get(tag)) for tag in (ifd.EXIF_IFD, ifd.GPS_IFD))
            tags += copied_tags(metadata.exif, entries, remarks)
        except ValueError:
            remarks.warnings.append("damaged EXIF was left out")
    if metadata.resources is not None:
        try:
            resources = clean_resources(metadata.resources)
        except ValueError:
            resources = None
            remarks.warnings.append("damaged IPTC was left out")
        if resources:
            tags = [tag for tag in tags if tag[0] != _RESOURCES]
            tags.append((_RESOURCES, _BYTE, len(resources), resources))
    return PageLayout(
        compression=_JPEG if is_lossy else _DEFLATE,
        resolution=_fractions(metadata.dpi) if metadata.dpi else None,
        resolution_unit=_INCH,
        tags=tuple(sorted(tags)),
        xmp=metadata.xmp,
        exif=exif,
        gps=gps,
    )


def new_layout(metadata: PhotoMetadata, *pages: PageLayout) -> TiffLayout:
    """Layout of the file, in the byte order of the EXIF block."""
    flavor = ifd.Flavor("<")
    if metadata.exif is not None and metadata.exif[:2] == b"MM":
        flavor = ifd.Flavor(">")
    return TiffLayout(flavor, pages)


def _directory(value: bytes | ifd.Directory | None) -> ifd.Directory | None:
    return value if isinstance(value, ifd.Directory) else None


_MOST_DENOMINATOR: Final = 1000


def _fractions(dpi: tuple[float, float]) -> tuple[tuple[int, int], tuple[int, int]]:
    across, down = (Fraction(value).limit_denominator(_MOST_DENOMINATOR) for value in dpi)
    return (across.numerator, across.denominator), (down.numerator, down.denominator)
