"""One driver per OUT."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any

from colorize_core.atomic import publish_bytes
from colorize_core.errors import OutputLockedError

HEARTBEAT_SECONDS = 5.0
# Clocks of two machines and caches of network file systems can differ by a minute or so.
STALE_SECONDS = 180.0


class OutputLock:
    """A lock file in OUT with host, pid, boot id and a heartbeat.

    A lock of this machine is stale when its process is gone or the machine has rebooted; one of
    another machine when its heartbeat is older than STALE_SECONDS.

    Args:
        path: the lock file.

    Raises:
        OutputLockedError: on entering, when a live driver holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = uuid.uuid4().hex
        self._stop = threading.Event()
        self._beat = threading.Thread(target=self._heartbeat, name="lock-heartbeat", daemon=True)

    def __enter__(self) -> OutputLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
            except FileExistsError:
                self._remove_if_stale()
                continue
            with os.fdopen(descriptor, "wb") as file:
                file.write(self._content())
            break
        self._beat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._beat.join()
        if _read(self.path).get("token") == self._token:
            self.path.unlink(missing_ok=True)

    def _content(self) -> bytes:
        return json.dumps(
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "started": _process_start(os.getpid()),
                "boot": _boot_id(),
                "heartbeat": time.time(),
                "token": self._token,
            }
        ).encode()

    def _heartbeat(self) -> None:
        while not self._stop.wait(HEARTBEAT_SECONDS):
            try:
                publish_bytes(self.path, self._content())
            except OSError:
                # A full disk must not end the run here: the photos' own writes report it.
                continue

    def _remove_if_stale(self) -> None:
        holder = _read(self.path)
        if not _is_stale(self.path, holder):
            raise OutputLockedError(
                f"{self.path.parent.parent}: another run is writing here "
                f"(host {holder.get('host', '?')}, pid {holder.get('pid', '?')})",
                remedy="wait for it, stop it, or choose another OUT",
            )
        # Two drivers may both see a stale lock: the rename lets only one of them remove it.
        aside = self.path.with_name(f"{self.path.name}.{self._token}")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        if _read(aside).get("token") != holder.get("token"):
            aside.replace(self.path)
            return
        aside.unlink()


def is_locked(path: Path) -> bool:
    """True while a live driver holds the lock."""
    return path.exists() and not _is_stale(path, _read(path))


def _is_stale(path: Path, holder: dict[str, Any]) -> bool:
    if not holder:
        # Just created and not yet written, or torn by a power cut.
        try:
            return time.time() - path.stat().st_mtime > HEARTBEAT_SECONDS * 2
        except FileNotFoundError:
            return True
    if holder.get("host") == socket.gethostname():
        if holder.get("boot") != _boot_id():
            return True
        started = _process_start(int(holder.get("pid", -1)))
        return started is None or started != holder.get("started")
    return time.time() - float(holder.get("heartbeat", 0)) > STALE_SECONDS


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):  # also what is no UTF-8, after a power cut
        return {}
    return content if isinstance(content, dict) else {}


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _process_start(pid: int) -> str | None:
    """Start time of a live process, so that a reused pid is not taken for the old holder."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return _alive_without_proc(pid)
    return stat.rpartition(")")[2].split()[19]


def _alive_without_proc(pid: int) -> str | None:
    if Path("/proc/self").exists() or pid <= 0:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return "alive"
    return "alive"
