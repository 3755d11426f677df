"""Whether a film is encrypted: its pictures cannot be decoded, or come out as noise."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from colorize_core.errors import UnsupportedError
from colorize_core.media.film.boxes import picture_boxes
from colorize_core.media.film.pieces import pieces_of

_LOOKED_AT: Final = 1 << 22  # bytes from the beginning
_SECTOR: Final = 2048  # of a DVD; each begins a pack
_PACK: Final = b"\0\0\1\xba"
_PACKET: Final = b"\0\0\1"
_TRANSPORT: Final = 188


def refuse_encrypted(path: Path, container: str) -> None:
    """Refuse a film whose container says that it is encrypted.

    Args:
        path: file, or a folder of pictures, which never is.
        container: FFmpeg's name of the demuxer.

    Raises:
        UnsupportedError: it is.
    """
    if path.is_dir():
        return
    if container.startswith("mov,"):
        is_encrypted = "sinf" in picture_boxes(path)
    elif container in ("mpeg", "mpegts"):
        with pieces_of(path)[0].open("rb") as file:
            data = file.read(_LOOKED_AT)
        is_encrypted = (_has_scrambled_pack if container == "mpeg" else _is_scrambled)(data)
    else:
        return
    if is_encrypted:
        raise UnsupportedError(
            f"{path.name}: it is encrypted",
            remedy="color a copy without copy protection, if you may make one",
        )


def _has_scrambled_pack(data: bytes) -> bool:
    """Of a DVD: ISO/IEC 13818-1, PES_scrambling_control of the packet in each pack."""
    for place in range(0, len(data) - _SECTOR + 1, _SECTOR):
        if data[place : place + 4] != _PACK:
            return False  # no image of a DVD
        start = place + 14 + (data[place + 13] & 7)
        stream = data[start + 3]
        is_media = stream == 0xBD or 0xC0 <= stream <= 0xEF
        has_flags = data[start : start + 3] == _PACKET and is_media and data[start + 6] >> 6 == 2
        if has_flags and data[start + 6] >> 4 & 3:
            return True
    return False


def _is_scrambled(data: bytes) -> bool:
    """Of a broadcast: most packets say so (transport_scrambling_control)."""
    starts = range(0, len(data) - _TRANSPORT, _TRANSPORT)
    controls = [data[n + 3] >> 6 for n in starts if data[n] == 0x47]
    return len(controls) > len(starts) / 2 and sum(map(bool, controls)) > len(controls) / 2
