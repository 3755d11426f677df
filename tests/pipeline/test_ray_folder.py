"""A long TMPDIR, as Slurm gives, and none that can be used."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.errors import EXIT_CANNOT_RUN, UsageError
from colorize_core.pipeline.ray_folder import short_folder

ROOT = Path(__file__).parents[2]


def test_a_long_tmpdir_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", "/tmp")
    assert short_folder() is None
    long = tmp_path / ("x" * 96)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    folder = Path(str(short_folder()))
    assert folder.is_dir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(str(folder)) < 32
    folder.rmdir()


def test_without_any_folder_tmpdir_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / ("x" * 96)))
    with pytest.raises(UsageError, match=r"TMPDIR /.*xxx is too long.*--runner serial") as caught:
        short_folder(["/nonexistent", str(tmp_path / ("y" * 96))])
    assert caught.value.exit_code == EXIT_CANNOT_RUN


def run(source: Path, out: Path, weights: Path, environment: dict[str, str], *before: str):
    command = [sys.executable, "-m", "jobs.colorize_archive", str(source), "--out", str(out)]
    options = ["--workers", "1", "--no-report", "--set", f"model.weights={weights}"]
    return subprocess.run(
        [*before, *command, *options],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_ray_runs_under_a_long_tmpdir_without_a_home(
    gray_folder: Callable[..., Path], tmp_path: Path, tiny_weights: Path
):
    long = tmp_path / ("x" * 96)
    long.mkdir()
    environment = {**os.environ, "TMPDIR": str(long)}
    environment.pop("RAY_TMPDIR", None)
    environment.pop("HOME", None)
    done = run(gray_folder(2), tmp_path / "out", tiny_weights, environment)
    assert done.returncode == 0, done.stderr
    assert "2 done" in done.stderr
