"""The line and the file that say how far a run is."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from colorize_core.archive.records.details import SegmentDetails
from colorize_core.archive.records.in_hand import InHand, InHandFile, read_in_hand
from colorize_core.archive.records.work import ItemReport, UnitReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.pipeline import progress as progress_module
from colorize_core.pipeline.first_failures import FirstFailures
from colorize_core.pipeline.progress import Progress
from colorize_core.pipeline.work_left import WorkLeft


def photo(number: int) -> SourceItem:
    return SourceItem(f"{number}.png", f"/{number}.png", 100, "s", "photo")


def film(size: int = 1000) -> SourceItem:
    return SourceItem("film.mkv", "/film.mkv", size, "s", "film")


def done(*numbers: int, status="done") -> UnitReport:
    items = tuple(ItemReport(f"key-{n}", "photo", f"{n}.png", status) for n in numbers)
    return UnitReport(items, seconds=0.5)


def segment(share: float, seconds: float) -> UnitReport:
    details = SegmentDetails("key", share=share)
    item = ItemReport("key-s", "segment", "film.mkv", "done", frames=10, details=details)
    return UnitReport((item,), seconds=seconds)


@pytest.fixture
def every_tick(monkeypatch: pytest.MonkeyPatch):
    for name in ("LINE_SECONDS", "FIRST_LINE_SECONDS", "LOOK_SECONDS", "FILE_SECONDS"):
        monkeypatch.setattr(progress_module, name, 0.0)


def test_what_a_limit_leaves_over_is_neither_done_nor_counted_in_this_run(
    tmp_path: Path, every_tick: None, capsys: pytest.CaptureFixture[str]
):
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


def test_what_workers_have_in_hand_moves_the_count_before_their_report(
    tmp_path: Path, every_tick: None, capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "in-hand"
    progress = Progress([photo(n) for n in range(9)], 0, tmp_path / "p.json", in_hand=folder)
    assert progress.state()["phase"] == "starting"
    worker = InHandFile(folder)
    with worker.unit():
        worker.finish_photo("box/7.png")
        progress.tick()
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("1/9 items")
        assert line.endswith("; box/7.png")
        assert progress.state()["phase"] == "working"
        assert progress.state()["current"] == "box/7.png"
    progress.update(done(7))
    assert progress.state()["photos"] == 1  # counted once
    progress.close()
    assert not folder.exists()


def test_a_worker_that_went_silent_counts_no_more(
    tmp_path: Path, every_tick: None, monkeypatch: pytest.MonkeyPatch
):
    folder = tmp_path / "in-hand"
    progress = Progress([photo(n) for n in range(9)], 0, tmp_path / "p.json", in_hand=folder)
    folder.mkdir()
    (folder / "killed.json").write_text('{"source": "1.png", "photos": 3}')
    (folder / "torn.json").write_text('{"source": "1.p')
    progress.tick()
    assert progress.state()["photos"] == 3
    monkeypatch.setattr(progress_module, "STALE_SECONDS", 0.0)
    progress.tick()
    assert progress.state()["photos"] == 0
    progress.close()


def test_frames_in_hand_are_a_share_of_their_film(tmp_path: Path):
    worker = InHandFile(tmp_path)
    with worker.unit():
        worker.finish_frame("film.mkv", 200)
        (said,) = read_in_hand(tmp_path).values()
        assert said == InHand("film.mkv", 0, 1, 1 / 200)
    assert read_in_hand(tmp_path) == {}


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path: Path):
    (tmp_path / "file").touch()
    worker = InHandFile(tmp_path / "file" / "in-hand")
    with worker.unit():
        worker.look_at("1.png")


def test_time_left_knows_that_a_film_costs_more_than_a_photo():
    left = WorkLeft([film(1000), *(photo(n) for n in range(10))])
    assert left.seconds(1.0) is None
    left.add(segment(0.5, seconds=50.0))
    # 500 bytes took 50 s; photos count like films until one is known.
    assert left.seconds(50.0) == pytest.approx(150.0)
    left.add(done(0))  # 100 bytes in 0.5 s
    assert left.seconds(50.5) == pytest.approx(50 + 9 * 0.5)
    # Two workers: the wall's time is half of theirs.
    assert left.seconds(25.25) == pytest.approx((50 + 9 * 0.5) / 2)
    half = [InHand("film.mkv", frames=5, share=0.25)]
    assert left.seconds(75.5, half) == pytest.approx(25 + 9 * 0.5)
    left.add(UnitReport((ItemReport("key", "film", "film.mkv", "done"),), seconds=1.0))
    assert len(left) == 9
    assert left.items == {"photo": 9, "film": 0}


def test_the_first_failures_are_said_with_reason_and_remedy():
    said: list[str] = []
    failures = FirstFailures(said.append)
    for number in range(9):
        failures.see(
            ItemReport(str(number), "photo", f"{number}.png", "failed", reason="torn", remedy="fix")
        )
    failures.see(ItemReport("d", "photo", "d.png", "degraded", reason="no"))
    failures.see(ItemReport("s", "segment", "f.mkv", "failed", reason="no"))
    assert failures.count == 9
    assert said[0] == "failed: 0.png: torn -> fix"
    assert len(said) == 6


def test_a_first_line_comes_soon(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    progress = Progress([photo(0)], 0, tmp_path / "p.json")
    progress._last_line -= progress_module.FIRST_LINE_SECONDS
    progress.tick()
    assert capsys.readouterr().err.startswith("starting, ")
    assert time.time() - json.loads((tmp_path / "p.json").read_text())["updated"] < 60
    progress.close()
