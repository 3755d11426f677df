"""A long TMPDIR, as Slurm gives, and none that can be used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.errors import EXIT_CANNOT_RUN, UsageError
from colorize_core.pipeline.ray_folder import RayFolder

ROOT = Path(__file__).parents[2]


def test_a_long_tmpdir_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    long = tmp_path / ("x" * 96)
    long.mkdir()
    for chosen, place in (("/var/tmp", "/var/tmp/ray-"), (str(long), "/tmp/ray-")):
        monkeypatch.setenv("TMPDIR", chosen)
        folder = RayFolder()
        assert str(folder.path).startswith(place)
        assert len(str(folder.path)) < 30
        folder.remove()
        assert not folder.path.exists()


def test_nobody_else_may_enter_or_read_the_token():
    before = os.umask(0)
    try:
        first, second = RayFolder(), RayFolder()
    finally:
        os.umask(before)
    assert first.path.stat().st_mode & 0o777 == 0o700
    assert first.token_file.stat().st_mode & 0o777 == 0o600
    assert len(first.token_file.read_text()) == 64
    assert first.token_file.read_text() != second.token_file.read_text()
    first.remove()
    second.remove()


def test_what_a_killed_run_left_goes_and_what_a_live_one_uses_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    short = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(short))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    (short / "ray-of-another").mkdir()
    code = "from colorize_core.pipeline.ray_folder import RayFolder; print(RayFolder().path)"
    killed = f"{code}; import os; os._exit(1)"
    command = [sys.executable, "-c", killed]
    left = Path(subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip())
    assert left.is_dir()
    live = RayFolder()
    assert not left.exists()
    again = RayFolder()
    assert live.path.is_dir()
    assert (short / "ray-of-another").is_dir()
    live.remove()
    again.remove()
    shutil.rmtree(short)


def test_without_any_folder_tmpdir_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / ("x" * 96)))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    with pytest.raises(UsageError, match=r"TMPDIR /.*xxx is too long.*--runner serial") as caught:
        RayFolder(["/nonexistent", str(tmp_path / ("y" * 96))])
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
