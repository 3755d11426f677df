"""Memory, disk and time per 1,000 photos and per hour of film, on one core of this machine.

    python -m bench.takes [--photos 8] [--frames 96]

The job runs twice, with one worker and no Ray: the second run finds all finished, and what it takes
is start and end, which are taken off. Time is of the processor: other programs do not count.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.film import make_film
from bench.memory import made
from colorize_core.media.picture.plain import write_picture

PHOTO = (2000, 3000)
FILM = (1280, 720)
FILM_RATE = 24


def run(source: Path, out: Path) -> tuple[float, int]:
    """Processor seconds and most memory of a run."""
    command = [sys.executable, "-m", "colorize_core", "run", str(source), "--out", str(out)]
    child = subprocess.Popen([*command, "--runner", "serial"], stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def size_of(folder: Path) -> int:
    """Bytes of all files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def takes(source: Path, out: Path, share: float) -> str:
    """What so many times the items in `source` take."""
    first, memory = run(source, out)
    again, _ = run(source, out)
    page = size_of(out / "report") * share
    disk, read = size_of(out) * share, size_of(source) * share
    return (
        f"{(first - again) * share / 60:.0f} min of one core, {memory / 2**30:.1f} GiB of memory, "
        f"{disk / 1e9:.2f} GB of disk ({page / 1e9:.2f} GB of it the page and its previews; "
        f"originals: {read / 1e9:.2f} GB)"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--frames", type=int, default=96)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        for number in range(options.photos):
            picture = np.roll(made(*PHOTO, np.uint8), 40 * number, 1)
            write_picture(folder / "photos" / f"{number}.jpg", picture)
        print(f"1,000 photos of {PHOTO[1]}x{PHOTO[0]}: ", end="", flush=True)
        print(takes(folder / "photos", folder / "photos-color", 1000 / options.photos))
        (folder / "film").mkdir()
        make_film(folder / "film" / "film.mp4", options.frames, FILM[1])
        print(f"an hour of film of {FILM[0]}x{FILM[1]}: ", end="", flush=True)
        print(takes(folder / "film", folder / "film-color", 3600 * FILM_RATE / options.frames))


if __name__ == "__main__":
    main()
