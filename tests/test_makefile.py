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
    show = f"exec python3 -c '{SHOW}' \"$@\""
    path.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec python3 "$@"\n{show}\n')
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
    values = {"SRC": name, "OUT": name + " out", "REDO": name + " redo"}
    if how == "argument":
        done = make("colorize-archive", *fixed, *(f"{k}={v}" for k, v in values.items()))
    else:
        done = make("colorize-archive", *fixed, env=values)
    assert done.returncode == 0, done.stderr
    module, path, option, _, *rest = json.loads(done.stdout)
    assert (module, path, option) == ("-m", "jobs.colorize_archive", "--last-line")
    assert rest == [
        "--out",
        name + " out",
        "--redo-list",
        name + " redo",
        "--",
        name,
    ]


@pytest.mark.parametrize("target", ["colorize-archive", "evaluate", "bench"])
@pytest.mark.parametrize(
    ("args", "words"),
    [
        ("--dry-run  --set a.b=*", ["--dry-run", "--set", "a.b=*"]),
        ("--out '/a b' --set \"x=$HOME\"", ["--out", "/a b", "--set", "x=$HOME"]),
        ("'$(touch x)' `id` \\$HOME ~ ü;&|<", ["$(touch x)", "`id`", "$HOME", "~", "ü;&|<"]),
        ("'it''s' \"\" 'line\nbreak'", ["its", "", "line\nbreak"]),
        ("", []),
    ],
)
def test_arguments_are_split_as_quoted_and_nothing_is_expanded(
    fake_python: Path, target: str, args: str, words: list[str]
):
    stamp = fake_python.with_name("stamp")
    stamp.touch()
    fixed = [f"PY={fake_python}", f"STAMP={stamp}", "-o", str(stamp), "DATA=d"]
    done = make(target, *fixed, env={"ARGS": args})
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)[4 if target == "colorize-archive" else 2 :]
    assert found == [*words, "--", "d"] if target == "evaluate" else found == words


def test_an_open_quote_is_said_and_nothing_runs(fake_python: Path):
    stamp = fake_python.with_name("stamp")
    stamp.touch()
    fixed = [f"PY={fake_python}", f"STAMP={stamp}", "-o", str(stamp)]
    done = make("colorize-archive", *fixed, env={"ARGS": "--set 'a"})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ARGS: No closing quotation\n")


@pytest.mark.parametrize(
    ("target", "name"),
    [("train", "DATA"), ("evaluate", "DATA"), ("report", "OUT"), ("status", "OUT")],
)
def test_what_is_missing_is_said_before_anything_is_installed(tmp_path: Path, target, name):
    stamp = tmp_path / "stamp"
    done = make(target, "PY=/none", f"STAMP={stamp}")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == f"error: {name}= is missing: make {target} {name}=..."
    assert not stamp.exists()


def test_the_exit_code_is_printed(tmp_path: Path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] && exec python3 "$@"\nexit 75\n')
    python.chmod(0o755)
    done = make("colorize-archive", f"PY={python}", f"STAMP={python}", "-o", str(python), "SRC=x")
    assert done.returncode == 2
    assert "exit code 75" in done.stdout


def test_failed_inputs_are_the_last_word(tmp_path: Path):
    python = tmp_path / "python"
    said = "finished; 2 inputs failed, see /a b/$x, (y)/index.html"
    script = 'while [ "$1" != --last-line ]; do shift; done; printf %s "$SAID" > "$2"; exit 2'
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec python3 "$@"\n{script}\n')
    python.chmod(0o755)
    temporary = tmp_path / "with space"
    temporary.mkdir()
    done = make(
        *("colorize-archive", f"PY={python}", f"STAMP={python}", "-o", str(python), "SRC=x"),
        env={"TMPDIR": str(temporary), "SAID": said},
    )
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert list(temporary.iterdir()) == []


def test_help_lists_every_target():
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    assert targets is not None
    listed = make("help").stdout
    for target in targets[1].split():
        assert re.search(rf"^{target}\s+\S", listed, re.MULTILINE), target
