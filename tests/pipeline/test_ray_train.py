"""Training on Ray with two workers: one of them is killed, or the job itself."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_core.config import TrainConfig, load_config
from colorize_core.model.checkpoint import load_generator, save_generator
from colorize_core.model.generator import build_generator
from colorize_core.training.checkpoint import list_states

ROOT = Path(__file__).parents[2]
RECIPE = ROOT / "configs" / "train" / "tiny.yaml"
PATIENCE_SECONDS = 600  # an idle machine needs about 60


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    astronaut = data.astronaut()
    for i in range(24):
        top, left = rng.integers(0, 512 - 80, 2)
        Image.fromarray(astronaut[top : top + 80, left : left + 80]).save(folder / f"{i}.png")
    return folder


def workers_of(job: int) -> list[int]:
    """Processes of the Ray train workers that belong to `job`'s session."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            title = (process / "cmdline").read_bytes()
            session = int((process / "stat").read_text().rpartition(")")[2].split()[3])
        except (OSError, ValueError):
            continue
        if b"RayTrainWorker" in title and session == os.getsid(job):
            found.append(int(process.name))
    return sorted(found)


class Job:
    """`jobs.train` with two workers, in a session of its own."""

    def __init__(self, photos: Path, folder: Path) -> None:
        self.folder = folder
        generator = load_config(TrainConfig, RECIPE).generator
        start = build_generator(generator)
        save_generator(folder / "start.safetensors", start, generator, extra={})
        self.out = folder / "runs"
        self.log = folder / "log"
        self.command = [
            sys.executable, "-m", "jobs.train", str(photos), "--config", str(RECIPE),
            "--set", "init_weights=start.safetensors",  # where the job runs, not where Ray does
            "--out", str(self.out), "--workers", "2", "--device", "cpu", "--threads", "1",
            "--set", "stages.0.samples=240",
        ]  # fmt: skip

    @contextlib.contextmanager
    def started(self) -> Iterator[subprocess.Popen[bytes]]:
        environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
        environment["PYTHONPATH"] = str(ROOT)
        with self.log.open("a") as sink:
            process = subprocess.Popen(
                self.command, cwd=self.folder, stdout=sink, stderr=sink, env=environment,
                start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def states(self) -> list[Path]:
        return [s for run in self.out.glob("tiny-*") for s in list_states(run / "checkpoints")]

    def wait_for_a_checkpoint(self, process: subprocess.Popen[bytes]) -> int:
        """Its step."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (states := self.states()):
            assert process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)
        return int(states[-1].stem.split("-")[1])

    def check_the_end(self, process: subprocess.Popen[bytes]) -> None:
        assert process.wait(timeout=PATIENCE_SECONDS) == 0, self.log.read_text()
        (run,) = self.out.glob("tiny-*")
        exported = run / "exports" / "generator.safetensors"
        assert load_generator(exported).extra["step"] == "54"
        text = self.log.read_text()
        assert "of 54" in text.replace("step 0 of 54", "")
        assert str(exported) in text


@pytest.mark.faults
def test_two_workers_survive_a_kill(photos, tmp_path):
    job = Job(photos, tmp_path)
    with job.started() as process:
        assert job.wait_for_a_checkpoint(process) < 54
        victims = workers_of(process.pid)
        assert len(victims) == 2
        os.kill(victims[0], signal.SIGKILL)
        job.check_the_end(process)
    # Once by each worker at the beginning; Ray may lose what a killed one printed last.
    assert job.log.read_text().count("step 0 of 54") <= 2


@pytest.mark.faults
def test_the_same_command_goes_on_after_the_job_was_killed(photos, tmp_path):
    job = Job(photos, tmp_path)
    with job.started() as process:
        assert job.wait_for_a_checkpoint(process) < 54
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert not list(job.out.glob("tiny-*/exports/generator.safetensors"))
    job.log.unlink()
    with job.started() as process:
        job.check_the_end(process)
    assert "step 0 of 54" not in job.log.read_text()
