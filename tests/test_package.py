"""The wheel, and the lists of what is installed with it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from colorize_core import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Built from what git tracks, so that no build folder of a developer gets in."""
    folder = tmp_path_factory.mktemp("wheel")
    archive = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names = [name for name in archive.split("\0") if name and (ROOT / name).exists()]
    subprocess.run(["tar", "-cf", folder / "all.tar", "--", *names], cwd=ROOT, check=True)
    (folder / "code").mkdir()
    subprocess.run(["tar", "-xf", folder / "all.tar", "-C", folder / "code"], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(folder), str(folder / "code")]
    subprocess.run(command, check=True)
    (path,) = folder.glob("*.whl")
    return zipfile.ZipFile(path)


def test_recipes_weights_and_the_page_travel_in_the_wheel(wheel):
    names = set(wheel.namelist())
    assert {name.partition("/")[0] for name in names} == {
        "colorize_core", f"colorize_archive-{__version__}.dist-info",
    }  # fmt: skip
    tracked = {
        f"colorize_core/{path.relative_to(ROOT)}"
        for kind in ("colorize", "evaluate", "train", "schema")
        for path in (ROOT / "configs" / kind).glob("*.*")
    }
    tracked |= {
        str(path.relative_to(ROOT))
        for path in (ROOT / "colorize_core").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert tracked
    assert tracked - names == set()
    assert not any("/cluster/" in name for name in names)


def test_the_wheel_brings_the_command(wheel):
    (entry,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    text = wheel.read(entry).decode()
    assert text.split() == [
        "[console_scripts]", "colorize-archive", "=", "colorize_core.cli.main:main",
    ]  # fmt: skip


def locked(name: str) -> dict[str, str]:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [re.fullmatch(r"([\w.-]+)==(\S+)", line) for line in lines]
    return {canonicalize_name(match[1]): match[2] for match in found if match}


def needed(requirements: list[str]) -> set[str]:
    """Names of all that these need, with the extras they name, as installed here."""
    todo, done, names = [Requirement(text) for text in requirements], set(), set()
    while todo:
        one = todo.pop()
        if (one.name, tuple(one.extras)) in done:
            continue
        done.add((one.name, tuple(one.extras)))
        names.add(canonicalize_name(one.name))
        for text in distribution(one.name).requires or []:
            part = Requirement(text)
            extras = ("", *one.extras)
            if part.marker is None or any(part.marker.evaluate({"extra": e}) for e in extras):
                todo.append(part)
    return names


def test_the_users_lock_holds_what_users_need_and_no_test_tools():
    users = needed([*PROJECT["dependencies"], *EXTRAS["train"], *EXTRAS["onnx"], *EXTRAS["s3"]])
    assert users - set(locked("requirements.lock")) == set()
    developers = needed([*EXTRAS["dev"], *EXTRAS["browser"], *EXTRAS["docs"]]) - users
    assert {"pytest", "mypy", "ruff", "playwright"} <= developers
    assert developers - set(locked("requirements-dev.lock")) == set()
    assert developers & set(locked("requirements.lock")) == set()
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert "-dev.lock" not in dockerfile
