"""Processes that a test starts, and none of which outlives it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Started(subprocess.Popen):
    """A process that leads a session; when its block ends by an error, the session is ended.

    A plain Popen waits at the end of its block: a failed assertion there would hang until the
    process ends by itself. What is left of the session after the block is ended in any case.
    """

    def __init__(self, command: list[str], **options: Any) -> None:
        super().__init__(command, start_new_session=True, **options)

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        try:
            if kind is not None:
                end_session(self.pid)
            super().__exit__(kind, *rest)
        finally:
            end_session(self.pid)


def end_session(leader: int) -> None:
    """Kill every process of a session."""
    for pid in _processes():
        with contextlib.suppress(OSError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)


def children() -> set[int]:
    """Processes that this one started and that are still there."""
    found = set()
    for pid in _processes():
        with contextlib.suppress(OSError, ValueError):
            stat = Path(f"/proc/{pid}/stat").read_text()
            if int(stat.rpartition(")")[2].split()[1]) == os.getpid():
                found.add(pid)
    return found


def _processes() -> Iterator[int]:
    for path in Path("/proc").glob("[0-9]*"):
        yield int(path.name)
