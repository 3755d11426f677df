"""The process that Ray's core lives in: does what `ray_process` asks of it, and ends with it."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any, Final, NoReturn

from colorize_core.errors import EXIT_DONE, EXIT_RESUME, ColorizeError, ResumableError
from colorize_core.pipeline.ray_parts import RayParts
from colorize_core.pipeline.ray_process import State

_LOOK_SECONDS: Final = 0.5


def main() -> None:
    """Serve the connection whose descriptor is the first argument, until it closes."""
    # Stopping is the run's business. No SIG_IGN: Ray's processes would inherit it.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    answers = _Answers(Connection(int(sys.argv[1])))
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    try:
        _serve(answers)
    except EOFError:  # the run has ended
        pass
    except BaseException as error:  # noqa: BLE001 - raised again by the run
        answers.give(State(), _portable(error))
    _leave(EXIT_DONE)


def _serve(answers: _Answers) -> None:
    connection = answers.connection
    sys.path[:], packed = connection.recv()
    make_worker, options, fence = pickle.loads(packed)
    from colorize_core.pipeline.ray_pool import RayPool
    from colorize_core.pipeline.ray_start import parts

    threading.Thread(target=_watch, args=(parts, answers), daemon=True).start()
    pool = RayPool(make_worker, options, fence)
    calls = {call.__name__: call for call in (pool.bf16_so_far, pool.submit, pool.wait)}
    answers.give(_state(pool))
    while (asked := connection.recv())[0] != "close":
        call, *words = asked
        result = calls[call](*words)
        answers.give(_state(pool), result)
    answers.is_over = True
    pool.close()
    answers.give(State())


def _state(pool: Any) -> State:
    return State(pool.workers, pool.free, pool.in_flight)


class _Answers:
    """Where answers go; the thread that watches may have the last one."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_over = False
        self._lock = threading.Lock()

    def give(self, state: State, result: Any = None) -> None:
        """Send an answer; the run may have ended."""
        with self._lock:
            try:
                self.connection.send((state, result))
            except OSError:
                _leave(EXIT_RESUME)


def _watch(parts: RayParts, answers: _Answers) -> None:
    """End this process when Ray loses a part: calls of Ray may wait for ever then."""
    while not answers.is_over:
        reason = parts.died()
        if reason and not answers.is_over:
            answers.give(State(), ResumableError(reason, remedy="run the same command again"))
            _leave(EXIT_RESUME)
        time.sleep(_LOOK_SECONDS)


def _end_with_the_run() -> None:
    """Nothing is ever written to the standard input: it ends when the run does."""
    sys.stdin.buffer.read()
    time.sleep(_LOOK_SECONDS)  # a run that closes it has said more, or killed this process
    _leave(EXIT_RESUME)


def _portable(error: BaseException) -> BaseException:
    """An error that the run can read, whatever modules it has loaded."""
    if isinstance(error, ColorizeError | ModuleNotFoundError):
        return error
    return RuntimeError("".join(traceback.format_exception(error)))


def _leave(code: int) -> NoReturn:
    """At once: Python would wait for Ray's threads.

    Ray's agents live and write for a while: the next run removes the folder, as a killed one's.
    """
    try:
        started = sys.modules.get("colorize_core.pipeline.ray_start")
        # It may be being imported just now.
        if started is not None and hasattr(started, "parts"):
            started.parts.end()
        sys.stderr.flush()
    finally:
        os._exit(code)
