"""Running the job on a small part of its source, to see what it costs here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import RunOptions
from colorize_core.errors import ColorizeError
from colorize_core.pipeline.estimate.rates import Rates, is_colored, rates_of, summary_head
from colorize_core.pipeline.sample import spread

CALIBRATION_SECONDS: Final = 900
_END_SECONDS: Final = 15.0
_BETWEEN_SIGNALS: Final = 0.5
PHOTOS_PER_WORKER: Final = 16
MOST_PHOTOS: Final = 64
MOST_BYTES: Final = 200_000_000
FILMS: Final = 3
SEGMENT_FRAMES: Final = 64


def calibration_plan(items: Sequence[SourceItem], options: RunOptions) -> dict[str, Any]:
    """Which items stand for all: photos of all sizes, and some films; see RunOptions.calibration.

    Four times as many photos are named as are to be colored: those in color are passed over.
    """
    workers = min(options.workers or os.cpu_count() or 1, MOST_PHOTOS // PHOTOS_PER_WORKER)
    photos = sorted((i for i in items if i.kind == "photo"), key=lambda item: item.size)
    films = sorted((i for i in items if i.kind == "film"), key=lambda item: item.size)
    order = list(spread(photos))[: 4 * PHOTOS_PER_WORKER * workers]
    sizes = np.cumsum([item.size for item in order])
    most = max(4, int(np.searchsorted(sizes, MOST_BYTES, side="right")))
    chosen = list(spread(films))[:FILMS]
    return {
        "paths": [item.path for item in (*order, *chosen)],
        "photos": min(most, PHOTOS_PER_WORKER * workers),
        "segments": max(1, -(-workers // max(1, len(chosen)))),
    }


def calibrate(
    command: Sequence[str], scratch: Path, plan: Mapping[str, Any], pixels: Mapping[str, int]
) -> Rates | None:
    """Run the job on a part of its source, in a process of its own.

    Args:
        command: the module and the options of the run.
        scratch: a folder for its OUT.
        plan: see `calibration_plan`.
        pixels: of a frame, by path of the film.

    Raises:
        ColorizeError: it cannot run, or takes too long.
    """
    out, chosen = scratch / "calibration", scratch / "calibration.json"
    chosen.write_text(json.dumps(plan))
    options = ["--out", str(out), "--calibration", str(chosen)]
    options += ["--set", f"video.segment_frames={SEGMENT_FRAMES}"]
    started = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-m", command[0], *options, *command[1:]],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as run:
        try:
            _, said = run.communicate(timeout=CALIBRATION_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise ColorizeError(
                f"calibration took more than {CALIBRATION_SECONDS} s", remedy="use a smaller SRC"
            ) from error
        finally:
            _end(run)
    wall = time.monotonic() - started
    if run.returncode == 1:
        raise ColorizeError(said.decode(errors="replace").strip().splitlines()[-1])
    head, reports = (
        summary_head(RunFolder(out).summary),
        list(Manifest(RunFolder(out).manifest).reports()),
    )
    if not reports:
        return None
    after = max(0.0, wall - head.get("seconds", wall) - 2)
    colored = sum(is_colored(report) and report.kind == "photo" for report in reports)
    compare = after / max(1, colored) if "--compare" in command else 0.0
    return rates_of(
        reports,
        head,
        pixels,
        basis=f"a calibration with {_words(reports)}",
        overhead=wall - head.get("work_seconds", 0.0) - compare * colored,
        compare=compare,
    )


def _end(run: subprocess.Popen[bytes]) -> None:
    """Stop at once what still runs; killed, it could not remove what its Ray has on the disk."""
    for _ in range(2):
        if run.poll() is None:
            run.terminate()
            time.sleep(_BETWEEN_SIGNALS)
    with suppress(subprocess.TimeoutExpired):
        run.wait(_END_SECONDS)
    run.kill()


def _words(reports: Sequence[ItemReport]) -> str:
    photos = sum(r.kind == "photo" for r in reports)
    films = len({r.source for r in reports if r.kind == "segment"})
    parts = [f"{n} {what}{'s' * (n > 1)}" for n, what in ((photos, "photo"), (films, "film")) if n]
    return " and ".join(parts) or "no item"
