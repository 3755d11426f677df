"""Units on Ray actors, one per CPU core; on machines with GPUs each has a share of one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

# First, for it sets what Ray reads when it is imported.
from colorize_core.pipeline.ray_start import RayWatch, first_line, start_ray, stop_ray  # isort: skip

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from colorize_core.archive.records.fence import Fence
from colorize_core.archive.records.work import WorkUnit
from colorize_core.archive.storage.storage import Worker
from colorize_core.config import RunOptions
from colorize_core.errors import ColorizeError, ResumableError
from colorize_core.pipeline.leases import START_SECONDS, amount_of, lease_seconds
from colorize_core.pipeline.loop import Finished, Lost
from colorize_core.pipeline.placement import cluster_nodes, place
from colorize_core.pipeline.precision import all_have_bf16
from colorize_core.pipeline.ray_actor import Actor, start_actor
from colorize_core.pipeline.sharing import Place, allowed_units, leaving
from colorize_core.pipeline.stop import StopRequest

# Per worker. One photo that kills costs up to 6 in a row until the half without it answers.
MAX_STARTS_WITHOUT_RESULT = 12
# How often the pool looks whether other jobs of the cluster wait for room.
SHARE_SECONDS = 5.0
# How long the others get to say whether they have bf16 when the first has said that it does.
OTHERS_SECONDS = 20.0


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
        options: device, workers, workers_per_gpu, lease.
        fence: of the run; None for what publishes nothing.

    Raises:
        ColorizeError: no worker can start.
        ResumableError: Ray died, or did not start.
    """

    def __init__(
        self,
        make_worker: Callable[[], Worker],
        options: RunOptions,
        fence: Fence | None = None,
    ) -> None:
        self._fence = fence
        self._make_worker = make_worker
        self._options = options
        self._owns_ray = start_ray(options)
        self._ray = RayWatch()
        self._placement = place(cluster_nodes(options), options)
        self._mean_seconds: dict[type, float] = {}  # per photo, frame or byte
        self._starts_without_result = 0
        self._ambiguous: set[str] = set()
        self._waiting: deque[WorkUnit] = deque()
        self._next_look = time.monotonic() + SHARE_SECONDS
        self._others_until = float("inf")
        self._actors = [self._start() for _ in range(self._placement.workers)]

    @property
    def workers(self) -> int:
        """How many actors there are."""
        return len(self._actors)

    def has_bf16(self, stop: StopRequest) -> bool:
        """See all_have_bf16."""
        return all_have_bf16(self, stop)

    def bf16_so_far(self) -> bool | None:
        """Whether all workers have bf16; None as long as that is open."""
        standings = [a.standing for a in self._actors if a.standing is not None]
        if len(standings) == len(self._actors) or not all(s.has_bf16 for s in standings):
            return all(s.has_bf16 for s in standings)
        if standings and self._others_until == float("inf"):
            self._others_until = time.monotonic() + OTHERS_SECONDS
        return True if time.monotonic() >= self._others_until else None

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

    def _send(self, unit: WorkUnit, actor: Actor) -> None:
        if not actor.queue:
            actor.head_since = time.monotonic()
        actor.queue.append((unit, actor.handle.run.remote(unit)))

    def wait(self, timeout: float) -> list[Finished | Lost]:
        """Answers and deaths since the last call."""
        self._ray.require_alive()
        pending = {a.placing or a.starting: a for a in self._actors if a.starting is not None}
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
        per_gpu = self._placement.per_gpu
        gpus, cpus = allowed_units("GPU") if per_gpu else None, allowed_units("CPU")
        if gpus is None and cpus is None:
            missing = self._placement.workers - len(self._actors)
            self._actors += [self._start() for _ in range(missing)]
            return
        present = [a for a in self._actors if not a.is_leaving]
        for i in leaving([_place(a) for a in present], gpus=gpus, cpus=cpus):
            present[i].is_leaving = True
            if not present[i].queue:
                self._end(present[i])

    def _end(self, actor: Actor) -> None:
        self._actors.remove(actor)
        self._kill(actor)

    def _kill(self, actor: Actor) -> None:
        """Ask Ray to kill it; where that does not reach, it publishes nothing more."""
        self._give_up(actor)
        ray.kill(actor.handle, no_restart=True)

    def _give_up(self, actor: Actor) -> None:
        if self._fence is not None:
            self._fence.give_up(actor.token)

    def close(self) -> None:
        """Kill the actors and, if this process started Ray, stop it. A second call does nothing."""
        if not self._ray.is_lost:
            for actor in self._actors:
                ray.kill(actor.handle, no_restart=True)
        self._actors = []
        if self._owns_ray:
            stop_ray(at_once=self._ray.is_lost)
            self._owns_ray = False

    def _answer(self, actor: Actor, reference: Any) -> list[Finished | Lost]:
        try:
            result = ray.get(reference)
        except RayTaskError as error:
            cause = error.cause
            if isinstance(cause, ColorizeError):
                raise cause from error
            raise
        # The second is Ray's memory monitor, which kills a worker before the system runs out.
        except (RayActorError, OutOfMemoryError) as error:
            return self._replace(actor, first_line(error), known=len(actor.queue) == 1)
        if reference == actor.placing:
            actor.placing, actor.head_since = None, time.monotonic()
            return []
        if reference == actor.starting:
            actor.starting, actor.standing = None, result
            return []
        unit, _ = actor.queue.popleft()
        actor.alone = False
        self._ambiguous.discard(unit.id)
        actor.head_since = time.monotonic()
        self._starts_without_result = 0
        seconds = result.seconds / amount_of(unit)
        mean = self._mean_seconds.get(type(unit), seconds)
        self._mean_seconds[type(unit)] = 0.8 * mean + 0.2 * seconds
        return [Finished(unit, result)]

    def _expire(self, actor: Actor) -> list[Finished | Lost]:
        if actor not in self._actors or actor.placing is not None:
            return []
        waited = time.monotonic() - actor.head_since
        if actor.starting is not None and waited > START_SECONDS:
            self._kill(actor)
            return self._replace(actor, f"not loaded within {waited:.0f} s", known=False)
        if not actor.queue:
            return []
        unit, _ = actor.queue[0]
        lease = lease_seconds(
            unit, mean=self._mean_seconds.get(type(unit)), least=self._options.min_lease_seconds
        )
        if waited < lease:
            return []
        self._kill(actor)
        return self._replace(actor, f"no answer for {lease:.0f} s", known=True)

    def _replace(self, actor: Actor, reason: str, *, known: bool) -> list[Finished | Lost]:
        """Start another actor. `known`: the first unit of the queue is to blame for sure."""
        self._starts_without_result += 1
        if self._starts_without_result > MAX_STARTS_WITHOUT_RESULT * len(self._actors):
            raise ResumableError(
                f"workers keep dying before they finish anything: {reason}",
                remedy="try --runner serial to see the cause, or fewer --workers",
            )
        # Of a machine that sleeps, Ray says that it is dead.
        self._give_up(actor)
        self._actors[self._actors.index(actor)] = self._start()
        self._ambiguous.update(unit.id for unit, _ in actor.queue)
        return [
            Lost(unit, reason, suspect=known and i == 0) for i, (unit, _) in enumerate(actor.queue)
        ]

    def _start(self) -> Actor:
        return start_actor(self._make_worker, self._options, self._placement, self._fence)


def _place(actor: Actor) -> Place:
    gpu = actor.standing.gpu if actor.standing else ""
    return Place(gpu, is_starting=actor.standing is None, load=len(actor.queue))
