from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from colorize_core.archive.records import lock
from colorize_core.archive.records.lock import OutputLock, is_locked
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.work import ItemReport
from colorize_core.errors import EXIT_RESUME, LockLostError, OutputLockedError, UsageError

ROOT = Path(__file__).parents[3]
# Times of a test; arguments: path, seconds that the clock is ahead, whether the kernel knows locks.
HOLD = """
import fcntl, sys, time
from pathlib import Path
from colorize_core.archive.records import lock
lock.HEARTBEAT_SECONDS, lock.WATCH_SECONDS = 0.1, 1.5
ahead, real = float(sys.argv[2]), time.time
time.time = lambda: real() + ahead
def refuse(*arguments):
    raise OSError(95, "Operation not supported")
if sys.argv[3] == "no":
    fcntl.flock = refuse
try:
    with lock.OutputLock(Path(sys.argv[1])) as held:
        print("held", flush=True)
        while sys.stdin.readline():
            held.check()
            print("mine", flush=True)
except Exception as error:
    print(type(error).__name__, error, flush=True)
"""


class Driver:
    """Another process that tries to hold the lock."""

    def __init__(self, path: Path, *before: str, ahead: float = 0, locks: bool = True) -> None:
        command = [sys.executable, "-c", HOLD, str(path), str(ahead), "yes" if locks else "no"]
        self.process = subprocess.Popen(
            [*before, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def asks(self) -> str:
        assert self.process.stdin is not None
        print("?", file=self.process.stdin, flush=True)
        return self.line()

    def __enter__(self) -> Driver:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / ".colorize" / "lock.json"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WATCH_SECONDS", 0.6)


@pytest.fixture
def without_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a share that knows none."""

    def refuse(descriptor: int, how: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_it_is_given_back(path: Path):
    with OutputLock(path) as held:
        assert is_locked(path)
        held.check()
    assert not path.exists()
    with OutputLock(path):
        pass


@pytest.mark.parametrize("locks", [True, False])
def test_a_live_driver_keeps_it_and_a_killed_one_does_not(path: Path, locks: bool, request):
    if not locks:
        request.getfixturevalue("without_locks")
    with Driver(path, locks=locks) as holder:
        assert holder.line() == "held"
        with pytest.raises(OutputLockedError, match=f"pid {holder.process.pid}"), OutputLock(path):
            pass
        holder.process.send_signal(signal.SIGKILL)
        holder.process.wait()
    assert path.exists()
    with OutputLock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


CAN_UNSHARE = (
    shutil.which("unshare") is not None
    and subprocess.run(["unshare", "-p", "-f", "true"], check=False, capture_output=True).returncode
    == 0
)


@pytest.mark.skipif(not CAN_UNSHARE, reason="may not make a pid namespace")
@pytest.mark.parametrize("locks", [True, False])
@pytest.mark.parametrize("ahead", [0, 300, -300])
def test_another_container_of_the_same_name_is_seen(path: Path, locks: bool, ahead: float):
    apart = ("unshare", "-p", "-f", "--mount-proc", "--kill-child")
    with Driver(path, locks=locks) as holder:
        assert holder.line() == "held"
        with Driver(path, *apart, locks=locks, ahead=ahead) as other:
            assert other.line().startswith("OutputLockedError")
        assert holder.asks() == "mine"
        os.kill(holder.process.pid, signal.SIGKILL)
        holder.process.wait()
        with Driver(path, *apart, locks=locks, ahead=ahead) as other:
            assert other.line() == "held"


def test_a_driver_that_sleeps_keeps_it_on_its_own_machine(path: Path):
    with Driver(path) as holder:
        assert holder.line() == "held"
        holder.process.send_signal(signal.SIGSTOP)
        os.utime(path, (0, 0))
        with pytest.raises(OutputLockedError, match="suspended"), OutputLock(path):
            pass
        holder.process.send_signal(signal.SIGCONT)
        assert holder.asks() == "mine"


def other(path: Path, **fields: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    base = {"host": "another-machine", "pid": 1, "boot": "x", "started": "1", "token": "t"}
    path.write_text(json.dumps({**base, "heartbeat": time.time(), **fields}))


def test_another_machine_is_believed_while_its_heart_beats(path: Path):
    other(path)
    with pytest.raises(OutputLockedError, match="another-machine"), OutputLock(path):
        pass
    said: list[str] = []
    other(path, heartbeat=time.time() - lock.STALE_SECONDS - 1)
    with OutputLock(path, say=said.append):
        pass
    assert "watching whether host another-machine" in said[0]


@pytest.mark.parametrize("clock", [-3600.0, 3600.0])
def test_a_heart_that_beats_by_a_wrong_clock_is_seen(path: Path, clock: float):
    other(path, heartbeat=time.time() + clock)
    stop = threading.Event()

    def beat() -> None:
        for beats in range(1000):
            other(path, heartbeat=time.time() + clock, beats=beats)
            os.utime(path, (time.time() + clock,) * 2)
            if stop.wait(0.05):
                return

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        with pytest.raises(OutputLockedError, match="another-machine"), OutputLock(path):
            pass
    finally:
        stop.set()
        thread.join()
    # It died an hour ahead: its lock is free when it has been watched.
    with OutputLock(path):
        pass


def test_a_driver_that_slept_neither_writes_over_its_successor_nor_records(
    path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lock, "HEARTBEAT_SECONDS", 0.02)
    manifest_path = path.with_name("manifest.jsonl")
    with OutputLock(path) as held:
        manifest = Manifest(manifest_path, before_append=held.check)
        manifest.append([ItemReport("a", "photo", "a", "done")])
        before = manifest_path.read_bytes()
        path.unlink()
        other(path)
        successor = path.read_bytes()
        time.sleep(0.2)
        assert path.read_bytes() == successor
        with pytest.raises(LockLostError, match="took over") as caught:
            manifest.append([ItemReport("b", "photo", "b", "done")])
        assert caught.value.exit_code == EXIT_RESUME
        assert manifest_path.read_bytes() == before
    assert path.read_bytes() == successor, "leaving does not remove it either"


@pytest.mark.usefixtures("without_locks")
def test_of_two_that_find_it_dead_one_gets_it(path: Path):
    other(path, heartbeat=0)
    drivers = [Driver(path, locks=False) for _ in range(4)]
    try:
        lines = [driver.line().split()[0] for driver in drivers]
        assert sorted(lines) == ["OutputLockedError"] * 3 + ["held"]
        assert drivers[lines.index("held")].asks() == "mine"
    finally:
        for driver in drivers:
            driver.__exit__()
    assert [p.name for p in path.parent.iterdir()] == ["lock.json"]


@pytest.mark.parametrize(
    "torn",
    [
        bytes(200),
        b'{"host": "\xc3',
        b"[" * 100_000,
        b"[1]",
        b'{"pid": {}, "host": [], "token": null, "heartbeat": "late", "started": 5}',
        b'{"pid": 1e999, "token": "t", "heartbeat": NaN}',
        b'{"pid": -1, "token": "t", "host": "x", "boot": 3}',
    ],
)
def test_what_a_power_cut_or_a_stranger_left_of_it_frees_it(path: Path, torn: bytes):
    path.parent.mkdir(parents=True)
    path.write_bytes(torn)
    os.utime(path, (0, 0))
    assert is_locked(path) is False
    with OutputLock(path):
        assert is_locked(path)


DIE = """
import os, sys
from pathlib import Path
from colorize_core.archive.records import lock
def refuse(*arguments):
    raise OSError(95, "Operation not supported")
if sys.argv[2] == "no links":
    os.link = refuse
write = lock.OutputLock._write
# Where there are no links, the first is of a file that is given up.
lock.OutputLock._write = lambda self: (
    os._exit(9) if sys.argv[2] == "links" or self.path.exists() else write(self)
)
lock.OutputLock(Path(sys.argv[1])).__enter__()
"""


@pytest.mark.parametrize("share", ["links", "no links"])
def test_who_dies_while_it_takes_it_keeps_nobody_out(
    path: Path, share: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(lock, "WATCH_SECONDS", 0.3)
    died = subprocess.run([sys.executable, "-c", DIE, str(path), share], cwd=ROOT, check=False)
    assert died.returncode == 9
    assert path.exists() == (share == "no links")
    with OutputLock(path):
        assert is_locked(path)
    assert not path.exists()


def test_a_share_without_links_has_locks_too(path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    with OutputLock(path):
        assert [file.name for file in path.parent.iterdir()] == [path.name]
        with pytest.raises(OutputLockedError, match="another run"), OutputLock(path):
            pass
    assert not path.exists()


def test_what_is_no_file_is_one_line(path: Path, tmp_path: Path):
    path.mkdir(parents=True)
    with pytest.raises(OutputLockedError, match="not a lock file"), OutputLock(path):
        pass
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(OutputLockedError, match="not a lock file"), OutputLock(path):
        pass
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputLockedError, match="not a lock file"), OutputLock(path):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be written"):
        OutputLock(tmp_path / "file" / "lock.json").__enter__()


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
