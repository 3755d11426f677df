"""Ray's own processes die, a cluster is gone: 75 and one line, never a run that hangs."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.errors import EXIT_CANNOT_RUN, EXIT_RESUME
from tests.faults.runs import Command, finish, outputs, processes, wait_for

pytestmark = pytest.mark.faults


@pytest.fixture
def command(gray_folder: Callable[..., Path], tmp_path: Path, tiny_weights: Path) -> Command:
    return Command(gray_folder(8), tmp_path / "out", tiny_weights, ("--workers", "2"))


@pytest.mark.parametrize("part", [b"raylet/raylet", b"gcs_server"])
@pytest.mark.parametrize("moment", ["loading", "working"])
def test_a_dead_part_of_ray_ends_the_run_with_75(
    command: Command, tmp_path: Path, part: bytes, moment: str
):
    with command.started() as job:
        word = b"ray::_RemoteWorker" if moment == "loading" else b"ray::_RemoteWorker.run"
        wait_for(lambda: processes(job.pid, word) or job.poll() is not None)
        assert job.poll() is None, finish(job)
        [victim, *_] = processes(job.pid, part)
        os.kill(victim, signal.SIGKILL)
        errors = finish(job)
        assert job.returncode in (EXIT_RESUME, 0), errors
        if job.returncode:
            assert "died" in errors
            assert "Traceback" not in errors
    done = command.run()
    assert done.returncode == 0, done.stderr
    assert len(outputs(command.out)) == 8


@pytest.mark.parametrize("part", [b"raylet/raylet", b"gcs_server", b"dashboard.py"])
@pytest.mark.parametrize("seconds", [0, 0.5, 1.5])
def test_a_part_that_dies_while_ray_starts_ends_the_run_with_75(
    command: Command, part: bytes, seconds: float
):
    """So many seconds after it is there; what Ray can do without, it may do without."""
    with command.started() as job:
        wait_for(lambda: processes(job.pid, part) or job.poll() is not None)
        time.sleep(seconds)
        for victim in processes(job.pid, part)[:1]:
            os.kill(victim, signal.SIGKILL)
        errors = finish(job)
    assert job.returncode in (EXIT_RESUME, 0), errors
    assert "Traceback" not in errors
    if job.returncode:
        [line] = [line for line in errors.splitlines() if line.startswith("error")]
        assert "died" in line or "Ray ended" in line or "did not start" in line


def test_a_dead_cluster_address_is_one_line_within_a_minute(command: Command):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    started = time.monotonic()
    done = command.run(RAY_ADDRESS=address)
    assert time.monotonic() - started < 60
    assert done.returncode == EXIT_CANNOT_RUN
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error")]
    assert address in line
    assert "Traceback" not in done.stderr


def test_what_listens_at_an_address_and_is_no_ray(command: Command):
    with socket.create_server(("127.0.0.1", 0)) as server:
        started = time.monotonic()
        done = command.run(RAY_ADDRESS=f"127.0.0.1:{server.getsockname()[1]}")
    assert time.monotonic() - started < 90
    assert done.returncode in (EXIT_CANNOT_RUN, EXIT_RESUME)
    assert "Traceback" not in done.stderr
