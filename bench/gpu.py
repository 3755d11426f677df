"""Everything that only a machine with a GPU can tell, in one go and under eight minutes.

    python -m bench.gpu [--device cuda] [--seconds 420] [--out figures.json]

Prints and writes as JSON: pictures/s of the generator by precision, batch and way to run it (CUDA
graphs, too); memory of a worker; pictures/s and frames/s of the job by workers, with the share of
time that the GPU was busy; film by NVENC where there is one. What would take too long is left out
and named. With --device cpu it is a rehearsal on small numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from bench.film import make_film
from bench.job import make_archive
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.errors import ConfigError
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.devices import has_bf16
from colorize_core.media.film.nvenc import require_encoder
from colorize_core.model.scale import L_to_net

SIDE = 256
# What has begun may take this long after the last beginning.
GRACE_SECONDS = 50.0
Figures = dict[str, Any]


def wait_for(device: torch.device) -> None:
    """Until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def rate(run: Callable[[], object], device: torch.device, pictures: int, seconds: float) -> float:
    """Pictures per second over about so many seconds, after a first round that is not counted."""
    run()
    wait_for(device)
    started, rounds = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        run()
        wait_for(device)
        rounds += 1
    return rounds * pictures / (time.perf_counter() - started)


def generator_rates(device: torch.device, *, is_small: bool) -> Figures:
    """Of `predict_ab`, with its copies; and of the bare network, eager and as a CUDA graph."""
    seconds = 0.5 if is_small else 3.0
    rates: Figures = {}
    for precision in ("fp32", "bf16") if has_bf16(device) else ("fp32",):
        for batch in (8,) if is_small else (1, 8, 32):
            colorizer = Colorizer.load(device=device.type, precision=precision, batch_size=batch)
            L = torch.rand(batch, 1, SIDE, SIDE) * 100
            run = lambda c=colorizer, L=L: c.predict_ab(L)  # noqa: E731
            rates[f"{precision}, batch {batch}"] = rate(run, device, batch, seconds)
    rates["graphs"] = graph_rates(device, seconds) if device.type == "cuda" else "needs CUDA"
    return rates


def graph_rates(device: torch.device, seconds: float) -> Figures:
    """The bare network with what it reads and writes on the GPU: what a CUDA graph would bring."""
    rates: Figures = {}
    for batch in (1, 8):
        colorizer = Colorizer.load(device="cuda", batch_size=batch)
        module = colorizer._ladder.module
        x = L_to_net(torch.rand(batch, 1, SIDE, SIDE, device=device) * 100)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            eager = rate(lambda m=module, x=x: m(x, None), device, batch, seconds)
            for _ in range(3):
                module(x, None)
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph):
                    module(x, None)
                captured: float | str = rate(graph.replay, device, batch, seconds)
            except RuntimeError as error:
                captured = " ".join(str(error).split())[:200]
        rates[f"batch {batch}"] = {"eager": eager, "graph": captured}
    return rates


def worker_memory(device: torch.device) -> Figures:
    """Bytes of the GPU that one worker takes: what torch reserves, and with its context."""
    if device.type != "cuda":
        return {}
    before = gpu_memory()
    code = (
        "import torch; from colorize_core.inference.colorizer import Colorizer;"
        "c = Colorizer.load(device='cuda', batch_size=8);"
        "c.predict_ab(torch.rand(8, 1, 256, 256) * 100);"
        "print(torch.cuda.max_memory_reserved(), flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        reserved = int(process.stdout.readline())
        whole = gpu_memory() - before
        process.communicate("\n")
    return {"reserved": reserved, "with context": whole}


def ask(query: str) -> list[float]:
    """Numbers of nvidia-smi; none where it is not."""
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
        return [float(word) for word in said.replace(",", " ").split()]
    except (OSError, ValueError):
        return []


def gpu_memory() -> int:
    """Bytes in use on the first GPU."""
    return int((ask("memory.used") or [0.0])[0] * 2**20)


class Busy:
    """Asks every half second how busy the GPU was."""

    def __enter__(self) -> Busy:
        self._found: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.5):
            self._found += ask("utilization.gpu")[:1]

    @property
    def share(self) -> float | None:
        """Mean while it was at work; None where nobody says."""
        worked = [value for value in self._found if value > 0]
        return sum(worked) / len(self._found) / 100 if worked else None


def job(source: Path, out: Path, device: str, deadline: float, *more: str) -> Figures:
    """A run of the job: what it did per second without its start, and how busy the GPU was."""
    left = deadline + GRACE_SECONDS - time.monotonic()
    if left < GRACE_SECONDS:
        return {"failed": "no time"}
    command = [sys.executable, "-m", "jobs.colorize_archive", "--out", str(out), "--no-report"]
    command += ["--device", device, *more, "--", str(source)]
    try:
        with Busy() as busy:
            done = subprocess.run(command, capture_output=True, text=True, timeout=left)
    except subprocess.TimeoutExpired:
        return {"failed": f"not finished in {left:.0f} s"}
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1:]}
    summary = json.loads(RunFolder(out).summary.read_text())
    work = max(1e-3, summary["work_seconds"])
    return {
        "photos/s": round(summary["computed"]["photos"] / work, 2),
        "frames/s": round(summary["computed"]["frames"] / work, 2),
        "work_seconds": summary["work_seconds"],
        "processor_seconds": summary["cpu_seconds"],
        "gpu_busy": busy.share,
    }


def shares(device: str) -> list[tuple[str, ...]]:
    """Options for one worker, and for as many as there are cores."""
    return [("--workers", "1"), ()] if device != "cpu" else [("--workers", "1")]


def photo_jobs(folder: Path, device: str, deadline: float, *, is_small: bool) -> Figures:
    """Photos of one megapixel."""
    make_archive(folder / "photos", 8 if is_small else 24 * (os.cpu_count() or 1))
    return {
        " ".join(more) or "all cores": job(
            folder / "photos", folder / f"photos {number}", device, deadline, *more
        )
        for number, more in enumerate(shares(device))
    }


def film_jobs(folder: Path, device: str, deadline: float, *, is_small: bool) -> Figures:
    """Film at 1080p by x264 and, where there is one, by the GPU's encoder."""
    cores = os.cpu_count() or 1
    frames = 32 if is_small else 48 * cores
    make_film(folder / "film.mp4", frames, 240 if is_small else 1080)
    cut = ("--set", "video.segment_frames=48")
    runs = {" ".join(more) or "all cores": (*more, *cut) for more in shares(device)}
    try:
        require_encoder("h264_nvenc")
        runs["all cores, h264_nvenc"] = (*cut, "--codec", "h264_nvenc")
        problem = ""
    except ConfigError as error:
        problem = error.message
    found: Figures = {
        name: job(folder / "film.mp4", folder / f"film {number}", device, deadline, *more)
        for number, (name, more) in enumerate(runs.items())
    }
    return found | ({"nvenc": problem} if problem else {})


def machine(device: torch.device) -> Figures:
    """What this was measured on."""
    is_cuda = device.type == "cuda"
    return {
        "gpu": torch.cuda.get_device_name() if is_cuda else None,
        "capability": torch.cuda.get_device_capability() if is_cuda else None,
        "bf16": has_bf16(device),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the parts in the order of what matters most, as long as there is time."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--seconds",
        type=float,
        default=420,
        help="nothing begins after that, and all ends 50 s later",
    )
    parser.add_argument("--out", type=Path, metavar="JSON")
    options = parser.parse_args(arguments)
    device, is_small = torch.device(options.device), options.device == "cpu"
    deadline = time.monotonic() + options.seconds
    found: Figures = {"machine": machine(device)}
    print(json.dumps(found["machine"]), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        parts: dict[str, Callable[[], Figures]] = {
            "generator, pictures/s": lambda: generator_rates(device, is_small=is_small),
            "film": lambda: film_jobs(place, options.device, deadline, is_small=is_small),
            "photos": lambda: photo_jobs(place, options.device, deadline, is_small=is_small),
            "memory of a worker, bytes": lambda: worker_memory(device),
        }
        for name, part in parts.items():
            started = time.monotonic()
            found[name] = part() if started < deadline else "left out: no time"
            print(
                f"{name} ({time.monotonic() - started:.0f} s): {json.dumps(found[name])}",
                flush=True,
            )
            if options.out:  # after each part, should the machine be taken away
                options.out.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
