"""What a user types reaches the job as typed; every target is documented."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHOW = "import json, os, sys; print(json.dumps(sys.argv[1:]))"


def make(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )


@pytest.fixture
def fake_python(tmp_path: Path) -> Path:
    """Stands for .venv/bin/python and prints the arguments that arrive."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\nexec python3 -c '{SHOW}' \"$@\"\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "plain",
        "two words",
        "it's",
        'a "quote"',
        "$HOME $(date) `id` $$",
        "line\nbreak",
        "*",
        "-x",
        "ü;&|<",
    ],
)
@pytest.mark.parametrize("how", ["argument", "environment"])
def test_names_arrive_as_typed(fake_python: Path, name: str, how: str):
    stamp = fake_python.with_name("stamp")
    stamp.touch()
    fixed = [f"PY={fake_python}", f"STAMP={stamp}", "-o", str(stamp)]
    values = {"SRC": name, "OUT": name + " out"}
    if how == "argument":
        done = make("colorize-archive", *fixed, *(f"{k}={v}" for k, v in values.items()))
    else:
        done = make("colorize-archive", *fixed, env=values)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        "-m",
        "jobs.colorize_archive",
        "--out",
        name + " out",
        "--",
        name,
    ]


def test_arguments_are_split_and_nothing_is_expanded(fake_python: Path):
    stamp = fake_python.with_name("stamp")
    stamp.touch()
    fixed = [f"PY={fake_python}", f"STAMP={stamp}", "-o", str(stamp)]
    done = make("colorize-archive", *fixed, "ARGS=--dry-run  --set a.b=*")
    assert json.loads(done.stdout)[2:] == ["--dry-run", "--set", "a.b=*"]


def test_the_exit_code_is_printed(tmp_path: Path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 75\n")
    python.chmod(0o755)
    done = make("colorize-archive", f"PY={python}", f"STAMP={python}", "-o", str(python), "SRC=x")
    assert done.returncode == 2
    assert "exit code 75" in done.stdout


def test_help_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert targets is not None
    listed = make("help").stdout
    for target in targets[1].split():
        assert re.search(rf"^{target}\s+\S", listed, re.MULTILINE), target
