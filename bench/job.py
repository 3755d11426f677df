"""The job against a bare loop: CPU seconds per photo, and what a second worker brings.

    python -m bench.job [--photos 96]

The loop decodes, predicts, merges and encodes on one pinned core, without job, manifest or fsync.
Start-up is left out of the job's figures: they come from the units' own reports; so does
writing thumbnails for the page (--no-report), which the loop does not do.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.media.picture.plain import write_picture
from colorize_core.samples import gray_sample

LOOP = """
import json, os, sys, time
from pathlib import Path
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import torch; torch.set_num_threads(1)
from colorize_core.config import ColorizeConfig
from colorize_core.inference import photo_pages
from colorize_core.inference.colorizer import Colorizer
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.memory import keep_freed_memory
keep_freed_memory()
config = ColorizeConfig(); note = ComputedColorNote('bench', '0' * 64)
colorizer = Colorizer.load(device='cpu', batch_size=8)
paths = sorted(Path(sys.argv[1]).iterdir())
def run(paths):
    for at in range(0, len(paths), 8):
        some = paths[at:at + 8]
        photos = [decode_photo(p.read_bytes(), name=p.name, max_pixels=10**9) for p in some]
        pages = [photo_pages.prepare_page(p.pages[0], 256) for p in photos]
        colors = colorizer.predict_pictures([p.box for p in pages], [p.shown for p in pages])
        for i, (photo, page, path) in enumerate(zip(photos, pages, some)):
            pixels = [photo_pages.finish_page(page, colors[i], config)]
            data = photo_pages.encode(photo, pixels, config, note)
            (Path(sys.argv[2]) / path.name).write_bytes(data)
run(paths[:8])
cpu, wall = time.process_time(), time.perf_counter()
run(paths)
print(json.dumps([time.process_time() - cpu, time.perf_counter() - wall]))
"""


def make_archive(folder: Path, count: int) -> None:
    """Gray JPEGs of about one megapixel; every one differs."""
    folder.mkdir()
    base = np.kron(gray_sample("astronaut"), np.ones((2, 2)))
    for index in range(count):
        picture = (np.roll(base, 7 * index, axis=1) * 255).astype(np.uint8)
        write_picture(folder / f"{index:04d}.jpg", picture)


def job_seconds(source: Path, out: Path, workers: int) -> tuple[float, float]:
    """CPU seconds of the units, and seconds from the first one's start to the last one's end."""
    arguments = ["--out", str(out), "--no-report", "--workers", str(workers), "--device", "cpu"]
    command = [sys.executable, "-m", "jobs.colorize_archive", *arguments, "--", str(source)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    summary = json.loads(RunFolder(out).summary.read_text())
    assert summary["totals"]["done"] == len(summary["items"])
    return summary["cpu_seconds"], summary["work_seconds"]


def main(argv: Sequence[str] | None = None) -> None:
    """Print photos/s, CPU seconds per photo, and the two ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=96)
    count = parser.parse_args(argv).photos
    with tempfile.TemporaryDirectory() as folder:
        source, plain = Path(folder) / "in", Path(folder) / "loop"
        make_archive(source, count)
        plain.mkdir()
        said = subprocess.run(
            [sys.executable, "-c", LOOP, str(source), str(plain)],
            check=True,
            capture_output=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        ).stdout
        loop_cpu, loop_wall = json.loads(said)
        print(
            f"bare loop, one core: {count / loop_wall:.1f} photos/s, {loop_cpu / count:.3f} CPU s"
        )
        for workers in (1, 2):
            cpu, wall = job_seconds(source, Path(folder) / f"out{workers}", workers)
            print(
                f"job, {workers} workers: {count / wall:.1f} photos/s "
                f"({loop_wall / wall:.2f} x the loop), {cpu / count:.3f} CPU s "
                f"({cpu / loop_cpu:.2f} x the loop)"
            )


if __name__ == "__main__":
    main()
