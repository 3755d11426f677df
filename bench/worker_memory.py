"""Whether a worker grows: what it has resident after each of many films of many sizes.

python -m bench.worker_memory [--films 40] [--frames 48]
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.dry_run import write_film
from colorize_core.archive.records.work import Join, UnitReport, WorkUnit
from colorize_core.cli.run import main as run
from colorize_core.inference import worker
from colorize_core.inference.worker import Worker

SIZES = ((320, 240), (640, 480), (720, 576), (960, 720), (1280, 720), (1920, 1080))


class Measured(Worker):
    """Notes what is resident after each film."""

    resident: list[float]

    def run(self, unit: WorkUnit) -> UnitReport:
        """Run it, and look."""
        report = super().run(unit)
        if isinstance(unit, Join):
            self.resident.append(resident())
            print(f"film {len(self.resident)}: {self.resident[-1]:.0f} MB", flush=True)
        return report


def resident() -> float:
    """Megabytes that this process has in memory now."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line per film, and medians of the quarters; 1 if the last is larger by a tenth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=40)
    parser.add_argument("--frames", type=int, default=48)
    options = parser.parse_args(arguments)
    rng = random.Random(1)
    worker.Worker = Measured  # type: ignore[misc]
    Measured.resident = []
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "films")
        for number in range(options.films):
            frames = round(options.frames * rng.uniform(0.5, 1.5))
            write_film(source / f"{number:03d}.mp4", frames, *rng.choice(SIZES))
        words = [str(source), "--out", str(Path(folder, "out")), "--runner", "serial"]
        code = run([*words, "--no-report", "--set", "model.precision=fp32"])
    quarters = [float(np.median(part)) for part in np.array_split(Measured.resident, 4)]
    print(json.dumps({"code": code, "films": options.films, "megabytes": quarters}))
    return 1 if quarters[-1] > 1.1 * quarters[1] else 0


if __name__ == "__main__":
    sys.exit(main())
