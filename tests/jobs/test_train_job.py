from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize_core.cli.train import main, parser
from colorize_core.config import TrainConfig, load_config
from colorize_core.errors import EXIT_CANNOT_RUN, EXIT_RESUME
from tests.processes import Started

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "configs" / "train").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=[p.stem for p in RECIPES])
def test_every_recipe_loads(path):
    config = load_config(TrainConfig, path)
    assert config.stages


def test_the_papers_recipe_to_the_letter():
    config = load_config(TrainConfig, ROOT / "configs" / "train" / "paper.yaml")
    (stage,) = config.stages
    assert config.generator.architecture == "paper"
    assert stage.size == 256
    assert (stage.lr, stage.critic_lr) == (2e-4, 2e-4)
    assert (config.optimizer.beta1, config.optimizer.beta2) == (0.5, 0.999)
    assert stage.n_critic == 5
    assert (stage.loss.l1, stage.loss.adversarial, stage.loss.gradient_penalty) == (100, 1, 10)
    assert config.critic.layers == 3
    assert stage.degrade.flip == 0.5
    assert stage.degrade.min_crop == 1.0
    assert config.saving.export_epochs == 10
    assert stage.schedule == "constant-linear"
    assert config.optimizer.ema == 0


def test_one_setting_of_one_stage_can_be_changed():
    path = ROOT / "configs" / "train" / "tiny.yaml"
    config = load_config(TrainConfig, path, ["stages.1.samples=7", "stages.0.loss.l1=3.0"])
    assert [s.samples for s in config.stages] == [160, 7]
    assert config.stages[0].loss.l1 == 3.0


@pytest.mark.parametrize("override", ["stages.2.samples=1", "stages.x.samples=1"])
def test_a_stage_that_does_not_exist_cannot_be_changed(override, tmp_path, capsys):
    recipe = str(ROOT / "configs" / "train" / "tiny.yaml")
    code = main([str(tmp_path), "--config", recipe, "--runner", "local", "--set", override])
    assert code == EXIT_CANNOT_RUN
    assert "no place in a list" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_training_says_so_and_is_not_done(number, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (72, 72, 3), np.uint8)).save(photos / f"{i}.png")
    command = [sys.executable, "-m", "jobs.train", str(photos), "--runner", "local"]
    command += ["--config", "configs/train/tiny.yaml", "--out", str(tmp_path / "runs")]
    command += ["--device", "cpu", "--set", "stages.0.samples=800000"]
    command += ["--set", "saving.every_steps=5"]
    # As a shell starts what runs in the background.
    command = ["env", "--ignore-signal=INT", *command]
    with Started(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as job:
        deadline = time.monotonic() + 120
        while not list(tmp_path.glob("runs/*/checkpoints/step-*.pt")):
            assert job.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        job.send_signal(number)
        _, error = job.communicate(timeout=60)
    assert job.returncode == EXIT_RESUME
    assert error.splitlines()[-1].startswith("stopped; the same command goes on")


def test_missing_data_is_said_in_one_line(tmp_path, capsys):
    recipe = str(ROOT / "configs" / "train" / "tiny.yaml")
    out = ["--out", str(tmp_path / "runs")]
    code = main([str(tmp_path / "none"), "--config", recipe, "--runner", "local", *out])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == EXIT_CANNOT_RUN
    assert error.startswith("error:")
    assert "none: does not exist" in error


def test_options_are_documented():
    assert all(action.help for action in parser()._actions)
