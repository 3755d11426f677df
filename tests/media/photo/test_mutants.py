"""Damaged files of every format: no crash, no hang, bounded memory, reasons of one line.

Each format's files are decoded in a process of their own, with limits. Seeds are printed.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image
from skimage import data as pictures

from colorize_core.errors import InputError
from colorize_core.media.photo.codec import decode_photo
from tests.media.photo.mutants import mutant
from tests.media.photo.photo_files import (
    dpx_bytes,
    exif_block,
    heif_bytes,
    jp2_bytes,
    motion_photo,
    mp4_bytes,
    pdf_bytes,
    psd_bytes,
)
from tests.media.photo.photo_helpers import deep, saved, tiff_bytes

ROOT = Path(__file__).parents[3]
SEED = 20261130
COUNT = 200
SECONDS = 5.0  # of CPU for one file
MEMORY_BYTES = 3 << 30  # address space; pixels are limited to 20 million
LIMIT = 20_000_000


def made_files():
    """One sound file, or a few, of every format by its suffix."""
    gray, color = pictures.camera()[:160:2, :200:2], pictures.astronaut()[:80, :100]
    fax = Image.fromarray(gray).convert("1")
    frames = [Image.fromarray(np.roll(gray, step)) for step in (3, 50)]
    moving = {"save_all": True, "append_images": frames, "duration": 90, "loop": 0}
    planes = np.moveaxis(color, -1, 0)
    return {
        ".jpg": [saved(color, "JPEG"), saved(gray, "JPEG", progressive=True)],
        ".MP.jpg": [motion_photo(mp4_bytes())],
        ".png": [saved(color, "PNG"), saved(Image.fromarray(gray), "PNG", **moving)],
        ".webp": [saved(color, "WEBP"), saved(color, "WEBP", lossless=True)],
        ".gif": [saved(Image.fromarray(gray), "GIF", **moving)],
        ".tif": [
            tiff_bytes(color, compression=None, rowsperstrip=8),
            tiff_bytes(gray, compression="lzw", rowsperstrip=8),
            tiff_bytes(color, compression="jpeg", rowsperstrip=16),
            tiff_bytes(color, compression="jpeg2000", tile=(32, 32)),
        ],
        ".jp2": [jp2_bytes(color, metadata=True, reversible=True), jp2_bytes(gray, level=40)],
        ".jxl": [
            bytes(imagecodecs.jpegxl_encode(color, lossless=True)),
            bytes(imagecodecs.jpegxl_encode(color, level=80, usecontainer=True)),
        ],
        ".avif": [saved(color, "AVIF", exif=exif_block())],
        ".heic": [heif_bytes(np.ascontiguousarray(color), "RGB")],
        ".psd": [psd_bytes(planes, 3), psd_bytes(planes, 3, packed=True)],
        ".tga": [saved(color, "TGA"), saved(gray, "TGA", compression="tga_rle")],
        ".pcx": [saved(color, "PCX"), saved(gray, "PCX")],
        ".dpx": [dpx_bytes((deep(np.ascontiguousarray(color)) >> 6), "gbrp10le")],
        ".pdf": [pdf_bytes(gray, Image.fromarray(color), fax)],
    }


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


def _end(data, name):
    try:
        photo = decode_photo(data, name=name, max_pixels=LIMIT)
    except InputError as error:
        said = str(error)
        return "refused" if error.remedy and "\n" not in said else f"badly refused: {said}"
    return "degraded" if photo.warnings else "read"


def child(suffix, count):
    """Decode mutants of one format and print what became of them."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    rng = random.Random(SEED)
    files = made_files()[suffix]
    ends: Counter[str] = Counter()
    slowest = 0.0
    for number in range(count):
        data = mutant(files[number % len(files)], rng)
        say(f"{number} ")
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + 3 * SECONDS), -1))
        started = time.process_time()
        ends[_end(data, f"x{suffix}")] += 1
        slowest = max(slowest, time.process_time() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    made = f"{suffix}: seed {SEED}, {count} files"
    say(f"\n{made}: {dict(ends)}, at most {slowest:.2f} s, {peak} MB\n")
    assert slowest < SECONDS
    assert set(ends) <= {"read", "degraded", "refused"}


def run_child(suffix, count):
    code = f"from tests.media.photo.test_mutants import child; child({suffix!r}, {count})"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=count * SECONDS,
    )


@pytest.mark.slow
@pytest.mark.parametrize("suffix", list(made_files()))
def test_mutants_are_read_degraded_or_refused(suffix, capsys):
    done = run_child(suffix, COUNT)
    with capsys.disabled():
        say(done.stdout.splitlines()[-1] + "\n" if done.stdout else "no output\n")
    assert done.returncode == 0, f"{done.stdout[-200:]}\n{done.stderr[-2000:]}"
