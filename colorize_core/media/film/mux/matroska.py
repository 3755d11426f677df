"""The shape of pixels in Matroska, where FFmpeg's muxer cannot be told it through PyAV."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Final

# The muxer writes a rotation as Projection / ProjectionPoseRoll: 14 bytes, just as many as
# DisplayWidth and DisplayHeight of 4 bytes each take (RFC 9559, sections 5.1.4.1.28).
PLACEHOLDER_ROTATION: Final = 90
_PROJECTION: Final = bytes.fromhex("76708b767588") + struct.pack(">d", 90.0)
_DISPLAY_WIDTH, _DISPLAY_HEIGHT = bytes.fromhex("54b084"), bytes.fromhex("54ba84")
_UNIT_UNKNOWN, _UNIT_RATIO = bytes.fromhex("54b28104"), bytes.fromhex("54b28103")
_CLUSTER: Final = bytes.fromhex("1f43b675")
_HEADER_BYTES: Final = 1 << 20
# The header's checksum would not fit any more.
MUXER_OPTIONS: Final = {"write_crc32": "0"}


def write_sample_aspect(path: Path, width: int, height: int, aspect: Fraction) -> bool:
    """Replace the placeholder rotation of a finished file by its display size.

    Args:
        path: written with `MUXER_OPTIONS`, its picture turned by `PLACEHOLDER_ROTATION`.
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        aspect: width of a pixel through its height.

    Returns:
        False if the placeholder is not there (exactly once); the file is then as it was.
    """
    across, down = (Fraction(width, height) * aspect).as_integer_ratio()
    with path.open("r+b") as file:
        header = file.read(_HEADER_BYTES).split(_CLUSTER)[0]
        place = header.find(_PROJECTION)
        # The unit comes before the projection of the same track.
        unit = header.rfind(_UNIT_UNKNOWN, 0, max(place, 0))
        if header.count(_PROJECTION) != 1 or unit < 0:
            return False
        file.seek(unit)
        file.write(_UNIT_RATIO)
        file.seek(place)
        file.write(_DISPLAY_WIDTH + struct.pack(">I", across))
        file.write(_DISPLAY_HEIGHT + struct.pack(">I", down))
    return True
