"""What the driver costs: a large archive that is finished, and made workers that cost nothing.

    python -m bench.scale [--photos 100000] [--folder /a/large/disk]

Photos are links to one file; a million take some 2 GB of disk for names and the manifest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from colorize_core.archive.records.details import PhotoDetails, SegmentDetails
from colorize_core.archive.records.keys import Maker, item_key, photo_settings
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import (
    ImageShard,
    ItemReport,
    PhotoTask,
    UnitReport,
    WorkUnit,
)
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.storage.storage import LocalFolder
from colorize_core.config import ColorizeConfig, ModelSettings, RunOptions
from colorize_core.media.picture.plain import write_picture
from colorize_core.memory import peak_memory_bytes
from colorize_core.pipeline.find_items import find_items
from colorize_core.pipeline.loop import Finished, Loop
from colorize_core.pipeline.plan import Planner
from colorize_core.pipeline.progress import Progress
from colorize_core.pipeline.stop import StopRequest

CONFIG = ColorizeConfig(model=ModelSettings(precision="fp32"))
MAKER = Maker("0" * 64)
PER_FOLDER = 1000
SIGNALS = {"chroma": 21.4, "gray": 0.07, "blotch": 1.3, "cast": 2.9, "spread": 14.2}
DETAILS = PhotoDetails(width=1200, height=900, signals=SIGNALS, growth=1.31)


def find(source: Path, out: Path) -> Sequence[SourceItem]:
    """Scan as the job does."""
    return find_items(
        str(source), out, follow_links=False, staging=None, config_for=lambda _: CONFIG
    ).items


def make_archive(source: Path, out: Path, photos: int) -> None:
    """Gray photos and their finished outputs, all links to one file each, and their manifest."""
    source.mkdir()
    kept = source.parent / "one.jpg"
    write_picture(kept, np.tile(np.arange(64, dtype=np.uint8), (64, 1)))
    for i in range(photos):
        folder = Path(f"box {i // PER_FOLDER:04d}")
        if i % PER_FOLDER == 0:
            (source / folder).mkdir()
            (out / folder).mkdir(parents=True)
        for root in (source, out):
            # A file has at most some 65,000 names.
            if i % 30_000 == 0:
                (source.parent / f"{root.name}.jpg").unlink(missing_ok=True)
                (source.parent / f"{root.name}.jpg").write_bytes(kept.read_bytes())
            os.link(source.parent / f"{root.name}.jpg", root / folder / f"scan {i:07d}.jpg")
    manifest = Manifest(RunFolder(out).manifest)
    size = kept.stat().st_size
    items = find(source, out)
    for at in range(0, photos, 10_000):
        manifest.append(finished(item, size) for item in items[at : at + 10_000])


def finished(item: SourceItem, size: int) -> ItemReport:
    """What a worker reports of a photo."""
    return ItemReport(
        key=item_key(item, MAKER, settings=photo_settings(CONFIG), what="photo"),
        kind="photo",
        source=item.path,
        status="done",
        output=item.output,
        sha256="a" * 64,
        size=size,
        seconds=0.123,
        source_sha256="b" * 64,
        stamp=item.stamp,
        details=DETAILS,
    )


def resume(source: Path, out: Path) -> None:
    """Scan, read the manifest, plan: what a run does that finds all finished.

    Prints JSON: photos, left, processor seconds of each step, bytes.
    """
    marks = [time.process_time()]
    items = find(source, out)
    marks.append(time.process_time())
    manifest = Manifest(RunFolder(out).manifest)
    marks.append(time.process_time())
    planner = Planner(
        items,
        manifest,
        storage=LocalFolder(out),
        config_for=lambda _: CONFIG,
        maker=MAKER,
        options=RunOptions(),
    )
    marks.append(time.process_time())
    left = len(planner.pending_items)
    print(json.dumps([len(items), left, *np.diff(marks).tolist(), peak_memory_bytes()]))


class MadeWorkers:
    """A pool whose workers answer at once: all that is left is the driver."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._queue: list[WorkUnit] = []

    def has_bf16(self, _stop: StopRequest) -> bool:
        """Of no interest."""
        return False

    @property
    def free(self) -> int:
        """As of real workers, each with a queue of two."""
        return 2 * self.workers - len(self._queue)

    @property
    def in_flight(self) -> int:
        """Units that wait to be answered."""
        return len(self._queue)

    def submit(self, unit: WorkUnit) -> None:
        """Take a unit."""
        self._queue.append(unit)

    def wait(self, timeout: float) -> list[Finished]:
        """Answer all."""
        del timeout
        units, self._queue = self._queue, []
        return [Finished(unit, answer(unit)) for unit in units]

    def close(self) -> None:
        """Nothing to give back."""


def answer(unit: WorkUnit) -> UnitReport:
    """What a worker would say of a shard of photos, or of one segment."""
    assert isinstance(unit, ImageShard)
    reports = tuple(replace(finished(task.item, 1000), key=task.key) for task in unit.photos)
    if len(reports) == 1:
        details = SegmentDetails("f" * 32)
        reports = (replace(reports[0], kind="segment", details=details, frames=300),)
    return UnitReport(reports, seconds=1.0, cpu_seconds=1.0)


def shards(count: int, photos: int) -> Iterator[ImageShard]:
    """Units of so many photos each."""
    for i in range(count):
        names = [f"box {i}/scan {n}.jpg" for n in range(photos)]
        items = [SourceItem(name, f"/in/{name}", 1000, "mtime_ns:1", "photo") for name in names]
        tasks = (PhotoTask(f"{i}-{n}" + "0" * 26, item, item.path) for n, item in enumerate(items))
        yield ImageShard(tuple(tasks), CONFIG)


def driver_seconds(out: Path, units: int, photos: int) -> tuple[float, float]:
    """Wall and processor seconds of the driver for so many units of so many photos."""
    out.mkdir()
    folder = RunFolder(out)
    manifest = Manifest(folder.manifest)
    progress = Progress([], 0, folder.progress)

    def record(report: UnitReport) -> list[WorkUnit]:
        manifest.append(report.items)
        progress.update(report)
        return []

    pool, options = MadeWorkers(1000), RunOptions()
    loop = Loop(
        shards(units, photos), pool, record, stop=StopRequest(), out=out, options=options,
        on_tick=progress.tick,
    )  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    loop.run()
    return time.perf_counter() - wall, time.process_time() - cpu


def show_resume(folder: Path, photos: int) -> None:
    """Print what a finished archive costs, in a process of its own."""
    source, out = folder / "in", folder / "out"
    make_archive(source, out, photos)
    code = "import sys; from pathlib import Path; from bench.scale import resume; "
    code += "resume(Path(sys.argv[1]), Path(sys.argv[2]))"
    said = subprocess.run(
        [sys.executable, "-c", code, str(source), str(out)], check=True, capture_output=True
    ).stdout
    found, left, scan, load, plan, memory = json.loads(said)
    assert (found, left) == (photos, 0)
    size = RunFolder(out).manifest.stat().st_size / photos
    total = scan + load + plan
    print(
        f"{photos} finished photos, processor: scan {scan:.1f} s, manifest {load:.1f} s, "
        f"plan {plan:.1f} s, "
        f"together {total:.1f} s, {memory / 2**20:.0f} MiB; manifest {size:.0f} bytes a photo"
    )
    print(f"  a million, in proportion: {total * 1e6 / photos:.0f} s (goal: 60)")


def show_driver(folder: Path) -> None:
    """Print what the driver costs beside its workers."""
    for what, units, photos, rate in (
        ("photos in shards of 32", 1500, 32, 2000 / 32),
        ("film segments", 3000, 1, 5000 / 60),
    ):
        wall, cpu = driver_seconds(folder / what, units, photos)
        each, of_a_core = 1e6 * cpu / (units * photos), cpu / units * rate
        print(
            f"driver, {what}: {units * photos / wall:.0f} a second, {each:.0f} microseconds of "
            f"processor each; at {rate * photos:.0f} a second {of_a_core:.0%} of a core"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the archive is made")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        show_driver(Path(folder))
        show_resume(Path(folder), options.photos)


if __name__ == "__main__":
    main()
