"""Runs a unit behind a fence: see archive.records.fence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from colorize_core.archive.records.fence import Fence, state_of
from colorize_core.archive.records.work import FileState, UnitReport, WorkUnit
from colorize_core.archive.storage.storage import Worker
from colorize_core.atomic import publishing


def run_fenced(worker: Worker, unit: WorkUnit, fence: Fence | None) -> UnitReport:
    """Run a unit, and note the files that it publishes.

    Raises:
        FencedError: the run no longer counts on this worker.
    """
    if fence is None:
        return worker.run(unit)
    published: dict[str, FileState] = {}

    def before_rename(temporary: Path, path: Path) -> None:
        fence.require()
        if path.is_relative_to(fence.out):
            published[path.relative_to(fence.out).as_posix()] = state_of(temporary)

    with publishing(before_rename):
        report = worker.run(unit)
    return replace(report, files=published)
