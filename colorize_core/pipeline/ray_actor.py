"""One worker of a run as an actor of Ray, and what its pool knows of it."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import ray

from colorize_core.archive.records.fence import Fence
from colorize_core.archive.records.work import UnitReport, WorkUnit
from colorize_core.archive.storage.storage import Worker
from colorize_core.config import RunOptions
from colorize_core.pipeline.fenced import run_fenced
from colorize_core.pipeline.placement import WORKER_MEMORY_BYTES, Placement

_WINDOW: Final = 2  # units that an actor holds: one in work, and the next


def start_actor(
    make_worker: Callable[[], Worker],
    options: RunOptions,
    placement: Placement,
    fence: Fence | None,
) -> Actor:
    """Ask Ray for an actor; it may have to wait for its place.

    Ray's own restarts and retries are off: see RayPool.
    """
    actor: Any = ray.remote(_RemoteWorker)
    remote = actor.options(
        num_cpus=1,
        num_gpus=placement.gpu_share,
        # With --workers the user has decided how much memory is at stake.
        memory=WORKER_MEMORY_BYTES if options.workers is None else 0,
        max_restarts=0,
        max_task_retries=0,
    )
    token = uuid.uuid4().hex
    handle = remote.remote(make_worker, None if fence is None else fence.of_worker(token))
    return Actor(handle, token, placing=handle.is_here.remote(), starting=handle.load.remote())


@dataclass(frozen=True)
class Standing:
    """What an actor says of itself when it runs: its GPU ("" for none), see Worker.has_bf16."""

    gpu: str
    has_bf16: bool


@dataclass
class Actor:
    """An actor with its queue."""

    handle: Any
    token: str
    # Pending until the actor has a place: one that the cluster has no room for may wait.
    placing: Any
    # Pending until it has loaded what it needs; units go only to actors that have.
    starting: Any
    standing: Standing | None = None
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
        return 0 if is_closed else _WINDOW - len(self.queue)


class _RemoteWorker:
    def __init__(self, make_worker: Callable[[], Worker], fence: Fence | None) -> None:
        self._make_worker, self._fence = make_worker, fence

    def is_here(self) -> bool:
        return True

    def load(self) -> Standing:
        self._worker = self._make_worker()
        context = ray.get_runtime_context()
        gpus = context.get_accelerator_ids()["GPU"]
        gpu = f"{context.get_node_id()} {gpus[0]}" if gpus else ""
        return Standing(gpu, self._worker.has_bf16)

    def run(self, unit: WorkUnit) -> UnitReport:
        return run_fenced(self._worker, unit, self._fence)
