"""A machine of the cluster sleeps, is given up, and wakes up while its work is done elsewhere."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.atomic import TEMP_PREFIX
from tests.faults.runs import ROOT, Command, finish, outputs, processes, wait_for
from tests.processes import Started

pytestmark = pytest.mark.faults
# Two raylets on one machine; the workers of the second stop themselves before a rename.
CLUSTER = """
import os, sys
from ray.cluster_utils import Cluster
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **SIZE})
os.environ["COLORIZE_FAULT"] = "publish: flushed@3=STOP"
second = cluster.add_node(num_cpus=1, **SIZE)
print(cluster.address, second.all_processes["raylet"][0].process.pid, flush=True)
sys.stdin.read()
cluster.shutdown()
""".replace("SIZE", '{"object_store_memory": 10**8, "include_dashboard": False}')
# Ray takes half a minute to give a machine up; here it shall be quick.
PATIENCE = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}


@dataclass(frozen=True)
class Machines:
    environment: dict[str, str]
    leader: int
    second_raylet: int


@pytest.fixture
def machines() -> Iterator[Machines]:
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        own = {**PATIENCE, **secret, "RAY_TMPDIR": folder, "PYTHONPATH": str(ROOT)}
        with Started(
            [sys.executable, "-c", CLUSTER],
            env={**os.environ, **own},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as cluster:
            address, raylet = cluster.stdout.readline().split()
            yield Machines({**secret, "RAY_ADDRESS": address}, cluster.pid, int(raylet))
            cluster.communicate(timeout=60)


def test_a_worker_that_wakes_up_late_replaces_nothing(
    machines: Machines, gray_folder: Callable[..., Path], tmp_path: Path, tiny_weights: Path
):
    options = ("--workers", "2", "--set", "photo.shard_photos=8")
    job = Command(gray_folder(300, side=160), tmp_path / "out", tiny_weights, options)
    folder = RunFolder(job.out)
    with job.started(**machines.environment) as process:
        [asleep] = wait_for(lambda: stopped(machines.leader))
        os.kill(machines.second_raylet, signal.SIGSTOP)
        [late] = temporaries(job.out)
        wait_for(lambda: list(folder.given_up.glob("*")))
        wait_for(lambda: len(recorded(folder)) > 250)
        before = {path: (job.out / path).stat().st_ino for path in recorded(folder)}
        assert late.exists()
        os.kill(asleep, signal.SIGCONT)
        wait_for(lambda: not late.exists())  # it has looked, and removed what it wanted to publish
        os.kill(machines.second_raylet, signal.SIGCONT)
        errors = finish(process)
        assert process.returncode == 0, errors
    assert len(outputs(job.out)) == len(recorded(folder)) == 300
    assert {path: (job.out / path).stat().st_ino for path in before} == before
    assert not list(job.out.rglob(f"{TEMP_PREFIX}*"))


def stopped(leader: int) -> list[int]:
    """Workers of the cluster that have stopped themselves."""
    return [pid for pid in processes(leader, b"_RemoteWorker") if state_of(pid) == "T"]


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def temporaries(out: Path) -> list[Path]:
    """What a worker was about to publish: older than a stopped process can be of another."""
    time.sleep(1)
    old = time.time() - 0.9
    return [path for path in out.rglob(f"{TEMP_PREFIX}*") if path.stat().st_mtime < old]


def recorded(folder: RunFolder) -> list[str]:
    """Outputs that have a line."""
    lines = folder.manifest.read_bytes().splitlines() if folder.manifest.exists() else []
    bodies = (json.loads(line) for line in lines if line.endswith(b"}"))
    return [body["output"] for body in bodies if body.get("output")]
