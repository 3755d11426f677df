"""The house keeps its rooms: who may import whom (docs/rooms.toml)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from colorize_core.cli.main import VERBS

ROOT = Path(__file__).parents[1]
CORE = ROOT / "colorize_core"
RULES = tomllib.loads((ROOT / "docs" / "rooms.toml").read_text(encoding="utf-8"))
OURS = {name: set(room["may"]) for name, room in RULES["rooms"].items()}
ONLY_IN = {library: set(rooms) for library, rooms in RULES["only_in"].items()}


def room_of(parts: tuple[str, ...]) -> str:
    """The deepest listed room that holds this path or dotted name; else its first part."""
    names = [part.removesuffix(".py") for part in parts]
    nested = ".".join(names[:2])
    return nested if nested in OURS else names[0]


def is_allowed(room: str, other: str) -> bool:
    return other == room or other in OURS[room] or other.partition(".")[0] in OURS[room]


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


DOORS = {CORE / "__init__.py", CORE / "__main__.py"}
FILES = sorted(p for p in CORE.rglob("*.py") if p not in DOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(CORE)))
def test_room_imports_only_what_it_may(path: Path):
    room = room_of(path.relative_to(CORE).parts)
    if path.name == "__init__.py" and room not in OURS:
        return
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "colorize_core" and rest != "__version__":
            other = room_of(tuple(rest.split(".")))
            assert is_allowed(room, other), f"{path}: {room} may not import {other}"
        elif top in ONLY_IN:
            assert room in ONLY_IN[top], f"{path}: {top} belongs to {ONLY_IN[top]}"
        assert top not in {"jobs", "tests", "bench"}, f"{path}: imports {top}"


def test_the_list_names_every_room_and_no_other():
    rooms = {room_of(path.relative_to(CORE).parts) for path in FILES if path.name != "__init__.py"}
    assert rooms == set(OURS)


JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("[a-z]*.py"))


@pytest.mark.parametrize("verb", VERBS)
def test_help_loads_neither_torch_nor_ray(verb: str):
    code = (
        "import sys; from colorize_core.cli.main import main; "
        f"code = main(['{verb}', '--help']); "
        "heavy = {'torch', 'ray', 'av', 'lightning'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert f"usage: colorize-archive {verb} " in done.stdout


def test_every_verb_has_a_file_and_every_file_a_verb():
    shared = {"__init__", "main", "command", "shortcuts", "outcome", "verifying"}
    shared |= {"run_options", "same_words"}
    assert {path.stem for path in (CORE / "cli").glob("*.py")} - shared == set(VERBS)


@pytest.mark.parametrize("job", JOBS)
def test_jobs_are_doors_to_verbs(job: str):
    verb = re.findall(
        r"from colorize_core\.cli\.(\w+) import main", (ROOT / f"jobs/{job}.py").read_text()
    )
    done = run("-m", f"jobs.{job}", "--help")
    assert done.returncode == 0, done.stderr
    assert f"usage: colorize-archive {verb[0]} " in done.stdout


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
