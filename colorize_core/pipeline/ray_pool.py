"""Units on Ray actors: one per GPU, or one per CPU core."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Ray reads these when it is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from colorize_core.archive.records.work import (
    FilmCopy,
    FilmScan,
    ImageShard,
    Join,
    UnitReport,
    VideoSegment,
    WorkUnit,
)
from colorize_core.archive.source.remote import FOLLOW_REDIRECTS
from colorize_core.config import RunOptions
from colorize_core.errors import ColorizeError, ResumableError, is_transient
from colorize_core.pipeline.loop import Finished, Lost
from colorize_core.pipeline.ray_folder import short_folder
from colorize_core.pipeline.serial_pool import Worker
from colorize_core.pipeline.sharing import allowed_units

WINDOW = 2
WORKER_MEMORY_BYTES = 1_500_000_000
# A unit may take this many times as long as such units took so far for as much work.
LEASE_FACTOR = 20.0
# No lease is shorter than this: a film without an index is one unit, whatever its length.
SLOWEST_SECONDS_PER_FRAME = 2.0
SLOWEST_SECONDS_PER_BYTE = 1e-6
# Per worker. One photo that kills costs up to 6 in a row until the half without it answers.
MAX_STARTS_WITHOUT_RESULT = 12
# How often the pool looks whether other jobs of the cluster wait for room.
SHARE_SECONDS = 5.0
OBJECT_STORE_BYTES = 100 * 2**20


@dataclass
class _Actor:
    handle: Any
    # Pending until the actor runs; units go only to actors that do, so one that the cluster has
    # no room for delays nothing.
    starting: Any
    # In order of submission: the actor runs them one after the other.
    queue: deque[tuple[WorkUnit, Any]] = field(default_factory=deque)
    head_since: float = 0.0
    # Its unit runs alone: a death is that unit's.
    alone: bool = False
    # It ends with its last unit, for others wait for its place.
    is_leaving: bool = False

    @property
    def room(self) -> int:
        """How many more units it takes."""
        is_closed = self.starting is not None or self.alone or self.is_leaving
        return 0 if is_closed else WINDOW - len(self.queue)


class _RemoteWorker:
    def __init__(self, make_worker: Callable[[], Worker]) -> None:
        self._worker = make_worker()

    def ready(self) -> bool:
        return True

    def run(self, unit: WorkUnit) -> UnitReport:
        return self._worker.run(unit)


class RayPool:
    """Actors with their own queue of two, replaced when they die.

    Ray's own restarts and retries are off: a task that Ray retries by itself could be counted
    twice, or loop for ever on a unit that kills its process.

    An actor that dies with two units queued may have answered the first and died of the second
    before the answer left the process. So neither is blamed; each runs again on an actor that has
    nothing else to do, and only a death there counts against it.

    When a training or another group of workers waits for room on the cluster, as many actors as it
    needs end after their units, down to one; they come back when nothing waits.

    Args:
        make_worker: picklable; called once in each actor.
        options: device, workers, lease.

    Raises:
        ColorizeError: no worker can start.
    """

    def __init__(self, make_worker: Callable[[], Worker], options: RunOptions) -> None:
        self._make_worker = make_worker
        self._options = options
        self._owns_ray = start_ray(options)
        self._gpu = _use_gpu(options)
        self._mean_seconds: dict[type, float] = {}  # per photo, frame or byte
        self._starts_without_result = 0
        self._ambiguous: set[str] = set()
        self._waiting: deque[WorkUnit] = deque()
        self._next_look = time.monotonic() + SHARE_SECONDS
        self._wanted = _count(options, gpu=self._gpu)
        self._actors = [self._start() for _ in range(self._wanted)]

    @property
    def workers(self) -> int:
        """How many actors there are."""
        return len(self._actors)

    @property
    def free(self) -> int:
        """Free places in the queues of actors that run; none while a unit waits for an idle one."""
        return 0 if self._waiting else sum(actor.room for actor in self._actors)

    @property
    def in_flight(self) -> int:
        """Units submitted and not answered."""
        return len(self._waiting) + sum(len(actor.queue) for actor in self._actors)

    def submit(self, unit: WorkUnit) -> None:
        """Queue the unit at the least loaded actor, or let it wait until one is idle."""
        if unit.id in self._ambiguous:
            self._waiting.append(unit)
            self._start_waiting()
        else:
            self._send(unit, max(self._actors, key=lambda a: a.room))

    def _start_waiting(self) -> None:
        idle = (a for a in self._actors if a.room and not a.queue)
        for actor in idle:
            if not self._waiting:
                return
            actor.alone = True
            self._send(self._waiting.popleft(), actor)

    def _send(self, unit: WorkUnit, actor: _Actor) -> None:
        if not actor.queue:
            actor.head_since = time.monotonic()
        actor.queue.append((unit, actor.handle.run.remote(unit)))

    def wait(self, timeout: float) -> list[Finished | Lost]:
        """Answers and deaths since the last call."""
        pending = {a.starting: a for a in self._actors if a.starting is not None}
        pending |= {a.queue[0][1]: a for a in self._actors if a.queue}
        done: list[Any] = []
        if not pending:
            time.sleep(timeout)
        else:
            done, rest = ray.wait(list(pending), num_returns=1, timeout=timeout)
            # Whatever else is ready has answered, however long the driver was away.
            done += ray.wait(rest, num_returns=len(rest), timeout=0)[0] if rest else []
        outcomes: list[Finished | Lost] = []
        for reference in done:
            outcomes += self._answer(pending[reference], reference)
        for actor in list(self._actors):
            outcomes += self._expire(actor)
        self._share()
        self._start_waiting()
        return outcomes

    def _share(self) -> None:
        """Make room for groups of workers that wait, or take back what nobody waits for."""
        for actor in [a for a in self._actors if a.is_leaving and not a.queue]:
            self._end(actor)
        if time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + SHARE_SECONDS
        kind = "GPU" if self._gpu else "CPU"
        allowed = allowed_units(kind)
        if allowed is None:
            self._actors += [self._start() for _ in range(self._wanted - len(self._actors))]
            return
        # Those without a place first: they would take the one that is made free.
        staying = sorted(
            (a for a in self._actors if not a.is_leaving),
            key=lambda a: (a.starting is None, len(a.queue)),
        )
        for actor in staying[: max(0, len(staying) - max(1, allowed))]:
            actor.is_leaving = True
            if not actor.queue:
                self._end(actor)

    def _end(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        ray.kill(actor.handle, no_restart=True)

    def close(self) -> None:
        """Kill the actors and, if this process started Ray, stop it."""
        for actor in self._actors:
            ray.kill(actor.handle, no_restart=True)
        if self._owns_ray:
            ray.shutdown()

    def _answer(self, actor: _Actor, reference: Any) -> list[Finished | Lost]:
        try:
            result = ray.get(reference)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, ColorizeError):
                raise cause from error
            raise
        # The second is Ray's memory monitor, which kills a worker before the system runs out.
        except (RayActorError, OutOfMemoryError) as error:
            return self._replace(actor, _first_line(error), known=len(actor.queue) == 1)
        if reference == actor.starting:
            actor.starting = None
            return []
        unit, _ = actor.queue.popleft()
        actor.alone = False
        self._ambiguous.discard(unit.id)
        actor.head_since = time.monotonic()
        self._starts_without_result = 0
        seconds = result.seconds / _amount(unit)
        mean = self._mean_seconds.get(type(unit), seconds)
        self._mean_seconds[type(unit)] = 0.8 * mean + 0.2 * seconds
        return [Finished(unit, result)]

    def _expire(self, actor: _Actor) -> list[Finished | Lost]:
        if not actor.queue or actor not in self._actors:
            return []
        unit, _ = actor.queue[0]
        lease = lease_seconds(
            unit, mean=self._mean_seconds.get(type(unit)), least=self._options.min_lease_seconds
        )
        if time.monotonic() - actor.head_since < lease:
            return []
        ray.kill(actor.handle, no_restart=True)
        return self._replace(actor, f"no answer for {lease:.0f} s", known=True)

    def _replace(self, actor: _Actor, reason: str, *, known: bool) -> list[Finished | Lost]:
        """Start another actor. `known`: the first unit of the queue is to blame for sure."""
        self._starts_without_result += 1
        if self._starts_without_result > MAX_STARTS_WITHOUT_RESULT * len(self._actors):
            raise ResumableError(
                f"workers keep dying before they finish anything: {reason}",
                remedy="try --runner serial to see the cause, or fewer --workers",
            )
        self._actors[self._actors.index(actor)] = self._start()
        self._ambiguous.update(unit.id for unit, _ in actor.queue)
        return [
            Lost(unit, reason, suspect=known and i == 0) for i, (unit, _) in enumerate(actor.queue)
        ]

    def _start(self) -> _Actor:
        actor: Any = ray.remote(_RemoteWorker)
        remote = actor.options(
            num_cpus=1,
            num_gpus=1 if self._gpu else 0,
            # With --workers the user has decided how much memory is at stake.
            memory=WORKER_MEMORY_BYTES if self._options.workers is None else 0,
            max_restarts=0,
            max_task_retries=0,
        )
        handle = remote.remote(self._make_worker)
        return _Actor(handle, starting=handle.ready.remote())


def _amount(unit: WorkUnit) -> float:
    """How much work there is: photos, frames, or bytes to copy."""
    match unit:
        case ImageShard():
            return len(unit.photos)
        case FilmScan():
            return unit.probe.frames
        case VideoSegment():
            return unit.stop - unit.start
        case Join():
            return max(1, sum(segment.frames for segment in unit.segments))
        case FilmCopy():
            return max(1, unit.item.size)


def lease_seconds(unit: WorkUnit, *, mean: float | None, least: float) -> float:
    """How long a unit may run before its worker counts as hung.

    Args:
        unit: what runs.
        mean: seconds per photo, frame or byte of such units so far; None before the first answer,
            when nothing is known of how long they take.
        least: seconds that any unit may take, ten times that before the first answer.
    """
    lease = 10 * least if mean is None else max(least, LEASE_FACTOR * mean * _amount(unit))
    match unit:
        case ImageShard():
            return lease
        case FilmScan() | VideoSegment() | Join():
            return max(lease, SLOWEST_SECONDS_PER_FRAME * _amount(unit))
        case FilmCopy():
            return max(lease, SLOWEST_SECONDS_PER_BYTE * _amount(unit))


def start_ray(options: RunOptions, *, show_logs: bool = False) -> bool:
    """Join the cluster of RAY_ADDRESS, or start a local Ray.

    Args:
        options: the number of workers a local Ray must have room for.
        show_logs: print what workers log.

    Returns:
        True if this call started a local Ray.
    """
    if ray.is_initialized():
        return False
    with _own_signal_handlers():
        return _init_ray(options, show_logs=show_logs)


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Undo what ray.init does to SIGTERM: it would end the driver without draining."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _init_ray(options: RunOptions, *, show_logs: bool) -> bool:
    root = Path(__file__).resolve().parents[2]
    address = os.environ.get("RAY_ADDRESS")
    common: dict[str, Any] = {"log_to_driver": show_logs, "logging_level": "warning"}
    if address:
        # Workers of another machine need the code.
        modules = [str(root / "colorize_core")]
        wished = os.environ.get(FOLLOW_REDIRECTS)
        passed_on = {"env_vars": {FOLLOW_REDIRECTS: wished}} if wished else {}
        ray.init(address=address, runtime_env={"py_modules": modules, **passed_on}, **common)
        return False
    # A token for a Ray that only this machine reaches is no news for the user.
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel("ERROR")
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    local: dict[str, Any] = {
        "address": "local",
        "num_cpus": max(os.cpu_count() or 1, options.workers or 1),
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
        "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}},
    }
    if folder := short_folder():
        local["_temp_dir"] = folder
    for tries_left in (1, 0):
        try:
            ray.init(**local, **common)
            break
        # A node that is not up after 30 s, on a busy machine, is a bare Exception of Ray's.
        except Exception as error:
            ray.shutdown()
            if isinstance(error, OSError) and not is_transient(error):
                raise ColorizeError(
                    f"Ray cannot start on this machine: {_first_line(error)}",
                    remedy="check TMPDIR and /dev/shm, or use --runner serial",
                ) from error
            if not tries_left:
                raise ResumableError(
                    f"Ray did not start: {_first_line(error)}",
                    remedy="run again when the machine is less busy, or use --runner serial",
                ) from error
    return True


def _resources() -> dict[str, float]:
    found: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return found


def _use_gpu(options: RunOptions) -> bool:
    available = _resources().get("GPU", 0.0) >= 1
    if options.device == "cuda" and not available:
        raise ColorizeError(
            "--device cuda: the Ray cluster has no GPU",
            remedy="use --device cpu, or add a GPU node",
        )
    return available and options.device != "cpu"


def _count(options: RunOptions, *, gpu: bool) -> int:
    if options.workers is not None:
        return options.workers
    resources = _resources()
    units = resources.get("GPU", 0.0) if gpu else resources.get("CPU", 1.0)
    return max(1, int(min(units, resources.get("memory", 0.0) // WORKER_MEMORY_BYTES)))


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
