"""PDF of scans: the picture of each page, as it lies in the file.

PDFium finds the pictures; JPEG and JPEG 2000 among them are read by this program's own decoders.
Pages that are drawn (text, lines) are refused: they are no scans, and rendering them would invent
a resolution. Text behind a scan, as recognition puts there, is no drawing.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Final

import numpy as np
import pypdfium2
from pypdfium2 import raw

from colorize_core.errors import NoScanError, TooLargeError, UndecodableError, UnsupportedError
from colorize_core.media.photo.formats import jp2, jpeg
from colorize_core.media.photo.formats.base import Decoded, check_pixels
from colorize_core.media.photo.formats.tiff_layout import PageLayout
from colorize_core.media.photo.formats.tiff_new import new_layout, new_page
from colorize_core.media.photo.formats.tiff_tags import Remarks
from colorize_core.media.photo.photo import PhotoMetadata
from colorize_core.media.photo.raster import Raster, upright

_MOST_PAGES: Final = 5_000
_MOST_OBJECTS: Final = 20_000  # of a page
_MOST_DEPTH: Final = 4  # of forms inside forms
_INVISIBLE: Final = 3  # render mode of text
_JPEG: Final = 7  # TIFF compression
_LONGEST_PROFILE: Final = 16_000_000
_LONGEST_TEXT: Final = 4096
_POINTS_PER_INCH: Final = 72.0
# PDFium may not be called from two threads at once.
_LOCK = threading.Lock()


def decode(data: bytes, max_pixels: int) -> Decoded:
    """See `base.Decoder`."""
    with _LOCK:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if "password" in str(error).lower():
                raise UnsupportedError(
                    "a PDF with a password", remedy="save it without one"
                ) from error
            raise
        with closing(document):
            return _decoded(document, max_pixels)


def _decoded(document: pypdfium2.PdfDocument, max_pixels: int) -> Decoded:
    number = len(document)
    if number == 0:
        raise UndecodableError("a PDF without pages", remedy="check that the file is whole")
    if number > _MOST_PAGES:
        raise TooLargeError(f"{number} pages, the limit is {_MOST_PAGES}", remedy="split it")
    remarks = Remarks()
    rasters: list[Raster] = []
    layouts: list[PageLayout] = []
    left = max_pixels
    for index in range(number):
        with closing(document[index]) as page:
            picture = _picture_of(page, index)
            width, height = picture.get_px_size()
            check_pixels(width, height, left)
            left -= width * height
            decoded = _decode_picture(picture, max_pixels)
            turn, dpi = _lies(picture, page.get_rotation(), (width, height))
        rasters.append(replace(decoded.rasters[0], orientation=turn))
        remarks.warnings += decoded.warnings
        remarks.damage += [f"page {index + 1}: {said}" for said in decoded.damage]
        metadata = PhotoMetadata(dpi=dpi)
        layouts.append(new_page(metadata, remarks, is_lossy=not decoded.lossless))
    layouts[0] = replace(layouts[0], tags=_tags(document.get_metadata_dict()))
    return Decoded(
        tuple(rasters),
        PhotoMetadata(),
        lossless=all(page.compression != _JPEG for page in layouts),
        warnings=tuple(dict.fromkeys(remarks.warnings)),
        damage=tuple(dict.fromkeys(remarks.damage)),
        tiff=new_layout(PhotoMetadata(), *layouts),
    )


def _picture_of(page: pypdfium2.PdfPage, index: int) -> pypdfium2.PdfImage:
    """The one picture that a page shows.

    Raises:
        NoScanError: there is none, or something is drawn beside it.
    """
    shown: list[pypdfium2.PdfObject] = []
    for item in islice(page.get_objects(max_depth=_MOST_DEPTH), _MOST_OBJECTS):
        if item.type == raw.FPDF_PAGEOBJ_FORM:
            continue
        is_text = item.type == raw.FPDF_PAGEOBJ_TEXT
        if is_text and raw.FPDFTextObj_GetTextRenderMode(item) == _INVISIBLE:
            continue
        shown.append(item)
    pictures = [item for item in shown if item.type == raw.FPDF_PAGEOBJ_IMAGE]
    if len(pictures) == 1 and isinstance(pictures[0], pypdfium2.PdfImage):
        place = shown.index(pictures[0])
        if place == len(shown) - 1 and all(_covers(pictures[0], item) for item in shown[:place]):
            return pictures[0]
    what = f"{len(pictures)} pictures" if len(pictures) > 1 else "text or drawings"
    raise NoScanError(
        f"page {index + 1} is no scan: {what if shown else 'nothing'} on it",
        remedy="export the pictures you mean as TIFF or PNG",
    )


def _covers(picture: pypdfium2.PdfImage, item: pypdfium2.PdfObject) -> bool:
    """Whether the picture hides what was drawn before it, to half a point."""
    left, bottom, right, top = picture.get_bounds()
    a, b, c, d = item.get_bounds()
    return bool(a >= left - 0.5 and b >= bottom - 0.5 and c <= right + 0.5 and d <= top + 0.5)


def _decode_picture(picture: pypdfium2.PdfImage, max_pixels: int) -> Decoded:
    filters = picture.get_filters(skip_simple=True)
    icc = _profile(picture)
    decoder = {"DCTDecode": jpeg.decode, "JPXDecode": jp2.decode}.get(filters[0] if filters else "")
    if decoder is not None and len(filters) == 1:
        decoded = decoder(bytes(picture.get_data(decode_simple=True)), max_pixels)
        raster = decoded.rasters[0]
        # Inks are told apart by the page, not by the picture: those go through PDFium.
        if raster.samples.ndim == 2 or raster.samples.shape[2] == 3:
            return replace(decoded, rasters=(replace(raster, icc=icc or raster.icc),))
    stored = np.array(picture.get_bitmap().to_numpy())
    if stored.ndim == 3:
        stored = np.ascontiguousarray(
            stored[..., 2::-1] if stored.shape[2] >= 3 else stored[..., 0]
        )
        if stored.ndim == 3 and (stored == stored[..., :1]).all():
            stored = np.ascontiguousarray(stored[..., 0])
    return Decoded((Raster(stored),), PhotoMetadata())


def _profile(picture: pypdfium2.PdfImage) -> bytes | None:
    """ICC profile of the picture's color space, where PDFium gives it."""
    read = getattr(raw, "FPDFImageObj_GetIccProfileDataDecoded", None)
    if read is None:
        return None
    length = ctypes.c_size_t()
    if not read(picture, picture.page, None, 0, length) or not 0 < length.value <= _LONGEST_PROFILE:
        return None
    buffer = (ctypes.c_uint8 * length.value)()
    return bytes(buffer) if read(picture, picture.page, buffer, length.value, length) else None


def _lies(
    picture: pypdfium2.PdfImage, rotation: int, size: tuple[int, int]
) -> tuple[int, tuple[float, float] | None]:
    """How the page turns its picture, as EXIF orientation, and how fine it is."""
    a, b, c, d, _, _ = picture.get_matrix().get()
    quarters = round((rotation - math.degrees(math.atan2(b, a))) / 90) % 4
    across, down = math.hypot(a, b), math.hypot(c, d)
    if across <= 0 or down <= 0:
        return 1, None
    dpi = size[0] / across * _POINTS_PER_INCH, size[1] / down * _POINTS_PER_INCH
    return _orientation(quarters, a * d - b * c < 0), dpi if max(dpi) < 1e5 else None


def _orientation(quarters: int, is_mirrored: bool) -> int:
    """EXIF orientation of a turn clockwise, after turning the picture over where it is mirrored."""
    sample = np.arange(6).reshape(2, 3)
    turned = np.rot90(sample[::-1] if is_mirrored else sample, -quarters)
    return next(o for o in range(1, 9) if np.array_equal(upright(sample, o), turned))


def _tags(described: Mapping[str, str]) -> tuple[tuple[int, int, int, bytes], ...]:
    """Title, subject and author as TIFF tags."""
    tags = []
    for tag, name in ((269, "Title"), (270, "Subject"), (315, "Author")):
        text = described.get(name, "").strip().encode("utf-8", "replace")[:_LONGEST_TEXT] + b"\0"
        if len(text) > 1:
            tags.append((tag, 2, len(text), text))
    return tuple(tags)
