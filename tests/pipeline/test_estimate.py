"""The arithmetic of a dry run, and what it says of a small archive."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import pytest
from skimage import data

from colorize_core.archive.records.details import ScanDetails
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.item import SourceItem
from colorize_core.cli.main import main
from colorize_core.config import ColorizeConfig, RunOptions
from colorize_core.pipeline.estimate.calibration import calibration_plan
from colorize_core.pipeline.estimate.rates import Rates, rates_of
from colorize_core.pipeline.estimate.times import FilmWork, makespan, times_of

RATES = Rates(
    basis="made",
    workers=2,
    overhead=10.0,
    photo=(0.1, 1e-6),
    gray_share=1.0,
    copy=0.02,
    frame=(0.05, 1e-7),
    look=(0.0, 0.0),
    join=5.0,
    compare=0.0,
    bytes_per_frame=1000.0,
    growth=1.5,
    deviation=0.2,
)


def photo(number: int, size: int = 100_000) -> SourceItem:
    return SourceItem(f"{number}.jpg", f"/{number}.jpg", size, "s", "photo")


def test_a_segment_is_not_divided_among_many_workers():
    one = FilmWork((300,), 1_000_000, 9)
    found = times_of([], [one], RATES, ColorizeConfig(), items=1, workers=64)
    assert found.seconds == pytest.approx(10 + 300 * 0.15 + 5, abs=0.01)
    assert found.low < found.seconds < found.high
    # Nor is a photo.
    photos = [photo(n) for n in range(3)]
    found = times_of(photos, [], RATES, ColorizeConfig(), items=3, workers=64)
    assert found.seconds >= 10 + 3 * 0.2


def test_units_are_laid_out_over_the_workers():
    assert makespan([([], [4.0, 4.0, 4.0])], 1.0, [], 2) == 9.0
    assert makespan([([], [4.0])], 1.0, [2.0, 2.0], 2) == 5.0
    assert makespan([([2.0, 3.0], [4.0, 4.0])], 1.0, [], 2) == 8.0
    assert makespan([], 1.0, [], 2) == 0.0


def scan(source: str, seconds: float, frames: int, number: int = 0) -> ItemReport:
    return ItemReport(
        key=f"{source} {number}",
        kind="scan",
        source=source,
        status="done",
        seconds=seconds,
        frames=frames,
        details=ScanDetails(source),
    )


def test_a_film_is_looked_at_before_it_is_colored():
    """One look at a short film; at a long one (6,000 frames) one for shots and two for cuts."""
    reports = [scan("a", 1.0, 100), *(scan("b", s, f, f) for s, f in ((6, 6000), (30, 3000)))]
    reports.append(scan("b", 24, 3000))
    rates = rates_of(reports, {}, {"a": 100, "b": 100}, basis="", overhead=0.0, compare=0.0)
    assert rates.look == (pytest.approx(0.01), 0.0)
    rates = replace(RATES, look=rates.look)
    long = FilmWork((4000, 2000), 0, 9)
    without, found = (
        times_of([], [long], r, ColorizeConfig(), items=1, workers=2) for r in (RATES, rates)
    )
    assert found.seconds - without.seconds == pytest.approx(30)


def test_photos_in_color_cost_what_a_copy_costs():
    half = Rates(**{**vars(RATES), "gray_share": 0.5})
    photos = [photo(n) for n in range(100)]
    found = times_of(photos, [], half, ColorizeConfig(), items=100, workers=1)
    assert found.seconds == pytest.approx(10 + 100 * (0.5 * 0.2 + 0.5 * 0.02) + 0.05)


def test_nothing_measured_is_no_cost():
    rates = rates_of([], {}, {}, basis="", overhead=1.0, compare=0.0)
    assert (rates.photo, rates.frame) == (None, None)


def test_small_and_huge_photos_stand_for_all():
    photos = [photo(n, size=1000 * (n + 1)) for n in range(1000)]
    plan = calibration_plan(photos, RunOptions(workers=2))
    sizes = {item.path: item.size for item in photos}
    chosen = [sizes[path] for path in plan["paths"]][: plan["photos"]]
    assert len(chosen) == 32
    assert sum(chosen) / 32 == pytest.approx(500_500, rel=0.05)


def test_an_archive_half_in_color(
    tiny_weights: Path, gray_folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    source = gray_folder(10)
    for number in range(10):
        colored = cv2.cvtColor(data.astronaut()[::8, ::8], cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(source / f"in color {number}.png"), colored)
    options = ["--out", str(tmp_path / "out"), "--runner", "serial", "--no-report", "--dry-run"]
    options += ["--set", f"model.weights={tiny_weights}", "--price-per-hour", "3.6"]
    assert main([str(source), *options, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["photos"], found["gray_share_of_photos"]) == (20, 0.5)
    assert 0 < found["seconds_low"] < found["seconds"] < found["seconds_high"]
    assert found["cost_high"] == pytest.approx(found["seconds_high"] / 1000, abs=0.01)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("price", ["-1", "nan", "inf", "x"])
def test_a_price_is_a_number(price: str, capsys: pytest.CaptureFixture[str]):
    assert main(["run", "--dry-run", "--price-per-hour", price, "."]) == 1
    assert "--price-per-hour" in capsys.readouterr().err
