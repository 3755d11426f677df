"""The line and the file that say how far a run is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colorize_core.archive.records.work import ItemReport, UnitReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.pipeline import progress as progress_module
from colorize_core.pipeline.progress import Progress


def photo(number: int) -> SourceItem:
    return SourceItem(f"{number}.png", f"/{number}.png", 100, "s", "photo")


def done(*numbers: int) -> UnitReport:
    items = tuple(ItemReport(f"key-{n}", "photo", f"{n}.png", "done") for n in numbers)
    return UnitReport(items, seconds=0.5)


def test_what_a_limit_leaves_over_is_neither_done_nor_counted_in_this_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(progress_module, "LINE_SECONDS", 0.0)
    file = tmp_path / "progress.json"
    progress = Progress([photo(n) for n in range(4)], 10, file, left_over=86)
    progress.update(done(0))
    assert "11/14 items" in capsys.readouterr().err
    progress.update(done(1, 2, 3))
    line = capsys.readouterr().err
    assert "14/14 items" in line
    assert "86 for a later run" in line
    progress.close()
    state = json.loads(file.read_text())
    assert (state["total"], state["left"]) == (100, 86)


def test_an_item_counts_once(tmp_path: Path):
    progress = Progress([photo(0), photo(1)], 0, tmp_path / "progress.json")
    progress.update(done(0))
    progress.update(done(0))
    assert progress.state()["left"] == 1
    assert progress.work()["computed"] == {"photos": 1, "frames": 0}
    progress.close()
