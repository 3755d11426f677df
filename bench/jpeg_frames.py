"""A film as DeOldify and its like do it, against the job, with the same generator.

    python -m bench.jpeg_frames [--frames 96] [--side 1080] [--workers 2]

Their way: write every frame as a JPEG, color one after the other into a second folder, read them
again and encode. `transcode` is FFmpeg alone, the limit of both. Each way has its own process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import torch
from PIL import Image

from bench.film import make_film
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.inference.colorizer import Colorizer

QUALITY = 95
OPTIONS = {"crf": "18", "preset": "medium", "threads": "1"}


def way_of_others(film: Path, folder: Path) -> None:
    """Frames to JPEG, JPEG to color, JPEG to film: one thread for each step, as `threads` says."""
    plain, colored = folder / "bwframes", folder / "colorframes"
    plain.mkdir()
    colored.mkdir()
    with av.open(str(film)) as source:
        rate = source.streams.video[0].average_rate
        for index, frame in enumerate(source.decode(video=0)):
            frame.to_image().save(plain / f"{index:05d}.jpg", quality=QUALITY)
    colorizer = Colorizer.load(device="cpu")
    paths = sorted(plain.iterdir())
    for path in paths:
        picture = colorizer.colorize(path)
        Image.fromarray(picture).save(colored / path.name, quality=QUALITY)
    with av.open(str(folder / "film.mp4"), "w") as target:
        stream = target.add_stream("libx264", rate=rate, options=OPTIONS)
        with Image.open(paths[0]) as first:
            stream.width, stream.height = first.size
        stream.pix_fmt = "yuv420p"
        for path in paths:
            with Image.open(colored / path.name) as image:
                frame = av.VideoFrame.from_image(image)
            target.mux(stream.encode(frame.reformat(format="yuv420p")))
        target.mux(stream.encode(None))


def transcode(film: Path, folder: Path) -> None:
    """Decode and encode, nothing else."""
    with av.open(str(film)) as source, av.open(str(folder / "film.mp4"), "w") as target:
        video = source.streams.video[0]
        stream = target.add_stream("libx264", rate=video.average_rate, options=OPTIONS)
        stream.width, stream.height, stream.pix_fmt = video.width, video.height, "yuv420p"
        for frame in source.decode(video):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


WAYS: dict[str, Callable[[Path, Path], None]] = {"others": way_of_others, "transcode": transcode}


def one_way(name: str, film: Path, folder: Path) -> None:
    """Run a way here and print what it took as JSON."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    started = time.perf_counter()
    WAYS[name](film, folder)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([time.perf_counter() - started, usage.ru_maxrss * 1024]))


def processor_seconds() -> float:
    """Of all that was started and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def disk(folder: Path) -> int:
    """Bytes in a folder; files may vanish meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(root) / name).stat().st_size
            except OSError:
                continue
    return total


def job(film: Path, out: Path, workers: int) -> tuple[float, float]:
    """Wall seconds without the start of Ray, and peak memory of a worker."""
    arguments = ["--out", str(out), "--workers", str(workers), "--device", "cpu", "--no-report"]
    settings = ["--set", "model.precision=fp32", "--set", "video.segment_frames=48"]
    command = [sys.executable, "-m", "jobs.colorize_archive", *arguments, *settings]
    subprocess.run([*command, "--", str(film)], check=True, stderr=subprocess.DEVNULL)
    summary = json.loads(RunFolder(out).summary.read_text())
    return summary["work_seconds"], summary["peak_worker_memory_bytes"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--side", type=int, default=1080)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        make_film(film, options.frames, options.side)
        for name in (*WAYS, "job"):
            place = Path(folder) / name
            place.mkdir()
            most = _watch(place)
            before = processor_seconds()
            if name == "job":
                wall, memory = job(film, place, options.workers)
                processes = options.workers
            else:
                code = (
                    "import sys; from pathlib import Path; from bench.jpeg_frames import one_way; "
                )
                code += "one_way(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))"
                command = [sys.executable, "-c", code, name, str(film), str(place)]
                said = subprocess.run(command, check=True, capture_output=True).stdout
                wall, memory = json.loads(said)
                processes = 1
            cpu = processor_seconds() - before
            extra = most() - (place / "film.mp4").stat().st_size
            print(
                f"{name}, {processes} process(es): {options.frames / wall:.2f} frames/s, "
                f"{1000 * cpu / options.frames:.0f} ms of processor a frame with its start, "
                f"{max(0, extra) / options.frames / 1e3:.0f} kB of temporary disk a frame, "
                f"{memory / 2**20:.0f} MiB a process"
            )


def _watch(folder: Path) -> Callable[[], int]:
    """Measure a folder twice a second; the answer of the call is the most there was."""
    found, stop = [0], threading.Event()

    def look() -> None:
        while not stop.wait(0.5):
            found[0] = max(found[0], disk(folder))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()

    def most() -> int:
        stop.set()
        thread.join()
        return max(found[0], disk(folder))

    return most


if __name__ == "__main__":
    main()
