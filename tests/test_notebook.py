"""The Colab notebook, cell by cell, with a folder in place of the mounted Drive."""

import json
import os
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from PIL import Image
from skimage import data

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "notebooks" / "colorize_colab.ipynb"


@pytest.fixture
def notebook():
    return json.loads(NOTEBOOK.read_text(encoding="utf-8"))


@pytest.fixture
def run_cells(notebook, gray_folder, tiny_weights, tmp_path, monkeypatch, capfd):
    """Run all cells as "Run all" does; return what they printed."""
    drive = tmp_path / "drive"
    (drive / "MyDrive").mkdir(parents=True)
    gray_folder(4, name="drive/MyDrive/old photos")
    # pip builds inside the folder it installs from.
    code = tmp_path / "code"
    for name in ("colorize_core", "jobs"):
        shutil.copytree(ROOT / name, code / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, code / name)
    # pip runs for real, but what it installs must not change this machine.
    for name, value in {
        "PIP_TARGET": str(tmp_path / "installed"),
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's spelling: 0 turns isolation off
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
    }.items():
        monkeypatch.setenv(name, value)
    plt.switch_backend("agg")

    def run(*options, **values):
        values |= {"DRIVE": drive, "CODE": code}
        values["OPTIONS"] = ["--set", f"model.weights={tiny_weights}", *options]
        namespace = {"__name__": "__main__"}
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), NOTEBOOK.name, "exec"), namespace)
                if "parameters" in cell["metadata"].get("tags", []):
                    namespace |= values
        return capfd.readouterr().out

    run.drive = drive / "MyDrive"
    run.out = drive / "MyDrive" / "old photos-color"
    run.installed = tmp_path / "installed"
    return run


def test_it_is_a_clean_notebook(notebook):
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            assert "-m venv" not in "".join(cell["source"])


def test_run_all_colorizes_and_run_all_again_resumes(run_cells):
    environment = dict(os.environ)
    first = run_cells("--limit", "3")
    assert "left" in first
    results = {p: p.stat().st_ctime_ns for p in run_cells.out.glob("box*/*.png")}
    assert len(results) == 3
    assert (run_cells.installed / "colorize_core" / "report" / "page.html").is_file()

    second = run_cells()
    assert "Everything is done." in second
    assert "scan 000.png (48, 64, 3) uint8" in second  # by the Python API
    assert len(list(run_cells.out.glob("box*/*.png"))) == 4
    assert {p: p.stat().st_ctime_ns for p in results} == results
    assert (run_cells.out / "report" / "index.html").is_file()
    assert dict(os.environ) == environment


@pytest.mark.slow
def test_it_trains_on_photos_of_the_drive(run_cells):
    (run_cells.drive / "color").mkdir()
    for n in range(12):
        Image.fromarray(data.astronaut()[9 * n : 9 * n + 80, 100:200]).save(
            run_cells.drive / "color" / f"{n}.png"
        )
    training = ["--config", "tiny", "--set", "stages.0.samples=16", "--set", "stages.1.samples=8"]
    said = run_cells("--limit", "1", DATA="MyDrive/color", TRAINING=training)
    assert "exit code 0" in said
    (made,) = run_cells.drive.glob("colorize-runs/*/exports/generator.safetensors")
    assert str(made) in said


def test_an_address_that_is_missing_is_said(notebook, tmp_path):
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    namespace = {"__name__": "__main__"}
    exec(cells[0], namespace)
    (tmp_path / "drive").mkdir()
    namespace |= {"DRIVE": tmp_path / "drive", "CODE": tmp_path / "code"}
    with pytest.raises(SystemExit, match="REPOSITORY is empty"):
        exec(cells[1], namespace)
    namespace |= {"REPOSITORY": str(tmp_path / "no repository")}
    with pytest.raises(SystemExit, match="git ended with 128"):
        exec(cells[1], namespace)
