from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from colorize_core.config import TrainConfig, load_config
from colorize_core.errors import EXIT_CANNOT_RUN
from jobs.train import build_parser, main

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


def test_missing_data_is_said_in_one_line(tmp_path, capsys):
    recipe = str(ROOT / "configs" / "train" / "tiny.yaml")
    out = ["--out", str(tmp_path / "runs")]
    code = main([str(tmp_path / "none"), "--config", recipe, "--runner", "local", *out])
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == EXIT_CANNOT_RUN
    assert error.startswith("error:")
    assert "none: does not exist" in error


def test_help_loads_neither_torch_nor_ray():
    code = (
        "import sys, contextlib, jobs.train\n"
        "with contextlib.suppress(SystemExit): jobs.train.main(['--help'])\n"
        "assert not {'torch', 'ray', 'lightning'} & set(sys.modules), 'heavy import'"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def test_options_are_documented():
    assert all(action.help for action in build_parser()._actions)
