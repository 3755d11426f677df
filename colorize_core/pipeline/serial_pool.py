"""The same loop in one process, without ray: debugging, tests, machines without Ray."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from colorize_core.archive.records.fence import Fence
from colorize_core.archive.records.work import UnitReport, WorkUnit
from colorize_core.archive.storage.storage import Worker
from colorize_core.pipeline.fenced import run_fenced
from colorize_core.pipeline.loop import Finished, Lost
from colorize_core.pipeline.stop import StopRequest


class SerialPool:
    """One worker in one thread, so that the main thread stays free for signals.

    Args:
        make_worker: called when the worker is first needed.
        fence: of the run; None for what publishes nothing.
    """

    def __init__(self, make_worker: Callable[[], Worker], fence: Fence | None = None) -> None:
        self._make_worker = make_worker
        self._fence = fence
        self._worker: Worker | None = None
        self._unit: WorkUnit | None = None
        self._answers: queue.Queue[UnitReport | BaseException] = queue.Queue()

    @property
    def workers(self) -> int:
        """There is one."""
        return 1

    def has_bf16(self, _stop: StopRequest) -> bool:
        """Whether the worker has it."""
        if self._worker is None:
            self._worker = self._make_worker()
        return self._worker.has_bf16

    @property
    def free(self) -> int:
        """1 when idle."""
        return 0 if self._unit else 1

    @property
    def in_flight(self) -> int:
        """1 when busy."""
        return 1 if self._unit else 0

    def submit(self, unit: WorkUnit) -> None:
        """Start the unit."""
        self._unit = unit
        # A daemon: an abandoned unit must not keep the process alive.
        threading.Thread(target=self._run, args=(unit,), name="serial-worker", daemon=True).start()

    def wait(self, timeout: float) -> list[Finished | Lost]:
        """The running unit's report, if it ends in time. What the worker raises is raised here."""
        if self._unit is None:
            time.sleep(timeout)  # a retry waits for its time
            return []
        try:
            answer = self._answers.get(timeout=timeout)
        except queue.Empty:
            return []
        unit, self._unit = self._unit, None
        if isinstance(answer, BaseException):
            raise answer
        return [Finished(unit, answer)]

    def close(self) -> None:
        """Nothing to give back: the loop has drained what it wanted."""

    def _run(self, unit: WorkUnit) -> None:
        try:
            if self._worker is None:
                self._worker = self._make_worker()
            self._answers.put(run_fenced(self._worker, unit, self._fence))
        except BaseException as error:  # noqa: BLE001 - raised again by wait() in the main thread
            self._answers.put(error)
