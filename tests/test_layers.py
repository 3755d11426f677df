"""The house keeps its rooms: who may import whom (docs/rooms.toml)."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

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


FILES = sorted(p for p in CORE.rglob("*.py") if p != CORE / "__init__.py")


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


@pytest.mark.parametrize(
    "job",
    [
        "colorize_archive",
        "train",
        "evaluate",
        "archive_status",
        "report",
        "export_onnx",
        "average_weights",
    ],
)
def test_help_loads_neither_torch_nor_ray(job: str):
    code = (
        "import sys; import importlib; "
        f"module = importlib.import_module('jobs.{job}'); code = module.main(['--help']); "
        "heavy = {'torch', 'ray', 'av', 'lightning'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout
