"""Training on Ray with two workers, one of which is killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_core.model.checkpoint import load_generator
from colorize_core.training.checkpoint import list_states

ROOT = Path(__file__).parents[2]
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


def test_two_workers_survive_a_kill(photos, tmp_path):
    out = tmp_path / "runs"
    command = [
        sys.executable, "-m", "jobs.train", str(photos), "--config", "configs/train/tiny.yaml",
        "--out", str(out), "--workers", "2", "--device", "cpu", "--threads", "1",
        "--set", "stages.0.samples=240",
    ]  # fmt: skip
    log = tmp_path / "log"
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    with log.open("w") as sink:
        job = subprocess.Popen(
            command, cwd=ROOT, stdout=sink, stderr=sink, env=environment, start_new_session=True
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (
            states := [s for run in out.glob("tiny-*") for s in list_states(run / "checkpoints")]
        ):
            assert job.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        victims = workers_of(job.pid)
        assert len(victims) == 2
        os.kill(victims[0], 9)
        assert job.wait(timeout=PATIENCE_SECONDS) == 0, log.read_text()
    finally:
        if job.poll() is None:
            job.kill()
            job.wait()
    (run,) = out.glob("tiny-*")
    exported = run / "exports" / "generator.safetensors"
    assert load_generator(exported).extra["step"] == "54"
    assert int(states[-1].stem.split("-")[1]) < 54
    text = log.read_text()
    assert text.count("step 0 of 54") == 2
    assert "of 54" in text.replace("step 0 of 54", "")
    assert str(exported) in text
