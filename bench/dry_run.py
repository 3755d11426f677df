"""How far off `--dry-run` is: six made archives, the estimate beside the run's wall time.

    python -m bench.dry_run [--only photos-small,mixed] [--workers 2]

Both are whole processes: start of Python and Ray, reading, coloring, joining, the page.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_core.media.picture.plain import write_picture
from colorize_core.samples import sample_pictures

GOAL = 0.3
FRAMES_PER_SECOND = 24


def main(argv: Sequence[str] | None = None) -> int:
    """Print a row per archive; 0 if all errors are within the goal."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="names, with commas between them")
    parser.add_argument("--workers", default="2")
    options = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    names = options.only.split(",") if options.only else list(ARCHIVES)
    print("| archive | estimate, s | range, s | run, s | error |\n|---|---|---|---|---|")
    worst = 0.0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / name
            ARCHIVES[name](source)
            command = [sys.executable, "-m", "colorize_core", "run", "--workers", options.workers]
            found = json.loads(_said([*command, "--dry-run", "--json", str(source)]))
            start = time.monotonic()
            _said([*command, str(source)])
            seconds = time.monotonic() - start
        error = found["seconds"] / seconds - 1
        worst = max(worst, abs(error))
        span = f"{found['seconds_low']:.0f} to {found['seconds_high']:.0f}"
        print(
            f"| {name} | {found['seconds']:.0f} | {span} | {seconds:.0f} | {error:+.0%} |",
            flush=True,
        )
    print(f"\nworst error {worst:.0%}, goal {GOAL:.0%}")
    return 0 if worst <= GOAL else 1


def _said(command: Sequence[str]) -> bytes:
    """What it prints; it is ended with this process, and so ends what it has started itself."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        try:
            said, _ = run.communicate()
        finally:
            run.terminate()
    if run.returncode:
        raise subprocess.CalledProcessError(run.returncode, command)
    return said


def _scene(number: int, width: int, height: int, *, color: bool = False) -> NDArray[np.uint8]:
    """A photo with grain; every number gives another one."""
    pictures = list(sample_pictures().values())
    rng = np.random.default_rng(number)
    picture = pictures[number % len(pictures)]
    left, top = rng.integers(0, 60, 2)
    found = cv2.resize(picture[top:, left:], (width, height), interpolation=cv2.INTER_CUBIC)
    if not color:
        found = cv2.cvtColor(found, cv2.COLOR_RGB2GRAY)
    grain = rng.normal(0, 4, (height, width))
    noisy = found + (grain[..., None] if color else grain)
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _photos(folder: Path, count: int, width: int, height: int, *, colored_every: int = 0) -> None:
    for number in range(count):
        color = bool(colored_every) and number % colored_every == 0
        suffix = (".jpg", ".png", ".tif")[number % 3]
        write_picture(
            folder / f"box {number % 4}" / f"{number:03d}{suffix}",
            _scene(number, width, height, color=color),
        )


def write_film(path: Path, frames: int, width: int, height: int) -> None:
    """A slow pan over a scene, with a cut every 100 frames."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FRAMES_PER_SECOND)
        stream.options = {"crf": "20", "preset": "veryfast", "g": "48"}
        for number in range(frames):
            if number % 100 == 0:
                wide = _scene(number // 100, width + 100, height)
            shown = np.ascontiguousarray(wide[:, number % 100 : number % 100 + width])
            frame = av.VideoFrame.from_ndarray(shown, format="gray").reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _photos_small(folder: Path) -> None:
    _photos(folder, 240, 640, 480)


def _photos_huge(folder: Path) -> None:
    _photos(folder, 18, 6000, 4000)


def _films_short(folder: Path) -> None:
    for number in range(12):
        write_film(folder / f"{number:02d}.mp4", 60 + 10 * number, 320, 240)


def _films_long(folder: Path) -> None:
    write_film(folder / "reel 1.mkv", 1500, 640, 480)
    write_film(folder / "reel 2.mkv", 900, 320, 240)


def _mixed(folder: Path) -> None:
    _photos(folder / "photos", 90, 1200, 900)
    write_film(folder / "films" / "a.mp4", 500, 480, 360)
    write_film(folder / "films" / "b.mp4", 150, 320, 240)


def _half_in_color(folder: Path) -> None:
    _photos(folder, 160, 1000, 750, colored_every=2)


ARCHIVES: dict[str, Callable[[Path], None]] = {
    "photos-small": _photos_small,
    "photos-huge": _photos_huge,
    "films-short": _films_short,
    "films-long": _films_long,
    "mixed": _mixed,
    "half-in-color": _half_in_color,
}


if __name__ == "__main__":
    sys.exit(main())
