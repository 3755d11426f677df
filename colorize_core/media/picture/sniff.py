"""What kind of picture a file holds, by its first bytes."""

from __future__ import annotations

import re
from typing import Final, Literal

Format = Literal["jpeg", "png", "tiff", "webp", "bmp", "pnm", "gif"]

HEAD_BYTES: Final = 16_384  # what `sniff` wants to see of a file
_SIGNATURES: Final[tuple[tuple[bytes, Format], ...]] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"II+\0", "tiff"),
    (b"MM\0+", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
_PNM_HEAD = re.compile(rb"P[1-6][\s#]")
_BMP_HEADERS = frozenset(size.to_bytes(4, "little") for size in (12, 16, 40, 52, 56, 64, 108, 124))
_NOT_READ = (
    (4, b"ftyp", "HEIF, AVIF or video"),
    (0, b"8BPS", "Photoshop"),
    (0, b"%PDF", "PDF"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"AT&TFORM", "DjVu"),
    (0, b"P7\n", "PAM"),
    (0, b"Pf\n", "float PNM"),
    (0, b"PF\n", "float PNM"),
    (0, b"<svg", "SVG"),
)


def sniff(head: bytes) -> Format | None:
    """Format of a photo by the first `HEAD_BYTES` of its file, None when it is none of ours."""
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:2] == b"BM" and head[14:18] in _BMP_HEADERS:
        return "bmp"
    return "pnm" if _PNM_HEAD.match(head) else None


def unread_format(head: bytes) -> str | None:
    """Name of a picture format that is known but not read."""
    for position, signature, name in _NOT_READ:
        if head[position : position + len(signature)] == signature:
            return name
    return None
