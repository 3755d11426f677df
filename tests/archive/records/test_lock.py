from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from colorize_core.archive.records import lock
from colorize_core.archive.records.lock import OutputLock, is_locked
from colorize_core.errors import OutputLockedError
from tests.processes import Started

HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from colorize_core.archive.records.lock import OutputLock\n"
    "with OutputLock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)\n"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / ".colorize" / "lock.json"


def test_it_is_given_back(path: Path):
    with OutputLock(path):
        assert is_locked(path)
    assert not path.exists()
    with OutputLock(path):
        pass


def test_a_live_driver_keeps_it_and_a_killed_one_does_not(path: Path):
    holder = Started([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OutputLockedError, match=f"pid {holder.pid}"), OutputLock(path):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert path.exists()
    with OutputLock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def other(path: Path, **fields: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    base = {"host": "another-machine", "pid": 1, "boot": "x", "started": "1", "token": "t"}
    path.write_text(json.dumps({**base, "heartbeat": time.time(), **fields}))


def test_another_machine_is_believed_while_its_heart_beats(path: Path):
    other(path)
    with pytest.raises(OutputLockedError, match="another-machine"), OutputLock(path):
        pass
    other(path, heartbeat=time.time() - lock.STALE_SECONDS - 1)
    with OutputLock(path):
        pass


@pytest.mark.parametrize("torn", [bytes(200), b'{"host": "\xc3'])
def test_what_a_power_cut_left_of_it_frees_it(path: Path, torn: bytes):
    path.parent.mkdir(parents=True)
    path.write_bytes(torn)
    os.utime(path, (0, 0))
    with OutputLock(path):
        assert is_locked(path)


def test_a_reboot_frees_it(path: Path):
    other(path, host=socket.gethostname(), pid=os.getpid(), boot="before the reboot")
    with OutputLock(path):
        pass


def test_a_reused_pid_is_not_the_old_holder(path: Path):
    with OutputLock(path):
        content = json.loads(path.read_text())
    other(path, **{**content, "started": "0"})
    with OutputLock(path):
        pass


def test_the_heart_beats(path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.02)
    with OutputLock(path):
        first = json.loads(path.read_text())["heartbeat"]
        deadline = time.monotonic() + 5
        while json.loads(path.read_text())["heartbeat"] == first:
            assert time.monotonic() < deadline
            time.sleep(0.02)
