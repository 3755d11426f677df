"""Runs of the job in a process of their own, that a test stops, kills and looks at."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.faults.forked import Forked
from tests.processes import Started

ROOT = Path(__file__).parents[2]
STATE = ".colorize"
ORPHAN_SECONDS = 90.0  # Ray's agents take that long after a kill of their driver


@dataclass(frozen=True)
class Command:
    """The job with a source and an OUT.

    Attributes:
        source: SRC.
        out: OUT.
        weights: of the generator.
        options: further words.
        is_forked: from a process that has loaded everything, see `forked`.
        seconds: about how long an undisturbed run takes.
    """

    source: Path
    out: Path
    weights: Path
    options: tuple[str, ...] = ()
    is_forked: bool = False
    seconds: float = 6.0

    @property
    def words(self) -> list[str]:
        return [
            sys.executable, "-m", "jobs.colorize_archive", str(self.source), "--out",
            str(self.out), "--set", f"model.weights={self.weights}", "--no-report", *self.options,
        ]  # fmt: skip

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        with self.started(**environment) as process:
            errors = finish(process)
        return subprocess.CompletedProcess(self.words, process.returncode, "", errors)

    @contextmanager
    def started(self, **environment: str) -> Iterator[Started | Forked]:
        if self.is_forked:
            with Forked(self.words, environment) as forked:
                yield forked
            return
        with Started(
            self.words,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            yield process


def finish(process: Started | Forked) -> str:
    """Wait for its end, and for that of all that it started; returns what it said."""
    _, errors = process.communicate(timeout=900)
    wait_for(lambda: not processes(process.pid), ORPHAN_SECONDS)
    return errors


def processes(leader: int, *words: bytes) -> list[int]:
    """Processes of a session whose command line or title has all the words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(path.parent.name)
        try:
            if os.getsid(pid) == leader and all(word in path.read_bytes() for word in words):
                found.append(pid)
        except OSError:
            continue
    return found


def wait_for(what: Callable[[], object], seconds: float = 300) -> object:
    """Until it is true; returns it."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, f"it never came, {seconds} s"
        time.sleep(0.02)
    return found


def outputs(out: Path, leave_out: Sequence[str] = (STATE,)) -> dict[str, str]:
    """Hashes of all files of OUT but those of the run itself."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.relative_to(out).parts[0] not in leave_out
    }
