"""A generator with what memory there is: smaller batches, in the end one picture on the CPU."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import TypeVar

import torch

from colorize_core.errors import OutOfMemoryError

log = logging.getLogger(__name__)

T = TypeVar("T")


def is_out_of_memory(error: BaseException) -> bool:
    """True for every form in which torch and Python say that memory is short."""
    # torch's allocators for CPUs and Apple's GPUs raise a plain RuntimeError.
    texts = ("can't allocate memory", "MPS backend out of memory")
    is_kind = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_kind or any(text in str(error) for text in texts)


def free_cache(device: torch.device) -> None:
    """Give back what torch keeps of a device's memory."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


class MemoryLadder:
    """Runs work on a module, and remembers where memory was short.

    Args:
        module: on `device`.
        device: where it is.
    """

    def __init__(self, module: torch.nn.Module, device: torch.device) -> None:
        self.module, self.device = module, device
        self._cpu_module: torch.nn.Module | None = None
        self._notes: list[str] = []

    def take_notes(self) -> list[str]:
        """What was short of memory since the last call."""
        notes, self._notes = self._notes, []
        return notes

    def run(
        self, work: Callable[[torch.nn.Module, torch.device, int], T], size: int, side: int
    ) -> T:
        """Work in batches of `size`; of less, and in the end on the CPU, where memory is short."""
        while True:
            try:
                return work(self.module, self.device, size)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                # The failed pass may have left its blocks in the cache.
                free_cache(self.device)
            if size == 1:
                break
            size //= 2
            self._note(f"out of memory: batch halved to {size}")
        self._note("out of memory with one picture: computed on the CPU")
        try:
            if self._cpu_module is None:
                self._cpu_module = copy.deepcopy(self.module).to("cpu")
            return work(self._cpu_module, torch.device("cpu"), 1)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError(
                f"no memory for one picture at working size {side}",
                remedy="use a smaller render.size or a machine with more memory",
            ) from error

    def _note(self, text: str) -> None:
        log.warning(text)
        if text not in self._notes:
            self._notes.append(text)
