"""A generator in one thread that several ask: each waits for the one before, and for no more."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from torch import Tensor

from colorize_core.archive.records.in_hand import InHandFile
from colorize_core.color.look import Look
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.generator_pass import Recognized
from colorize_core.inference.memory_ladder import MemoryLadder

T = TypeVar("T")


class StoppedError(Exception):
    """Somebody wants no more of it."""


class InTurn(Colorizer):
    """Asks the generator frame by frame, in its thread.

    Args:
        colorizer: the generator.
        thread: the one that it works in.
        stop: when it is set, the next question raises StoppedError.
    """

    def __init__(
        self, colorizer: Colorizer, thread: ThreadPoolExecutor, stop: threading.Event
    ) -> None:
        self.__dict__.update(vars(colorizer))
        self._ladder = MemoryLadder(colorizer._ladder.module, colorizer.device)  # its own notes
        self._thread, self._stop = thread, stop

    def recognize(self, L: Tensor) -> list[Tensor]:
        """See Colorizer."""
        return self._ask(partial(super().recognize, L))

    def predict_and_recognize(
        self, L: Tensor, *, carried: Tensor | None = None, look: Look = "natural"
    ) -> Recognized:
        """See Colorizer."""
        return self._ask(partial(super().predict_and_recognize, L, carried=carried, look=look))

    def predict_ab(
        self,
        L: Tensor,
        hints: Tensor | None = None,
        *,
        carried: Tensor | None = None,
        look: Look = "natural",
    ) -> Tensor:
        """See Colorizer."""
        return self._ask(partial(super().predict_ab, L, hints, carried=carried, look=look))

    def _ask(self, work: Callable[[], T]) -> T:
        if self._stop.is_set():
            raise StoppedError
        return self._thread.submit(work).result()


class Counted(InHandFile):
    """Tells of each finished frame."""

    def __init__(self, frame_done: Callable[[], None]) -> None:
        super().__init__(None)
        self._frame_done = frame_done

    def finish_frame(self, source: str, frames: int) -> None:
        """See InHandFile."""
        del source, frames
        self._frame_done()
