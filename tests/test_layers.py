"""The house keeps its rooms: who may import whom (docs/decisions/0001)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = ROOT / "colorize_core"
BASE = {"errors", "atomic", "config"}
OURS = {
    "errors": set(),
    "atomic": {"errors"},
    "memory": set(),
    "config": {"errors"},
    "samples": {"errors", "atomic", "media"},
    "color": {"errors"},
    "model": BASE,
    "media": {"errors", "atomic"},
    "archive": BASE,
    "metrics": {"color", "media", "errors"},
    "inference": {"color", "model", "media", "metrics", "archive", "memory", *BASE},
    "training": {"color", "model", "media", "metrics", "archive", "memory", *BASE},
    "report": {"media", "archive", "errors", "atomic"},
    "pipeline": {"archive", "media", *BASE},
}
ONLY_IN = {
    "av": {"media"},
    "cv2": {"media"},
    "ray": {"pipeline"},
    "tqdm": {"pipeline"},
    "lightning": {"training"},
    "jinja2": {"report"},
    "fsspec": {"archive"},
    "yaml": {"config", "archive"},
    "safetensors": {"model"},
    "onnx": {"inference"},
    "onnxruntime": {"inference"},
}


def room_of(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


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
    room = room_of(path)
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "colorize_core":
            other = rest.partition(".")[0]
            allowed = OURS[room] | {room, "__version__"}
            assert other in allowed, f"{path}: {room} may not import {other}"
        elif top in ONLY_IN:
            assert room in ONLY_IN[top], f"{path}: {top} belongs to {ONLY_IN[top]}"
        assert top not in {"jobs", "tests", "bench"}, f"{path}: imports {top}"


def test_the_check_sees_every_room():
    assert {room_of(path) for path in FILES} == set(OURS)


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
