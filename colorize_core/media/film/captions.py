"""Closed captions inside pictures, found in coded packets.

CTA-708 (ATSC A/53) user data in MPEG-2, H.264 and HEVC, and what DVDs carry (line 21).
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final

from colorize_core.media.film.demux import main_video, open_film

_A53: Final = b"GA94\x03"
_DVD: Final = b"CC\x01\xf8"
_IN_MPEG = {"mpeg1video", "mpeg2video"}
_WITH_CAPTIONS = {*_IN_MPEG, "h264", "hevc"}
_TRIPLET: Final = 3
_MOST_TRIPLETS = 31
_VALID = 4
_FIELD_1, _FIELD_2 = 0, 1
LINE_21, SECOND_FIELD, CEA_708 = "line 21", "the second field of line 21", "CEA-708"
_KINDS = {_FIELD_1: LINE_21, _FIELD_2: SECOND_FIELD}


def caption_kinds(data: bytes, codec: str) -> set[str]:
    """Kinds of captions that a packet of pictures carries; padding is none."""
    said = [one for one in triplets(data, codec) if one[1] & 0x7F or one[2] & 0x7F]
    return {_KINDS.get(one[0] & 3, CEA_708) for one in said}


def triplets(data: bytes, codec: str) -> list[bytes]:
    """Find the caption data of one packet: kind (4 + field, 6 and 7 for CEA-708) and two bytes."""
    if codec not in _WITH_CAPTIONS:
        return []
    place = data.find(_A53)
    if place >= 0:
        part = data[place + len(_A53) :][: 3 * (2 + _TRIPLET * _MOST_TRIPLETS) // 2]
        return _cta_708(part if codec in _IN_MPEG else part.replace(b"\0\0\3", b"\0\0"))
    place = data.find(_DVD) if codec in _IN_MPEG else -1
    return _line_21(data[place + len(_DVD) :]) if place >= 0 else []


def _cta_708(data: bytes) -> list[bytes]:
    if len(data) < 2 or not data[0] & 0x40:
        return []
    places = range(2, 2 + _TRIPLET * (data[0] & 0x1F), _TRIPLET)
    found = [bytes([data[i] & 7]) + data[i + 1 : i + 3] for i in places if i + 2 < len(data)]
    return [one for one in found if one[0] & _VALID]


def _line_21(data: bytes) -> list[bytes]:
    """Pairs of a DVD: a byte of flags counts them, and each begins with 0xff or 0xfe."""
    if not data:
        return []
    places = range(1, 1 + 2 * _TRIPLET * (data[0] >> 1 & 0x1F), _TRIPLET)
    kinds = {0xFF: _VALID + _FIELD_1, 0xFE: _VALID + _FIELD_2}
    return [
        bytes([kinds[data[i]]]) + data[i + 1 : i + 3]
        for i in places
        if i + 2 < len(data) and data[i] in kinds
    ]


def caption_track(path: Path, codec: str) -> list[tuple[Fraction, bytes]]:
    """Read the line-21 captions (field 1) out of a film's pictures.

    Returns:
        Time of a picture in seconds, and its triplets as QuickTime's c608 takes them; ascending.
    """
    found = []
    with open_film(path) as container:
        for packet in container.demux(main_video(container, path)):
            if not packet.size or packet.pts is None:
                continue
            kept = [one for one in triplets(bytes(packet), codec) if one[0] & 3 == _FIELD_1]
            if kept:
                data = b"".join(b"\xfc" + one[1:] for one in kept)
                found.append((packet.pts * packet.time_base, data))
    return sorted(found)
