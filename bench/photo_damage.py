"""How many damaged JPEGs are found, against the warnings of a decoder of its own (OpenCV's).

python -m bench.photo_damage [--count 3000] [--seed 20261130] [PHOTO ...]

Sound files of many encodings are damaged as disks and networks do it. Damage counts as visible
where the mean of some block of 8x8 pixels moves by 8 of 255 or more. Photos that are named are
sound ones of your own: how many are called damaged?
"""

from __future__ import annotations

import argparse
import io
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from skimage import data as pictures

from colorize_core.errors import InputError
from colorize_core.media.photo.codec import decode_photo

VISIBLE = 8.0  # of 255, mean of a block
LIMIT = 50_000_000
WARNINGS = ("Corrupt JPEG data", "Premature end", "Inconsistent progression")


def originals() -> list[NDArray[np.uint8]]:
    """Gray and color pictures of odd and even sizes."""
    camera, astronaut, coffee = pictures.camera(), pictures.astronaut(), pictures.coffee()
    page, moon = pictures.page(), pictures.moon()
    return [camera[:301, :407], astronaut[:256, :320], coffee[:200, :333], page, moon[:240, :240]]


def encoded(picture: NDArray[np.uint8]) -> Iterator[bytes]:
    """Files of ten encodings, at several qualities."""
    picture = np.ascontiguousarray(picture)
    for quality in (10, 35, 60, 80, 90, 97):
        for options in (
            {},
            {"progressive": True},
            {"optimize": True},
            {"subsampling": 0},
            {"restart_marker_rows": 1},
            {"progressive": True, "restart_marker_blocks": 9},
        ):
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "JPEG", quality=quality, **options)
            yield buffer.getvalue()
        turned = picture[..., ::-1] if picture.ndim == 3 else picture
        yield cv2.imencode(".jpg", turned, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
        restart = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_RST_INTERVAL, 4]
        yield cv2.imencode(".jpg", turned, restart)[1].tobytes()
        yield bytes(imagecodecs.jpeg8_encode(picture, level=quality, subsampling="422"))
        space = "RGB" if picture.ndim == 3 else "GRAY"
        whole = picture if picture.ndim == 3 else picture[..., None]
        yield simplejpeg.encode_jpeg(np.ascontiguousarray(whole), quality, space)


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Flipped bits, a zeroed or lost or repeated piece, or a missing end, in the picture data."""
    start = data.find(b"\xff\xda") + 12
    changed = bytearray(data)
    at, length = rng.randrange(start, len(data) - 2), rng.choice((1, 16, 512))
    kind = rng.choice(("flip", "flips", "zeros", "noise", "drop", "repeat", "cut"))
    if kind in ("flip", "flips"):
        for _ in range(1 if kind == "flip" else 8):
            changed[rng.randrange(start, len(data) - 2)] ^= 1 << rng.randrange(8)
    elif kind == "zeros":
        changed[at : at + length] = bytes(len(changed[at : at + length]))
    elif kind == "noise":
        changed[at : at + length] = rng.randbytes(len(changed[at : at + length]))
    elif kind == "drop":
        del changed[at : min(at + length, len(data) - 2)]
    elif kind == "repeat":
        changed[at:at] = data[at : at + length]
    else:
        return data[:at]
    return bytes(changed)


@contextmanager
def standard_error() -> Iterator[list[str]]:
    """What C libraries print there meanwhile."""
    said: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            file.seek(0)
            said.append(file.read().decode(errors="replace"))


def reference(data: bytes) -> tuple[NDArray[np.uint8] | None, bool]:
    """OpenCV's picture, and whether its libjpeg warned."""
    with standard_error() as said:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return picture, any(warning in said[0] for warning in WARNINGS)


def is_visible(before: NDArray[np.uint8], after: NDArray[np.uint8] | None) -> bool:
    """Whether some block's mean moved."""
    if after is None or after.shape != before.shape:
        return True
    moved = before.astype(np.float32) - after
    high, wide = (n // 8 * 8 for n in before.shape[:2])
    blocks = moved[:high, :wide].reshape(high // 8, 8, wide // 8, 8, -1).mean(axis=(1, 3))
    return bool(np.abs(blocks).max() >= VISIBLE)


def verdict(data: bytes) -> str:
    """What this program calls a file: sound, note, degraded or refused."""
    try:
        photo = decode_photo(data, name="x.jpg", max_pixels=LIMIT)
    except InputError:
        return "refused"
    return "degraded" if photo.is_damaged else "note" if photo.notes else "sound"


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=20261130)
    parser.add_argument("photos", nargs="*", type=Path)
    options = parser.parse_args(argv)
    files = [data for picture in originals() for data in encoded(picture)]
    print(f"sound files of ten encodings: {len(files)}: {dict(Counter(map(verdict, files)))}")
    if options.photos:
        own = Counter(verdict(path.read_bytes()) for path in options.photos)
        print(f"sound files of your own: {len(options.photos)}: {dict(own)}")
    rng = random.Random(options.seed)
    rows: dict[tuple[bool, bool], Counter[str]] = {}
    for number in range(options.count):
        sound = files[number % len(files)]
        data = damaged(sound, rng)
        picture, warned = reference(data)
        visible = is_visible(reference(sound)[0], picture)
        rows.setdefault((visible, warned), Counter())[verdict(data)] += 1
    print(f"{options.count} damaged files, seed {options.seed}; OpenCV's libjpeg:")
    for (visible, warned), ends in sorted(rows.items(), reverse=True):
        seen = "visible" if visible else "hardly visible"
        told = "warned" if warned else "silent"
        print(f"  {seen}, {told}: {sum(ends.values())}: {dict(ends)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
