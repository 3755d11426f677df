"""What `run` leaves behind when it cannot run, and what `--verify` says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.numpy
from numpy import zeros

from colorize_core.cli.main import main

ROOT = Path(__file__).parents[2]


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.fixture
def foreign_weights(tmp_path: Path) -> Path:
    """Weights that another program made: found, hashed, and refused when they are loaded."""
    path = tmp_path / "foreign.safetensors"
    safetensors.numpy.save_file({"x": zeros(3)}, path)
    return path


@pytest.mark.parametrize("runner", ["serial", "ray"])
def test_refused_weights_leave_no_folder(runner, foreign_weights, gray_folder, tmp_path):
    source = gray_folder(1)
    before = files(tmp_path)
    command = [sys.executable, "-m", "colorize_core", str(source), "--runner", runner]
    command += ["--workers", "1", "--set", f"model.weights={foreign_weights}"]
    command += ["--out", str(tmp_path / "new" / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not a generator of this project" in done.stderr.splitlines()[-1]
    assert files(tmp_path) == before


@pytest.mark.parametrize("source", ["none", "empty", "list.txt", "@none.txt", "*.nothing"])
def test_a_wrong_source_leaves_no_folder(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.txt").touch()
    before = files(tmp_path)
    assert main([source, "--out", "new/out", "--runner", "serial"]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    assert files(tmp_path) == before


def test_what_was_there_before_stays(tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    assert main([str(tmp_path / "none"), "--out", str(out), "--runner", "serial"]) == 1
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_records_of_an_earlier_run_stay(tiny_weights, foreign_weights, gray_folder, tmp_path):
    source, out = gray_folder(1), tmp_path / "out"
    options = ["--out", str(out), "--runner", "serial", "--no-report", "--set"]
    assert main([str(source), *options, f"model.weights={tiny_weights}"]) == 0
    names = {"manifest.jsonl", "summary.json", "scan 000.png"}
    before = {path: path.read_bytes() for path in files(out) if path.name in names}
    assert len(before) == 3
    assert main([str(source), *options, f"model.weights={foreign_weights}"]) == 1
    assert {path: path.read_bytes() for path in before} == before


def test_verify_without_a_source(tiny_weights, gray_folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--verify"]) == 1
    assert capsys.readouterr().err.startswith("error: --verify: of which run?")
    assert files(tmp_path) == set()

    options = ["--runner", "serial", "--no-report", "--set", f"model.weights={tiny_weights}"]
    assert main([str(gray_folder(3)), "--out", "out", *options]) == 0
    capsys.readouterr()
    assert main(["run", "--verify", "--out", "out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"outputs": 3, "good": 3, "problems": {}}

    (tmp_path / "out" / "box 0" / "scan 000.png").unlink()
    (tmp_path / "out" / "box 1" / "scan 001.png").write_bytes(b"other")
    assert main(["run", "--verify", "--out", "out", "--json"]) == 2
    said = json.loads(capsys.readouterr().out)
    assert (said["outputs"], said["good"]) == (3, 1)
    assert said["problems"]["box 0/scan 000.png"] == "missing"
    assert set(said["problems"]) == {"box 0/scan 000.png", "box 1/scan 001.png"}
    assert not (tmp_path / "sample").exists()


def test_json_of_nothing_is_refused(tmp_path, capsys):
    assert main(["run", "--json", str(tmp_path)]) == 1
    assert "--json is for --verify and --dry-run" in capsys.readouterr().err
