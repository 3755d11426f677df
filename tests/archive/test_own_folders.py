"""Sources whose names are those of the folders that a run makes inside OUT."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from jobs import colorize_archive
from tests.conftest import gray_picture

# All that a run makes for itself, with names as it gives them.
AMONG_OURS = (
    "report/photo.png",
    "report/data/photo.png",
    "report/data/x/photo.png",
    "report/data/0123456789ab/photo.png",
    "report/thumbs/photo.png",
    "report/thumbs/ab/photo.png",
    "report/compare/photo.png",
    "report/compare/plain.png.jpg",
    "Report/Data/photo.png",
    "plain.png",
)
KEPT_FOR_RECORDS = (
    ".colorize/photo.png",
    ".colorize/segments/a/00000.png",
    ".colorize/staging/films/photo.png",
    ".colorize-tmp-1.png",
    "deep/.colorize-tmp-2/photo.png",
)


def make_source(folder: Path, names: tuple[str, ...]) -> Path:
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(gray_picture(seed, 32)).save(path)
    return folder


def run(source: Path | str, out: Path, weights: Path, *more: str) -> int:
    fixed = ["--out", str(out), "--runner", "serial", "--set", f"model.weights={weights}"]
    return colorize_archive.main([*fixed, *more, "--", str(source)])


def items(out: Path) -> dict[str, dict]:
    summary = json.loads((out / ".colorize" / "summary.json").read_text())
    return {item["source"]: item for item in summary["items"]}


def damaged(out: Path) -> list[str]:
    return [
        name
        for name, item in items(out).items()
        if item["status"] == "done"
        if hashlib.sha256((out / item["output"]).read_bytes()).hexdigest() != item["sha256"]
    ]


def test_outputs_among_the_pages_own_files_stay(tmp_path: Path, tiny_weights: Path):
    source, out = make_source(tmp_path / "src", AMONG_OURS), tmp_path / "out"
    for _ in range(3):
        assert run(source, out, tiny_weights) == 0
        assert {i["status"] for i in items(out).values()} == {"done"}
        assert set(items(out)) == set(AMONG_OURS)
        assert damaged(out) == []
    pages = [p for p in (out / "report" / "data").iterdir() if (p / "index.js").exists()]
    assert len(pages) == 1, "the data of earlier pages are gone"
    records = "".join(path.read_text() for path in pages[0].glob("*.js"))
    assert "report/compare/plain.png.jpg" in records
    assert '"side"' not in records, "no output is shown as the comparison of another"


def test_comparisons_do_not_overwrite_outputs(
    tmp_path: Path, tiny_weights: Path, capsys: pytest.CaptureFixture[str]
):
    source, out = make_source(tmp_path / "src", AMONG_OURS), tmp_path / "out"
    assert run(source, out, tiny_weights) == 0
    assert run(source, out, tiny_weights, "--compare") == 1
    assert "leave out --compare" in capsys.readouterr().err.splitlines()[-1]
    assert damaged(out) == []


def test_a_source_inside_the_records_is_left_out_or_refused_by_name(
    tmp_path: Path, tiny_weights: Path
):
    source = make_source(tmp_path / "src", (*KEPT_FOR_RECORDS, "photo.png"))
    out = tmp_path / "out"
    assert run(source, out, tiny_weights) == 0
    summary = json.loads((out / ".colorize" / "summary.json").read_text())
    assert [item["source"] for item in summary["items"]] == ["photo.png"]
    # A folder counts as one.
    assert sum(summary["ignored"].values()) == 3
    listed = source / "list.txt"
    listed.write_text("".join(f"{name}\n" for name in (*KEPT_FOR_RECORDS[:3], "photo.png")))
    second = tmp_path / "second"
    assert run(f"@{listed}", second, tiny_weights) == 2
    for name in KEPT_FOR_RECORDS[:3]:
        assert "kept for the records of a run" in items(second)[name]["reason"]
        assert not (second / name).exists()
