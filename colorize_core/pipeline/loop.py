"""The loop that dispatches units, records reports and decides about retries."""

from __future__ import annotations

import heapq
import itertools
import shutil
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from colorize_core.archive.records.work import (
    ImageShard,
    ItemReport,
    UnitReport,
    WorkUnit,
)
from colorize_core.config import RunOptions
from colorize_core.errors import CrashError, UnreachableError
from colorize_core.pipeline.stop import StopRequest

POLL_SECONDS = 0.25
MAX_TRANSIENT_TRIES = 4
RETRY_SECONDS = 1.0  # doubled with every try
# A shard is split after two deaths. What stands alone gets more tries: preempted nodes or the
# kernel's memory killer can hit the same unit again without its being to blame. Where they have
# hit units that were then finished, they are about, and it takes more to convict.
SHARD_DEATHS = 2
LONE_DEATHS = 4
MOST_DEATHS = 10
# Below this nothing new is started; small disks keep a twentieth.
LOW_WATER_BYTES = 256 * 2**20
LOW_WATER_SHARE = 0.05
DISK_CHECK_SECONDS = 5.0


@dataclass(frozen=True)
class Finished:
    """A worker answered."""

    unit: WorkUnit
    report: UnitReport


@dataclass(frozen=True)
class Lost:
    """The worker of this unit died or hung. `suspect`: for sure while it ran this unit."""

    unit: WorkUnit
    reason: str
    suspect: bool


class Pool(Protocol):
    """Where units run. The loop does not know whether that is Ray or this process."""

    @property
    def workers(self) -> int:
        """How many workers there are."""
        ...

    def has_bf16(self, stop: StopRequest) -> bool:
        """Whether the workers compute bf16 themselves; waits until one has started."""
        ...

    @property
    def free(self) -> int:
        """How many more units it takes now."""
        ...

    @property
    def in_flight(self) -> int:
        """How many units it holds."""
        ...

    def submit(self, unit: WorkUnit) -> None:
        """Take a unit; only when `free` is positive."""
        ...

    def wait(self, timeout: float) -> list[Finished | Lost]:
        """Outcomes since the last call; blocks up to `timeout` seconds for the first."""
        ...

    def close(self) -> None:
        """Give the workers back, without waiting for what runs."""
        ...


@dataclass(frozen=True)
class Ending:
    """How the loop ended. `blocked` is a reason outside the inputs; both mean: run again."""

    stopped: bool = False
    blocked: str = ""


class Loop:
    """Keeps the pool busy until nothing is left, a stop is asked for, or the disk is full.

    The loop owns the retry policy. A unit whose worker dies is tried again; a shard that kills
    twice is split in halves until the photo that kills stands alone and is recorded as `crash`.

    Args:
        units: what is pending, lazily; also reports of what failed before it could run.
        pool: where it runs.
        record: persists a report; returns what it unlocked (joins).
        stop: the user's wish to stop.
        out: its disk is watched.
        options: drain and wait times, and the limit of units.
        check: of what a worker answers, moves to `retry` what must not be recorded.
        on_tick: called every POLL_SECONDS or so, for progress.
    """

    def __init__(
        self,
        units: Iterable[WorkUnit | ItemReport],
        pool: Pool,
        record: Callable[[UnitReport], Sequence[WorkUnit | ItemReport]],
        *,
        stop: StopRequest,
        out: Path,
        options: RunOptions,
        check: Callable[[UnitReport], UnitReport] = lambda report: report,
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._units = iter(units)
        self._pool = pool
        self._record = record
        self._stop = stop
        self._out = out
        self._options = options
        self._check = check
        self._on_tick = on_tick
        self._ready: deque[WorkUnit | ItemReport] = deque()
        self._later: list[tuple[float, int, WorkUnit]] = []
        self._order = itertools.count()
        self.lost_a_worker = False
        self._deaths: Counter[str] = Counter()
        self._shared_deaths: Counter[str] = Counter()
        self._innocent_deaths = 0.0
        self._transients: Counter[str] = Counter()
        self._exhausted = False
        self._blocked = ""
        self._wanted_free = 0.0
        self._disk_checked = 0.0

    def run(self) -> Ending:
        """Run to the end.

        Returns:
            How it ended; everything that finished is recorded.
        """
        while not self._stop.requested:
            self._check_disk()
            if self._blocked:
                self._drain(self._options.drain_seconds)
                if self._stop.requested or not self._space_came_back():
                    break
                self._blocked = ""
            self._fill()
            waiting = self._pool.in_flight or self._later or self._ready
            if self._exhausted and not waiting:
                return Ending()
            self._handle(self._pool.wait(POLL_SECONDS))
            self._on_tick()
        if self._stop.requested:
            self._drain(self._options.drain_seconds)
        return Ending(stopped=self._stop.requested, blocked=self._blocked)

    def _fill(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            self._ready.append(heapq.heappop(self._later)[2])
        while self._pool.free > 0 and not self._stop.requested:
            unit = self._ready.popleft() if self._ready else next(self._units, None)
            if unit is None:
                self._exhausted = True
                return
            if isinstance(unit, ItemReport):
                self._commit(UnitReport((unit,)))
            else:
                self._pool.submit(unit)

    def _drain(self, seconds: float) -> None:
        """Let running units end; the pool's own queue is dropped by whoever closes it."""
        deadline = time.monotonic() + seconds
        while self._pool.in_flight and not self._stop.at_once and time.monotonic() < deadline:
            self._handle(self._pool.wait(POLL_SECONDS))

    def _handle(self, outcomes: list[Finished | Lost]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Finished):
                self._finished(outcome.unit, self._check(outcome.report))
                continue
            self.lost_a_worker = True
            if outcome.suspect:
                self._died(outcome.unit, outcome.reason)
            else:
                self._shared_deaths[outcome.unit.id] += 1
                self._ready.append(outcome.unit)

    def _finished(self, unit: WorkUnit, report: UnitReport) -> None:
        # A death of two queued units counts in full when both turn out to be innocent.
        shared = self._shared_deaths.pop(unit.id, 0)
        self._innocent_deaths += self._deaths.pop(unit.id, 0) + shared / 2
        again = [key for key in report.retry if self._transients[key] + 1 < MAX_TRANSIENT_TRIES]
        given_up = tuple(
            ItemReport.failed(
                about,
                reason=report.retry[about.key],
                remedy="check the storage, then run with --retry-failed",
                error=UnreachableError.kind,
            )
            for about in unit.items
            if about.key in report.retry and about.key not in again
        )
        self._commit(replace(report, items=report.items + given_up))
        self._transients.update(again)
        if report.blocked:
            # What is free was not enough, so it must become more.
            self._block(report.blocked, more_than_now=True)
            left = _rest(unit, {item.key for item in report.items})
            self._ready.extend(left)
        elif again:
            delay = RETRY_SECONDS * 2.0 ** max(self._transients[key] for key in again)
            for part in _only(unit, set(again)):
                heapq.heappush(self._later, (time.monotonic() + delay, next(self._order), part))

    def _died(self, unit: WorkUnit, reason: str) -> None:
        self._deaths[unit.id] += 1
        halves = _halves(unit)
        lone = min(LONE_DEATHS + int(self._innocent_deaths), MOST_DEATHS)
        if self._deaths[unit.id] < (SHARD_DEATHS if halves else lone):
            self._ready.append(unit)
        elif halves:
            for half in halves:
                # A half has one death behind it already, but a lone photo gets its full tries.
                self._deaths[half.id] = SHARD_DEATHS - 1 if len(half.photos) > 1 else 0
                self._ready.append(half)
        else:
            failure = ItemReport.failed(
                unit.items[0],
                reason=f"the worker died {self._deaths[unit.id]} times on it: {reason}",
                remedy="look at the file alone; run with --retry-failed after a change",
                error=CrashError.kind,
            )
            self._commit(UnitReport(items=(failure,)))

    def _commit(self, report: UnitReport) -> None:
        self._ready.extend(self._record(report))

    def _check_disk(self) -> None:
        now = time.monotonic()
        if self._blocked or now - self._disk_checked < DISK_CHECK_SECONDS:
            return
        self._disk_checked = now
        free = shutil.disk_usage(self._out).free
        if free < self._low_water():
            self._block(f"only {free // 2**20} MiB free on the disk of {self._out}")

    def _block(self, reason: str, *, more_than_now: bool = False) -> None:
        now = shutil.disk_usage(self._out).free if more_than_now else 0
        self._blocked = reason
        self._wanted_free = now + self._low_water()

    def _low_water(self) -> float:
        return min(LOW_WATER_BYTES, shutil.disk_usage(self._out).total * LOW_WATER_SHARE)

    def _space_came_back(self) -> bool:
        deadline = time.monotonic() + self._options.blocked_wait_seconds
        while not self._stop.requested:
            if shutil.disk_usage(self._out).free >= self._wanted_free:
                return True
            if time.monotonic() >= deadline:
                return False
            self._stop.wait(min(DISK_CHECK_SECONDS, max(0.0, deadline - time.monotonic())))
        return False


def _halves(unit: WorkUnit) -> list[ImageShard]:
    """Two shards with half of the photos each; none for what cannot be divided."""
    if not isinstance(unit, ImageShard) or len(unit.photos) < 2:
        return []
    middle = len(unit.photos) // 2
    return [replace(unit, photos=part) for part in (unit.photos[:middle], unit.photos[middle:])]


def _only(unit: WorkUnit, keys: set[str]) -> list[WorkUnit]:
    if isinstance(unit, ImageShard):
        photos = tuple(p for p in unit.photos if p.key in keys)
        return [replace(unit, photos=photos)] if photos else []
    return [unit] if unit.key in keys else []


def _rest(unit: WorkUnit, reported: set[str]) -> list[WorkUnit]:
    keys = {about.key for about in unit.items}
    return _only(unit, keys - reported)
