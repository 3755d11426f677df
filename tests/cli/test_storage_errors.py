"""A full disk, a share that stumbles: what the driver itself writes ends with 75 and one line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.errors import EXIT_DONE, EXIT_RESUME

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("error", ["ENOSPC", "ESTALE"])
def test_the_first_record_of_a_run(
    gray_folder: Callable[..., Path], tmp_path: Path, tiny_weights: Path, error: str
):
    words = [sys.executable, "-m", "colorize_core", str(gray_folder(2)), "--runner", "serial"]
    words += ["--out", str(tmp_path / "out"), "--set", f"model.weights={tiny_weights}"]
    words += ["--no-report", "--wait-for-space", "0"]
    environment = {**os.environ, "COLORIZE_FAULT": f"publish: flushed@2={error}"}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == EXIT_RESUME, done.stderr
    assert "Traceback" not in done.stderr
    assert "the same command" in done.stderr
    assert subprocess.run(words, cwd=ROOT, capture_output=True).returncode == EXIT_DONE
