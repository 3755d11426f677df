"""The user's wish to stop: first SIGINT or SIGTERM drains, the second stops at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

from colorize_core.errors import EXIT_RESUME

_ENDING: Final = (signal.SIGINT, signal.SIGTERM)
# Asked for before there was a run to stop; a library may have swallowed the exception.
_early = threading.Event()


class StopRequest:
    """Counts stop signals. Safe to read from any thread."""

    def __init__(self) -> None:
        self._first = threading.Event()
        self._second = threading.Event()

    @property
    def requested(self) -> bool:
        """Queued units are dropped, running ones get the drain time."""
        return self._first.is_set()

    @property
    def at_once(self) -> bool:
        """Running units are abandoned now."""
        return self._second.is_set()

    def request(self) -> None:
        """Ask to stop; the second call asks to stop at once."""
        (self._second if self._first.is_set() else self._first).set()

    def wait(self, seconds: float) -> bool:
        """Sleep until a stop is asked for; True if one was."""
        return self._first.wait(seconds)


def end_resumable() -> None:
    """From here on, outside of `stop_signals`, SIGINT and SIGTERM end this process with 75.

    So it is while modules are imported, and while the page is built: nothing that counts is lost,
    and the same command goes on. To be called before anything that takes time.
    """
    for number in _ENDING:
        signal.signal(number, _end)


def _end(_number: int, _frame: FrameType | None) -> None:
    if _early.is_set():
        os._exit(EXIT_RESUME)
    _early.set()
    sys.stderr.write("stopped; the same command resumes\n")
    raise SystemExit(EXIT_RESUME)


def keep_handlers() -> None:
    """Put this process' handlers in force again, after a library's own code took the signals.

    Ray's core takes SIGTERM in C++ while it starts, prints a stack and aborts.
    """
    if threading.current_thread() is threading.main_thread():
        for number in _ENDING:
            signal.signal(number, signal.getsignal(number))


@contextmanager
def stop_signals(stop: StopRequest, say: Callable[[str], None]) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into requests on `stop`.

    Own handlers are needed also for SIGINT: a shell starts background jobs with it ignored.
    Python lets only the main thread have them; a program that calls from another one has its own.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handler(number: int, _frame: FrameType | None) -> None:
        stop.request()
        name = signal.Signals(number).name
        if stop.at_once:
            say(f"{name} again: stopping now")
        else:
            say(f"{name}: finishing what runs (once more: stop at once)")

    previous: dict[int, Any] = {n: signal.signal(n, handler) for n in _ENDING}
    if _early.is_set():
        stop.request()
    try:
        yield
    finally:
        for number, old in previous.items():
            signal.signal(number, old)
