"""Whether Ray's vital processes live that this process has started; looked at without Ray."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

# Without these two, no unit can run and no answer come.
PARTS: Final = {"gcs_server": "Ray's control process", "raylet": "Ray's process on this machine"}


class RayParts:
    """Remembers which it has seen: from its first process on, Ray must not lose one.

    Ray's own list of them exists only when it has started. Linux only; elsewhere none is seen.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._forgotten: set[int] = set()
        self._lock = threading.Lock()

    def died(self) -> str:
        """Which one died, in words; "" as long as all live that were seen."""
        with self._lock:
            found = [one for one in _parts() if one.pid not in self._forgotten]
            alive = {one.name for one in found if one.is_alive}
            self._seen |= {one.name for one in found}
            lost = self._seen - alive
        return " and ".join(f"{PARTS[name]} ({name}) died" for name in sorted(lost))

    def forget(self) -> None:
        """Miss none of those that are there now: they are about to be ended."""
        with self._lock:
            self._seen.clear()
            self._forgotten |= {one.pid for one in _parts()}

    def end(self) -> None:
        """Kill what is left of a start that failed, or of a Ray that lost a part."""
        self.forget()
        for one in _parts():
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)


class _Part(NamedTuple):
    pid: int
    name: str
    is_alive: bool


def _parts() -> Iterator[_Part]:
    """Children of all threads of this process with such a name; dead ones that nobody asked for."""
    for path in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # the thread ended
            for pid in map(int, path.read_text().split()):
                with suppress(OSError):
                    said = Path(f"/proc/{pid}/stat").read_text()
                    name, _, rest = said.partition("(")[2].rpartition(")")
                    if name in PARTS:
                        yield _Part(pid, name, rest.split()[0] not in ("Z", "X"))
