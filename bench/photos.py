"""Milliseconds per photo of a made archive, and how a worker's stages share them.

python -m bench.photos
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from colorize_core.config import ColorizeConfig
from colorize_core.inference import photo_pages
from colorize_core.inference.colorizer import Colorizer
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.samples import write_sample


def stage_seconds(path: Path) -> dict[str, float]:
    """Seconds of each stage for one photo, with one thread."""
    torch.set_num_threads(1)
    config = ColorizeConfig()
    colorizer = Colorizer.load(device="cpu", batch_size=1)
    note = ComputedColorNote("bench", "0" * 64)
    marks = [time.perf_counter()]
    photo = decode_photo(path.read_bytes(), name=path.name, max_pixels=10**9)
    marks.append(time.perf_counter())
    page = photo_pages.prepare_page(photo.pages[0], config.render.size)
    marks.append(time.perf_counter())
    (ab,) = colorizer.predict_pictures([page.box], [page.shown])
    marks.append(time.perf_counter())
    pixels = photo_pages.finish_page(page, ab, config)
    marks.append(time.perf_counter())
    photo_pages.encode(photo, [pixels], config, note)
    marks.append(time.perf_counter())
    names = ("decode", "prepare", "generator", "merge", "encode")
    return dict(zip(names, np.diff(marks).tolist(), strict=True))


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        sample = write_sample(Path(folder) / "sample", film=False)
        for path in sorted(p for p in sample.rglob("*") if p.is_file()):
            stage_seconds(path)
            seconds = stage_seconds(path)
            total = sum(seconds.values())
            split = ", ".join(f"{name} {value / total:.0%}" for name, value in seconds.items())
            print(f"{path.relative_to(sample)}: {total * 1000:.0f} ms ({split})")


if __name__ == "__main__":
    main()
