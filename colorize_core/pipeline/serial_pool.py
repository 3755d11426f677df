"""The same loop in one process, without ray: debugging, tests, machines without Ray."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol

from colorize_core.archive.units import UnitReport, WorkUnit
from colorize_core.pipeline.run import Finished, Lost


class Worker(Protocol):
    """Turns a unit into published files and a report."""

    def run(self, unit: WorkUnit) -> UnitReport:
        """Run one unit; per-item failures are in the report, not raised."""
        ...


class SerialPool:
    """One worker in one thread, so that the main thread stays free for signals.

    Args:
        make_worker: called in the worker thread at the first unit.
    """

    def __init__(self, make_worker: Callable[[], Worker]) -> None:
        self._make_worker = make_worker
        self._worker: Worker | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="serial-worker")
        self._running: tuple[WorkUnit, Future[UnitReport]] | None = None

    @property
    def free(self) -> int:
        """1 when idle."""
        return 0 if self._running else 1

    @property
    def in_flight(self) -> int:
        """1 when busy."""
        return 1 if self._running else 0

    def submit(self, unit: WorkUnit) -> None:
        """Start the unit."""
        self._running = (unit, self._thread.submit(self._run, unit))

    def wait(self, timeout: float) -> list[Finished | Lost]:
        """The running unit's report, if it ends in time. What the worker raises is raised here."""
        if self._running is None:
            return []
        unit, future = self._running
        if not wait([future], timeout).done:
            return []
        self._running = None
        return [Finished(unit, future.result())]

    def close(self, *, abandon: bool) -> None:
        """End the thread; with `abandon` it is left running and dies with the process."""
        self._thread.shutdown(wait=not abandon, cancel_futures=True)

    def _run(self, unit: WorkUnit) -> UnitReport:
        if self._worker is None:
            self._worker = self._make_worker()
        return self._worker.run(unit)
