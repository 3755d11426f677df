"""Two jobs on one Ray cluster, by RAY_ADDRESS and by `ray job submit`."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_core.config import RunOptions
from colorize_core.model.checkpoint import load_generator
from tests.pipeline.workers import Scripted, shard

ROOT = Path(__file__).parents[2]
RAY = Path(sys.executable).with_name("ray")
CPUS = 3
PATIENCE_SECONDS = 900  # an idle machine needs about 60


@dataclass(frozen=True)
class Cluster:
    address: str
    dashboard: str
    environment: dict[str, str]


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A head node of its own, with the job server."""
    port, dashboard, agent, client = free_ports(4)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")} | {
        "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    # Ray's sockets live there, and their paths must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        command = [
            RAY, "start", "--head", "--block", f"--port={port}", f"--temp-dir={folder}",
            f"--num-cpus={CPUS}", "--object-store-memory=120000000", "--include-dashboard=true",
            "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}",
            f"--dashboard-agent-listen-port={agent}", f"--ray-client-server-port={client}",
        ]  # fmt: skip
        log = Path(folder, "head.log")
        with log.open("w") as sink:
            head = subprocess.Popen(
                command, env=environment, stdout=sink, stderr=sink, start_new_session=True
            )
        try:
            found = Cluster(f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}", environment)
            listing = [RAY, "job", "list", "--address", found.dashboard]
            deadline = time.monotonic() + PATIENCE_SECONDS
            while subprocess.run(listing, env=environment, capture_output=True).returncode:
                assert head.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(1)
            yield found
        finally:
            stop(head)


def stop(process: subprocess.Popen) -> None:
    """Ends a process and what it started: it leads a session of its own."""
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[3]) == process.pid:
                os.kill(int(stat.parent.name), signal.SIGKILL)
        except (OSError, ValueError):
            continue


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(24):
        top, left = rng.integers(0, 512 - 80, 2)
        Image.fromarray(data.astronaut()[top : top + 80, left : left + 80]).save(
            folder / f"{i}.png"
        )
    return folder


def training(photos: Path, out: Path) -> list[str]:
    return [
        sys.executable, "-m", "jobs.train", str(photos), "--config",
        str(ROOT / "configs/train/tiny.yaml"), "--set", "stages.0.samples=16",
        "--set", "stages.1.samples=8", "--out", str(out), "--workers", "2", "--device", "cpu",
    ]  # fmt: skip


def colorizing(source: Path, out: Path, weights: Path, workers: int) -> list[str]:
    return [
        sys.executable, "-m", "jobs.colorize_archive", str(source), "--out", str(out),
        "--workers", str(workers), "--device", "cpu", "--no-report",
        "--set", f"model.weights={weights}", "--set", "render.size=64",
    ]  # fmt: skip


def is_colorized(out: Path, count: int) -> bool:
    summary = json.loads((out / ".colorize" / "summary.json").read_text())
    done = [item for item in summary["items"] if item["status"] in ("done", "degraded")]
    return len(done) == count == len(list(out.rglob("*.png")))


def check_trained(out: Path) -> None:
    (weights,) = out.glob("tiny-*/exports/generator.safetensors")
    assert int(load_generator(weights).extra["step"]) > 2


@pytest.mark.parametrize("submitted", ["train", "color"])
def test_two_jobs_on_one_cluster_both_finish(
    cluster, photos, gray_folder, tiny_weights, tmp_path, submitted
):
    commands = {
        # More than there is room for beside the training.
        "color": colorizing(gray_folder(40), tmp_path / "color", tiny_weights, CPUS),
        "train": training(photos, tmp_path / "runs"),
    }
    submit = [RAY, "job", "submit", "--address", cluster.dashboard, "--working-dir", ROOT, "--"]
    commands[submitted] = [*submit, *commands[submitted]]
    jobs, logs = {}, {name: tmp_path / f"{name}.log" for name in commands}
    try:
        for name, command in commands.items():
            address = {} if name == submitted else {"RAY_ADDRESS": cluster.address}
            with logs[name].open("w") as sink:
                jobs[name] = subprocess.Popen(
                    command, cwd=ROOT, env=cluster.environment | address, stdout=sink, stderr=sink
                )
        for name, job in jobs.items():
            assert job.wait(timeout=PATIENCE_SECONDS) == 0, logs[name].read_text()
    finally:
        for job in jobs.values():
            if job.poll() is None:
                job.kill()
                job.wait()
    assert "succeeded" in logs[submitted].read_text()
    assert is_colorized(tmp_path / "color", 40)
    check_trained(tmp_path / "runs")


@pytest.fixture
def make_pool(tmp_path: Path, monkeypatch) -> Iterator[Callable]:
    import ray

    from colorize_core.pipeline import ray_pool

    options = RunOptions(workers=CPUS)
    with monkeypatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 1)  # a larger machine would have room for all
        assert ray_pool.start_ray(options)
    yield partial(ray_pool.RayPool, partial(Scripted, tmp_path), options)
    ray.shutdown()


def test_a_pool_makes_room_for_a_group_that_waits_and_comes_back(make_pool, monkeypatch):
    import ray
    from ray.util.placement_group import placement_group, remove_placement_group

    from colorize_core.pipeline import ray_pool

    monkeypatch.setattr(ray_pool, "SHARE_SECONDS", 0.2)
    pool = make_pool()
    finished: list[str] = []

    def turn_until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 300  # seconds; machines are busy
        while not condition():
            assert time.monotonic() < deadline
            finished.extend(outcome.unit.photos[0].item.path for outcome in pool.wait(0.2))

    turn_until(lambda: pool.free == 2 * CPUS)
    names = [f"slow {i}" for i in range(2 * CPUS)]
    for name in names:
        pool.submit(shard(name))
    too_large = placement_group([{"CPU": 1}] * (CPUS + 1))
    group = placement_group([{"CPU": 1}] * 2)
    ready = group.ready()  # each call starts a task of its own
    turn_until(lambda: bool(ray.wait([ready], timeout=0)[0]))
    turn_until(lambda: not pool.in_flight)
    assert sorted(finished) == names
    assert pool.free == 2  # of the one worker that has a place
    remove_placement_group(group)
    remove_placement_group(too_large)
    turn_until(lambda: pool.free == 2 * CPUS)
    pool.close()
