"""Ray's pool in a process of its own, which may end at any moment.

Where its control process or its raylet dies, Ray's core ends the process that it lives in: with 1,
from C++, at once while it starts and later after a while; or its calls wait for ever. A run keeps
its exit code and its words by not being that process. See `ray_serving` for the other side.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from typing import Any, Final, NamedTuple

from colorize_core.archive.records.fence import Fence
from colorize_core.archive.records.work import WorkUnit
from colorize_core.archive.storage.storage import Worker
from colorize_core.config import RunOptions
from colorize_core.errors import ResumableError
from colorize_core.pipeline.loop import Finished, Lost
from colorize_core.pipeline.precision import all_have_bf16
from colorize_core.pipeline.stop import StopRequest

_SERVE: Final = "from colorize_core.pipeline.ray_serving import main; main()"
_POLL_SECONDS: Final = 0.1
_HANG_SECONDS: Final = 10.0  # more than any call takes
_CLOSE_SECONDS: Final = 60.0
_END_SECONDS: Final = 10.0


class State(NamedTuple):
    """What the loop asks of a pool between its calls; sent along with each answer."""

    workers: int = 0
    free: int = 0
    in_flight: int = 0


class RayProcess:
    """A `loop.Pool` whose calls are those of a RayPool elsewhere.

    Args:
        make_worker: picklable; called once in each actor.
        options: see RayPool.
        fence: of the run; None for what publishes nothing.
        stop: the user's wish: ends a start of Ray at once, and what hangs when it is urgent.

    Raises:
        ColorizeError: no worker can start.
        ResumableError: Ray died, or did not start.
    """

    def __init__(
        self,
        make_worker: Callable[[], Worker],
        options: RunOptions,
        fence: Fence | None = None,
        stop: StopRequest | None = None,
    ) -> None:
        self._connection, theirs = Pipe()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _end
        self._state = State()
        self._stop = stop or StopRequest()
        root = str(Path(__file__).resolve().parents[2])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        # The folder that a user happens to be in is no place to import from (-P). Its standard
        # input ends with this process, and so does it. A Ctrl-C is for this process alone.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _SERVE, str(theirs.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._said,
            pass_fds=(theirs.fileno(),),
            process_group=0,
            env={**os.environ, "PYTHONPATH": paths},
        )
        theirs.close()
        try:
            self._send(sys.path, pickle.dumps((make_worker, options, fence)))
            while not self._connection.poll(_POLL_SECONDS):
                if self._stop.requested:
                    raise ResumableError(
                        "stopped while Ray started", remedy="the same command resumes"
                    )
            self._answer()
        except BaseException:
            self._end()
            raise

    @property
    def workers(self) -> int:
        """How many actors there are."""
        return self._state.workers

    @property
    def free(self) -> int:
        """Free places in the queues of actors that run."""
        return self._state.free

    @property
    def in_flight(self) -> int:
        """Units submitted and not answered."""
        return self._state.in_flight

    def has_bf16(self, stop: StopRequest) -> bool:
        """See RayPool."""
        return all_have_bf16(self, stop)

    def bf16_so_far(self) -> bool | None:
        """See RayPool."""
        found: bool | None = self._ask("bf16_so_far")
        return found

    def submit(self, unit: WorkUnit) -> None:
        """See RayPool."""
        self._ask("submit", unit)

    def wait(self, timeout: float) -> list[Finished | Lost]:
        """See RayPool."""
        outcomes: list[Finished | Lost] = self._ask("wait", timeout)
        return outcomes

    def close(self) -> None:
        """Let it stop Ray, and end it. A second call does nothing."""
        if self._process.poll() is None:
            self._send("close")
            with suppress(EOFError, OSError):
                self._connection.poll(_CLOSE_SECONDS)
        self._end()

    def _ask(self, call: str, *words: Any) -> Any:
        self._send(call, *words)
        asked = time.monotonic()
        while not self._connection.poll(_POLL_SECONDS):
            if self._stop.at_once and time.monotonic() - asked > _HANG_SECONDS:
                self._process.kill()
                raise ResumableError("stopped: Ray gave no answer", remedy="run again")
        return self._answer()

    def _send(self, *words: Any) -> None:
        # Where it has ended, what it said last may still be there to be read.
        with suppress(OSError):
            self._connection.send(words)

    def _answer(self) -> Any:
        try:
            state, result = self._connection.recv()
        except (EOFError, OSError):
            raise self._died() from None
        if isinstance(result, BaseException):
            raise result
        self._state = state
        return result

    def _died(self) -> ResumableError:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        return ResumableError(
            f"Ray ended with {self._process.poll()}{self._last_words()}",
            remedy="run the same command again, or use --runner serial",
        )

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {last[:300]}" if last else ""

    def _end(self) -> None:
        """Whatever it does: Ray's own processes end with it."""
        self._connection.close()
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._said.close()
