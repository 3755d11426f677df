"""Runs in processes forked from one that has loaded everything: a second of work is a second.

A run of its own costs three seconds of imports before the first byte is read. Here a server that
has imported the job, and done nothing, forks for each run: another session, its own signals, the
same entry `python -m jobs.colorize_archive`. What happens while modules load, tests/faults/
test_signals.py tries in whole processes.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from importlib import reload
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO

from colorize_core.pipeline.stop import end_resumable
from tests.processes import end_session

LOADED = [
    "jobs.colorize_archive",
    "colorize_core.inference.worker",
    "colorize_core.inference.signals",
    "colorize_core.pipeline.run",
]
_MODULE = "jobs.colorize_archive"


class Forked:
    """A run, with as much of Popen as a disturbance needs; none of its processes outlives a block.

    Args:
        words: a command as for Popen, `python -m jobs.colorize_archive ...`.
        environment: what is added to this process'.
    """

    def __init__(self, words: list[str], environment: dict[str, str]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(LOADED)
        self._said: IO[str] = tempfile.NamedTemporaryFile("w+", prefix="said-")  # noqa: SIM115
        at = words.index(_MODULE) + 1
        args = (words[at:], environment, self._said.name)
        self._process: BaseProcess = context.Process(target=_run, args=args)
        self._process.start()
        while self._process.is_alive() and os.getsid(self.pid) != self.pid:
            time.sleep(0.002)

    @property
    def pid(self) -> int:
        """Its own, and that of its session."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int:
        """Negative for a signal, as Popen's."""
        assert self._process.exitcode is not None
        return self._process.exitcode

    def poll(self) -> int | None:
        """None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it, if it still runs."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Wait for its end; what it said.

        Raises:
            subprocess.TimeoutExpired: it did not end.
        """
        self._process.join(timeout)
        if self._process.is_alive():
            raise subprocess.TimeoutExpired(_MODULE, timeout)
        return "", Path(self._said.name).read_text()

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        end_session(self.pid)
        self._process.join()
        self._said.close()


def _run(words: list[str], environment: dict[str, str], said: str) -> None:
    end_resumable()  # the first line of the job
    os.setsid()
    os.environ.update(environment)
    with open(said, "w") as errors:  # noqa: PTH123
        os.dup2(errors.fileno(), 2)
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 1)
    import colorize_core.faults

    reload(colorize_core.faults)  # it reads the environment when it is loaded
    sys.argv = [_MODULE, *words]
    try:
        runpy.run_module(_MODULE, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()
