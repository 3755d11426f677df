"""What happens to a run, drawn from a seed: each leaves it dead, stopped, slowed or at its end."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from colorize_core.errors import EXIT_DONE, EXIT_RESUME, EXIT_SOME_FAILED
from colorize_core.faults import PLACES
from tests.faults.archives import CHANGING, Archive
from tests.faults.forked import Forked
from tests.faults.runs import Command, finish, processes
from tests.processes import Started

KILLED = -signal.SIGKILL
ERRORS = ("ENOSPC", "EDQUOT", "EIO", "ESTALE")
# How a run may end that was disturbed so.
Allowed = set[int]
Disturbance = Callable[[random.Random, Command, Archive], "tuple[str, int, Allowed]"]


def ends_at_a_place(rng: random.Random, command: Command, _: Archive) -> tuple[str, int, Allowed]:
    """The process dies at a named step of a commit."""
    where = f"{rng.choice(PLACES)}@{rng.randint(1, 14)}"
    code = command.run(COLORIZE_FAULT=where).returncode
    return f"dies at {where}", code, {KILLED, EXIT_DONE}


def disk_refuses(rng: random.Random, command: Command, _: Archive) -> tuple[str, int, Allowed]:
    """The disk or the quota is full, the share fails: at one step, and then no more."""
    places = [place for place in PLACES if place.startswith("publish")]
    where = f"{rng.choice(places)}@{rng.randint(1, 14)}={rng.choice(ERRORS)}"
    code = command.run(COLORIZE_FAULT=where).returncode
    # A worker tries EIO and ESTALE again; what the driver itself cannot write ends the run.
    return f"gets {where}", code, {EXIT_RESUME, EXIT_DONE}


def kills(*words: bytes, allowed: Allowed) -> Disturbance:
    """SIGKILL to a process of the run, the driver without words, at a random moment."""

    def disturb(rng: random.Random, command: Command, _: Archive) -> tuple[str, int, Allowed]:
        moment = rng.random() * command.seconds
        what = f"kill {' '.join(w.decode() for w in words) or 'driver'} after {moment:.2f} s"
        with command.started() as process:
            _sleep(process, moment)
            victims = processes(process.pid, *words) if words else [process.pid]
            for pid in victims[:1]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            finish(process)
        return what, process.returncode, allowed

    return disturb


def stops(*words: bytes) -> Disturbance:
    """SIGSTOP to a process for a while, then SIGCONT."""

    def disturb(rng: random.Random, command: Command, _: Archive) -> tuple[str, int, Allowed]:
        moment, pause = rng.random() * command.seconds, 0.5 + 3 * rng.random()
        with command.started() as process:
            _sleep(process, moment)
            victims = processes(process.pid, *words) if words else [process.pid]
            for number in (signal.SIGSTOP, signal.SIGCONT):
                for pid in victims[:1]:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, number)
                time.sleep(pause if number == signal.SIGSTOP else 0)
            finish(process)
        what = f"stop {' '.join(w.decode() for w in words) or 'driver'} at {moment:.2f} s"
        return f"{what} for {pause:.1f} s", process.returncode, {EXIT_DONE}

    return disturb


def signals(rng: random.Random, command: Command, _: Archive) -> tuple[str, int, Allowed]:
    """SIGTERM or SIGINT, once or twice."""
    early = 0 if command.is_forked else 0.2  # Python itself must have started
    moment, times = early + rng.random() * command.seconds, rng.choice([1, 1, 2])
    number = rng.choice([signal.SIGTERM, signal.SIGINT])
    with command.started() as process:
        _sleep(process, moment)
        for _ in range(times):
            process.send_signal(number)
            time.sleep(0.1)
        finish(process)
    what = f"{times} x {number.name} after {moment:.2f} s"
    return what, process.returncode, {EXIT_RESUME, EXIT_DONE}


def damages_records(rng: random.Random, command: Command, _: Archive) -> tuple[str, int, Allowed]:
    """After a kill, the manifest is torn, flipped or gone; the copy of it is not."""
    what, code, allowed = ends_at_a_place(rng, command, _)
    path = command.out / ".colorize" / "manifest.jsonl"
    how = rng.choice(["torn", "flipped", "gone", "whole"])
    if path.exists() and how != "whole":
        data = bytearray(path.read_bytes())
        if how == "gone":
            path.unlink()
        elif how == "torn":
            path.write_bytes(data[: rng.randrange(len(data))])
        else:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            path.write_bytes(data)
    return f"{what}, manifest {how}", code, allowed


def moves_clocks(rng: random.Random, command: Command, _: Archive) -> tuple[str, int, Allowed]:
    """After a kill, the dead lock is of another hour by its file and by its own words."""
    what, code, allowed = kills(allowed={KILLED, EXIT_DONE})(rng, command, _)
    lock, shift = command.out / ".colorize" / "lock.json", rng.choice([-86400, -300, 300, 86400])
    if lock.exists() and lock.stat().st_size:
        with contextlib.suppress(ValueError):
            told = json.loads(lock.read_text())
            told["heartbeat"] += shift
            lock.write_text(json.dumps(told))
        os.utime(lock, (time.time() + shift, time.time() + shift))
    return f"{what}, clock {shift:+d} s", code, allowed


def changes_the_source(
    rng: random.Random, command: Command, archive: Archive
) -> tuple[str, int, Allowed]:
    """A photo is replaced while the run works."""
    moment = rng.random() * command.seconds
    with command.started() as process:
        _sleep(process, moment)
        shutil.copy(archive.changed, command.source / CHANGING)
        finish(process)
    return f"source changes at {moment:.2f} s", process.returncode, {EXIT_DONE, EXIT_SOME_FAILED}


SERIAL: dict[str, Disturbance] = {
    "dies at a step": ends_at_a_place,
    "disk or share refuses": disk_refuses,
    "driver killed": kills(allowed={KILLED, EXIT_DONE}),
    "driver stopped": stops(),
    "signals": signals,
    "records damaged": damages_records,
    "clock jumps": moves_clocks,
    "source changes": changes_the_source,
}
RAY: dict[str, Disturbance] = {
    "driver killed": kills(allowed={KILLED, EXIT_DONE}),
    "worker killed": kills(b"_RemoteWorker", allowed={EXIT_DONE}),
    "worker stopped": stops(b"_RemoteWorker"),
    "raylet killed": kills(b"raylet/raylet", allowed={EXIT_RESUME, EXIT_DONE}),
    "GCS killed": kills(b"gcs_server", allowed={EXIT_RESUME, EXIT_DONE}),
    "signals": signals,
}


def _sleep(process: Started | Forked, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)


def copied(folder: Path, to: Path) -> Path:
    """A source of a round's own."""
    shutil.copytree(folder, to)
    return to
