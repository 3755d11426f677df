"""Processor time by stage of a work whose stages run in threads of their own."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class StageClock:
    """Adds up processor seconds by stage, in `seconds`."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the processor time of this thread to a stage."""
        started = time.thread_time()
        try:
            yield
        finally:
            # Each stage runs in one thread only, so nothing is lost here.
            self.seconds[stage] += time.thread_time() - started
