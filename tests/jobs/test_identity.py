"""What counts as the same item, and what happens to results of other weights and older versions."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from skimage.data import camera

from colorize_core.archive.records import keys
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.media.film.planes import plane
from jobs import colorize_archive
from tests.film_helpers import decode, make_film, make_frame

HOUR = 3600 * 10**9


class Run:
    def __init__(self, weights: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.weights, self.out, self.capsys = weights, out, capsys

    def __call__(self, source: Path, *more: str) -> str:
        quick = ("--set", "render.size=64", "--set", f"model.weights={self.weights}")
        fixed = ["--out", str(self.out), "--runner", "serial", "--no-report", *quick]
        assert colorize_archive.main([*fixed, *more, "--", str(source)]) == 0
        return self.capsys.readouterr().err

    @property
    def items(self) -> dict[str, dict]:
        summary = json.loads(RunFolder(self.out).summary.read_text())
        return {item["source"]: item for item in summary["items"]}

    def dates(self) -> dict[Path, int]:
        found = (p for p in self.out.rglob("*") if p.is_file() and ".colorize" not in p.parts)
        return {p: p.stat().st_ctime_ns for p in found}


@pytest.fixture
def run(tiny_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(tiny_weights, tmp_path / "out", capsys)


def shift_dates(folder: Path) -> None:
    """What FAT does when daylight saving ends."""
    for path in folder.rglob("*"):
        if path.is_file():
            now = path.stat()
            os.utime(path, ns=(now.st_atime_ns, now.st_mtime_ns + HOUR))


def test_settings_tried_and_given_up_leave_no_result_of_theirs(run: Run, tmp_path: Path):
    source = tmp_path / "in"
    source.mkdir()
    tifffile.imwrite(source / "a.tif", camera()[:96, :96])  # as large in any color

    def made(*more: str) -> bytes:
        run(source, *more)
        return (run.out / "a.tif").read_bytes()

    first = made()
    second = made("--set", "render.strength=0.2")
    assert len(first) == len(second)
    assert first != second
    assert made() == first


def test_another_date_alone_computes_nothing(run: Run, gray_folder: Callable[..., Path]):
    source = gray_folder(3)
    make_film(source / "film.mp4", frames=12)
    make_film(source / "color.mp4", frames=12, colored=True)
    run(source)
    before, sums = run.dates(), {n: i["sha256"] for n, i in run.items.items()}
    shift_dates(source)
    said = run(source)
    assert "5 to do" in said  # to read and compare
    assert run.dates() == before
    assert {n: i["sha256"] for n, i in run.items.items()} == sums
    assert "0 to do" in run(source)


def test_sources_are_recorded_with_their_checksum(run: Run, gray_folder: Callable[..., Path]):
    source = gray_folder(2)
    make_film(source / "film.mp4", frames=8)
    run(source)
    for name, item in run.items.items():
        assert item["source_sha256"] == hashlib.sha256((source / name).read_bytes()).hexdigest()


def test_other_content_of_the_same_size_is_made_anew(run: Run, tmp_path: Path):
    source = tmp_path / "in"
    source.mkdir()
    picture, film = source / "a.pgm", source / "film.mkv"
    head = b"P5 32 32 255\n"
    picture.write_bytes(head + bytes(range(256)) * 4)
    make_film(film, frames=8, codec="rawvideo", draw=make_frame)
    run(source)
    before, frames = run.dates(), decode(run.out / run.items["film.mkv"]["output"])
    picture.write_bytes(head + bytes(reversed(range(256))) * 4)
    size = film.stat().st_size
    make_film(film, frames=8, codec="rawvideo", draw=lambda i: make_frame(40 + i))
    assert film.stat().st_size == size
    shift_dates(source)
    run(source)
    after = run.dates()
    assert all(after[path] != before[path] for path in before)
    again = decode(run.out / run.items["film.mkv"]["output"])
    assert not np.array_equal(plane(frames[0], 0), plane(again[0], 0))


def test_a_failed_file_that_was_mended_runs_again(run: Run, tmp_path: Path):
    source = tmp_path / "in"
    source.mkdir()
    good = b"P5 32 32 255\n" + bytes(range(256)) * 4
    (source / "a.pgm").write_bytes(b"P9" + good[2:])
    (source / "b.pgm").write_bytes(good)
    quick = ["--out", str(run.out), "--runner", "serial", "--no-report"]
    weights = ["--set", f"model.weights={run.weights}", "--", str(source)]
    assert colorize_archive.main([*quick, *weights]) == 2
    (source / "a.pgm").write_bytes(good)
    shift_dates(source)
    run(source)
    assert {item["status"] for item in run.items.values()} <= {"done", "degraded"}


def test_results_of_0_1_0_are_counted_and_kept_on_request(
    run: Run, gray_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    source = gray_folder(3)
    with monkeypatch.context() as old:
        # The keys of 0.1.0, which kept no list of makers either.
        old.setattr(keys.Maker.__init__, "__defaults__", (1, 1))
        run(source)
    RunFolder(run.out).makers.unlink()
    before = run.dates()
    said = run(source, "--keep-finished")
    assert "3 items were made by other weights or an older version: kept" in said
    assert "0 to do" in said
    assert run.dates() == before
    assert len(run.items) == 3
    said = run(source)
    assert "3 items were made by other weights or an older version and are made anew" in said
    assert "3 to do" in said
    assert run.dates().keys() == before.keys()
    assert all(date != before[path] for path, date in run.dates().items())
    assert "0 to do" in run(source)
    assert "other weights" not in run(source, "--keep-finished")
