"""The job, started from the review: a process of its own, with the words of the last run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from colorize_core.archive.records.lock import is_locked
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.started import Started
from colorize_core.atomic import publish_bytes

_LINES: Final = 12  # of what it says, kept for the page
_PACKAGE: Final = Path(__file__).parents[2]


@dataclass
class Job:
    """At most one run at a time.

    Args:
        out: output folder.
        started: how the last run was started.
    """

    out: Path
    started: Started
    _process: asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None
    _said: deque[str] = field(default_factory=lambda: deque(maxlen=_LINES))

    @property
    def is_ours(self) -> bool:
        """The review has started it, and it goes on."""
        return self._process is not None and self._process.returncode is None

    def state(self) -> dict[str, Any]:
        """JSON values: who runs, how far it is, what it said last, how it ended."""
        is_running = self.is_ours or is_locked(RunFolder(self.out).lock)
        return {
            "running": is_running,
            "ours": self.is_ours,
            "said": list(self._said),
            "code": self._process.returncode if self._process else None,
            "progress": _progress(RunFolder(self.out).progress) if is_running else {},
        }

    def command(self, redo: Path) -> list[str]:
        """What is run; results of older versions stay, and with them what nobody touched."""
        words = list(self.started.words)
        if not words:  # of a version that did not record them
            config = RunFolder(self.out).review / "settings.yaml"
            publish_bytes(config, json.dumps(dict(self.started.settings)).encode())
            words = ["--config", str(config)]
        fixed = ["--out", str(self.out.absolute()), "--redo-list", str(redo), "--keep-finished"]
        return [
            *(sys.executable, "-m", "colorize_core", "run"),
            *(*words, *fixed, "--", self.started.source),
        ]

    async def start(self, redo: Path) -> None:
        """Run the job for what changed."""
        self._said.clear()
        path = os.pathsep.join(filter(None, (str(_PACKAGE), os.environ.get("PYTHONPATH", ""))))
        self._process = await asyncio.create_subprocess_exec(
            *self.command(redo),
            cwd=self.started.cwd,
            env={**os.environ, "PYTHONPATH": path},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the review, which passes it on
        )
        self._reader = asyncio.create_task(self._listen(self._process))

    async def stop(self) -> None:
        """Ask it to finish what it has begun, as Ctrl-C does; the next run goes on from there."""
        if self.is_ours and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    async def close(self) -> None:
        """Stop it and wait."""
        await self.stop()
        if self._reader is not None:
            await self._reader

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            text = line.decode("utf-8", "replace").strip()
            if text:
                self._said.append(text[-400:])
        await process.wait()


def _progress(path: Path) -> dict[str, float]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
