"""The workers of a run, by Ray or in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from colorize_core.archive.records.fence import Fence
from colorize_core.archive.storage.storage import Worker
from colorize_core.config import RunOptions
from colorize_core.pipeline.loop import Pool
from colorize_core.pipeline.ray_process import RayProcess
from colorize_core.pipeline.serial_pool import SerialPool
from colorize_core.pipeline.stop import StopRequest

# From the start of Ray to the first item in work, on two cores; loading torch is most of it.
START_SECONDS: Final = 12


@contextmanager
def pool_when_needed(
    make_worker: Callable[[], Worker],
    options: RunOptions,
    *,
    fence: Fence | None,
    stop: StopRequest,
    say: Callable[[str], None],
) -> Iterator[Callable[[], Pool]]:
    """Give a function that makes the pool at its first call: a run with nothing to do has none.

    Args:
        make_worker: picklable; gives the worker of one process.
        options: runner, device, workers.
        fence: of the run; None where OUT needs none.
        stop: the user's wish to stop, also while Ray starts.
        say: prints one line for the user: workers take seconds to start.
    """
    made: list[Pool] = []

    def get() -> Pool:
        if not made:
            if options.runner == "ray":
                say(f"starting Ray, about {START_SECONDS} s until the first item is in work")
            made.append(_make(make_worker, options, fence, stop))
        return made[0]

    try:
        yield get
    finally:
        for pool in made:
            pool.close()


def _make(
    make_worker: Callable[[], Worker], options: RunOptions, fence: Fence | None, stop: StopRequest
) -> Pool:
    if options.runner == "serial":
        return SerialPool(make_worker, fence)
    if _has_ray():
        from colorize_core.pipeline.ray_pool import RayPool

        return RayPool(make_worker, options, fence)
    return RayProcess(make_worker, options, fence, stop)


def _has_ray() -> bool:
    """Whether the program that calls has joined a Ray of its own: its workers are to be used."""
    ray = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())
