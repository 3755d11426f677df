"""What kind of picture a file holds, by its first bytes."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final, Literal

Format = Literal[
    "jpeg",
    "png",
    "tiff",
    "webp",
    "bmp",
    "pnm",
    "gif",
    "jp2",
    "jxl",
    "avif",
    "heif",
    "psd",
    "tga",
    "pcx",
    "dpx",
    "pdf",
]

HEAD_BYTES: Final = 16_384  # what `sniff` wants to see of a file
TGA_SUFFIXES: Final = frozenset({".tga", ".icb", ".vda", ".vst"})
_SIGNATURES: Final[tuple[tuple[int, bytes, Format], ...]] = (
    (0, b"\xff\xd8\xff", "jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"II*\0", "tiff"),
    (0, b"MM\0*", "tiff"),
    (0, b"II+\0", "tiff"),
    (0, b"MM\0+", "tiff"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (0, b"8BPS\0\1", "psd"),
    (0, b"8BPS\0\2", "psd"),
    (0, b"\xff\x0a", "jxl"),
    (4, b"JXL \r\n\x87\n", "jxl"),
    (4, b"jP  \r\n\x87\n", "jp2"),
    (0, b"\xff\x4f\xff\x51", "jp2"),
    (0, b"SDPX", "dpx"),
    (0, b"XPDS", "dpx"),
)
_PNM_HEAD = re.compile(rb"P[1-6][\s#]")
_PDF_HEAD = re.compile(rb"[\s\S]{0,1016}?%PDF-\d")
_PCX_HEAD = re.compile(rb"\x0a[\x00\x02-\x05]\x01[\x01\x02\x04\x08]")
_TGA_HEAD = re.compile(
    rb"[\s\S](?:\x00[\x02\x03\x0a\x0b]|\x01[\x01\x09])[\s\S]{13}[\x08\x0f\x10\x18\x20]"
)
_GIF_EXTENSION, _APPLICATION = b"\x21", b"\xff\x0b"
_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124))
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_CAMERA_RAW = (
    *((8, b"CR\2"), (0, b"IIRO"), (0, b"IIRS"), (0, b"MMOR"), (0, b"IIU\0")),
    *((0, b"FUJIFILMCCD-RAW"), (0, b"\0MRM"), (6, b"HEAPCCDR"), (4, b"ftypcrx ")),
)
_NOT_READ = (
    (4, b"ftyp", "video"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"P7\n", "PAM"),
    (0, b"Pf\n", "float PNM"),
    (0, b"PF\n", "float PNM"),
    (0, b"<svg", "SVG"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
)


def sniff(head: bytes) -> Format | None:
    """Format of a photo by the first `HEAD_BYTES` of its file, None when it is none of ours."""
    if head.startswith(b"\xff\xd8\xff"):  # most of them, and asked of a million
        return "jpeg"
    if any(head.startswith(mark, at) for at, mark in _CAMERA_RAW):
        return None
    for at, mark, kind in _SIGNATURES:
        if head.startswith(mark, at):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and head[14:18] in _BMP_HEADERS:
        return "bmp"
    if _PNM_HEAD.match(head):
        return "pnm"
    if _PCX_HEAD.match(head) and len(head) >= 70 and head[64] == 0:
        return "pcx"
    return _by_brand(head) or ("pdf" if _PDF_HEAD.match(head) else None)


def kind_of(path: str, head: bytes) -> Format | None:
    """Like `sniff`; TGA, which has no signature, is known by its suffix and a sensible header."""
    kind = sniff(head)
    if kind is None and PurePosixPath(path).suffix.lower() in TGA_SUFFIXES:
        return "tga" if _TGA_HEAD.match(head) else None
    return kind


def unread_format(head: bytes) -> str | None:
    """Name of a picture format that is known but not read."""
    if any(head.startswith(mark, at) for at, mark in _CAMERA_RAW):
        return "camera raw"
    return next((name for at, mark, name in _NOT_READ if head.startswith(mark, at)), None)


def is_animated_gif(head: bytes) -> bool:
    """Whether a GIF says, before its first picture, that it is to be shown in a loop.

    Those are the animations; the number of pictures is only known at the end of the file.
    """
    at = 13 + (3 << (head[10] & 7) + 1 if len(head) > 10 and head[10] & 0x80 else 0)
    while head[at : at + 1] == _GIF_EXTENSION:
        is_application = head[at + 1 : at + 3] == _APPLICATION
        if is_application and head[at + 3 : at + 14] in (b"NETSCAPE2.0", b"ANIMEXTS1.0"):
            return True
        at += 2
        while at < len(head) and head[at]:
            at += 1 + head[at]
        at += 1
    return False


def is_deep_heif(head: bytes) -> bool:
    """Whether a HEIF picture has more than 8 bits per sample.

    Source: ISO/IEC 23008-12, 6.5.6 (`pixi`); ISO/IEC 14496-15, 8.3.3.1 (`hvcC`).
    """
    depths = [head[at + 9 : at + 9 + head[at + 8]] for at in _places(head, b"pixi")]
    coded = [8 + (head[at + 21] & 7) for at in _places(head, b"hvcC")]
    return any(max(depth, default=8) > 8 for depth in depths) or max(coded, default=8) > 8


def _places(head: bytes, mark: bytes) -> list[int]:
    return [found.start() for found in re.finditer(mark, head) if found.start() + 24 < len(head)]


def _by_brand(head: bytes) -> Format | None:
    """HEIF and AVIF, by the brands of ISO/IEC 14496-12, 4.3."""
    if head[4:8] != b"ftyp":
        return None
    size = min(int.from_bytes(head[:4], "big"), 512)
    brands = {head[8:12], *(head[at : at + 4] for at in range(16, size - 3, 4))}
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heif" if brands & _HEIF_BRANDS else None
