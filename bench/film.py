"""Film at 1080p: the job against a bare transcode with the same encoder, on the same cores.

python -m bench.film [--frames 192] [--workers 2] [--side 1080]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from colorize_core.config import ColorizeConfig
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.film_segments import colorize_segment
from colorize_core.media.film.encoder import SegmentEncoder
from colorize_core.media.film.encoder_choice import choose_encoding
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.plan import plan_film
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames

CONFIG = ColorizeConfig()
HALO = CONFIG.temporal.radius + 2


def make_film(path: Path, frames: int, height: int) -> None:
    """Write a gray film with a moving texture and grain."""
    width = height * 16 // 9 // 2 * 2
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: height * 5 // 4, : width * 5 // 4].astype(np.float32)
    scene = 120 + 45 * np.sin(x / 37) * np.cos(y / 29) + 35 * np.sin((x + 2 * y) / 211)
    grain = [rng.normal(0, 4, (height, width)).astype(np.float32) for _ in range(7)]
    with av.open(str(path), "w") as container:
        options = {"crf": "16", "preset": "veryfast", "g": "48"}
        stream = container.add_stream("libx264", rate=Fraction(24), options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            left = (index * 3) % (width // 5)
            top = round((1 + np.sin(index / 25)) * height / 10)
            moved = np.roll(grain[index % 7], index * 13, 1)
            picture = scene[top : top + height, left : left + width] + moved
            frame = av.VideoFrame(width, height, "yuv420p")
            plane(frame, 0)[:] = np.clip(picture, 16, 235)
            plane(frame, 1)[:] = 128
            plane(frame, 2)[:] = 128
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


Timing = tuple[float, dict[str, float]]


def transcode(path: Path, probe: FilmProbe, start: int, stop: int, output: Path) -> Timing:
    """Decode and encode, nothing else; processor seconds."""
    started = time.process_time()
    encoding = choose_encoding(probe, CONFIG.video)
    with SegmentEncoder(output, probe, encoding, start) as encoder:
        for picture in read_frames(path, probe, start, stop):
            encoder.write(picture.frame)
    return time.process_time() - started, {}


_colorizer: Colorizer | None = None


def prepare() -> None:
    """Load what a worker keeps, outside of the timing."""
    global _colorizer
    torch.set_num_threads(1)
    _colorizer = Colorizer.load(device="cpu", batch_size=CONFIG.render.batch_size)


def color(path: Path, probe: FilmProbe, start: int, stop: int, output: Path) -> Timing:
    """The job's work on one segment; processor seconds, and these by stage."""
    started = time.process_time()
    assert _colorizer is not None
    predict = _colorizer.predict_ab
    result = colorize_segment(
        path,
        probe.window(max(0, start - HALO), min(probe.frames, stop + HALO)),
        start,
        stop,
        predict_ab=predict,
        config=CONFIG,
        plan=plan_film(path.name, probe, CONFIG.video, is_folder=False),
        output=output,
    )
    return time.process_time() - started, result.seconds


def main(arguments: list[str] | None = None) -> None:
    """Print frames per second of both, their ratio and the job's stages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=192)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--side", type=int, default=1080, help="height of the picture")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "grain.mp4"
        make_film(path, options.frames, options.side)
        probe = probe_film(path)
        size = options.frames // options.workers
        parts = [
            (path, probe, i * size, (i + 1) * size, Path(folder) / f"{i}.nut")
            for i in range(options.workers)
        ]
        with ProcessPoolExecutor(options.workers, initializer=prepare) as pool:
            list(pool.map(abs, range(options.workers)))
            rates, processor = {}, {}
            stages: Counter[str] = Counter()
            for name, work in (("transcode", transcode), ("job", color)):
                started = time.perf_counter()
                timings = list(pool.map(work, *zip(*parts, strict=True)))
                rates[name] = size * options.workers / (time.perf_counter() - started)
                processor[name] = sum(total for total, _ in timings)
                for _, seconds in timings:
                    stages.update(seconds)
    print(f"film {probe.width}x{probe.height}, {options.workers} workers, {CONFIG.video.codec}")
    print(f"  bare transcode {rates['transcode']:.1f} frames/s, job {rates['job']:.1f} frames/s")
    print(f"  ratio {rates['job'] / rates['transcode']:.2f} (goal: at least 0.60)")
    # Other work on the machine disturbs this one less.
    print(f"  ratio of processor time {processor['transcode'] / processor['job']:.2f}")
    split = ", ".join(f"{k} {1000 * v / size / options.workers:.1f}" for k, v in stages.items())
    print(f"  processor ms per frame of the job: {split}")


if __name__ == "__main__":
    main()
