"""What a lock file says of its holder, and whether that process still lives."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from colorize_core.errors import OutputLockedError

_MOST_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class Holder:
    """A process that writes to OUT.

    Attributes:
        host: name of its machine; several may have the same.
        pid: in its own namespace.
        started: start time of the process in clock ticks, so that a reused pid is not taken for it.
        boot: id of the kernel's start: the same for all containers of a machine.
        namespace: of its pids: two containers may both have a pid 7.
        token: no two holders have the same.
        heartbeat: seconds since 1970 by the holder's clock.
        beats: heartbeats so far.
        locked: the kernel's lock on the file is held as long as the holder lives.
    """

    host: str = ""
    pid: int = -1
    started: str = ""
    boot: str = ""
    namespace: str = ""
    token: str = ""
    heartbeat: float = 0.0
    beats: int = 0
    locked: bool = False

    @classmethod
    def this_process(cls, token: str) -> Holder:
        """This process, at its first heartbeat."""
        return cls(
            host=socket.gethostname(),
            pid=os.getpid(),
            started=process_start(os.getpid()) or "",
            boot=boot_id(),
            namespace=pid_namespace(),
            token=token,
            heartbeat=time.time(),
        )

    def to_bytes(self) -> bytes:
        """JSON."""
        return json.dumps(asdict(self)).encode()

    @property
    def words(self) -> str:
        """For people."""
        return f"host {self.host or '?'}, pid {self.pid if self.pid > 0 else '?'}"

    def is_alive(self) -> bool | None:
        """Whether the process lives; None where this one cannot see it."""
        if self.host != socket.gethostname() or self.boot != boot_id():
            return None
        # A lock of 0.1.0 names no namespace: as it did, take it for one of this.
        if self.namespace not in ("", pid_namespace()):
            return None
        started = process_start(self.pid)
        return started is not None and started == self.started


def read_holder(path: Path) -> Holder:
    """What a lock file says; nothing in it, where it is torn, malformed or not there.

    Raises:
        OutputLockedError: there is something else in its place: a folder, a pipe, a link.
        OSError: it cannot be read.
    """
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            raise OutputLockedError(f"{path}: not a lock file", remedy="remove it and run again")
        with path.open("rb") as file:
            return parse_holder(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return Holder()


def parse_holder(data: bytes) -> Holder:
    """The holder that a lock names; nothing in it, where it is torn or malformed."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return Holder()
    if not isinstance(content, dict):
        return Holder()
    found: dict[str, Any] = {}
    blank = Holder()
    for field in fields(Holder):
        value = content.get(field.name)
        kind: type[str | int | float] = type(getattr(blank, field.name))
        with suppress(TypeError, ValueError, OverflowError):
            found[field.name] = kind(value) if isinstance(value, str | int | float) else kind()
    return Holder(**found)


def boot_id() -> str:
    """Of the running kernel."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def pid_namespace() -> str:
    """Of this process; "unknown" where there are none."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return "unknown"


def process_start(pid: int) -> str | None:
    """Start time of a live process in clock ticks; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _alive_without_proc(pid)
    return text.rpartition(")")[2].split()[19]


def _alive_without_proc(pid: int) -> str | None:
    if Path("/proc/self").exists() or pid <= 0:
        return None
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        return "alive"
    return "alive"
