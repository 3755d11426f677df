"""`clean`: what no later run needs goes, all else stays; judged by what the next run does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from colorize_core.archive.records.lock import OutputLock
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.work import ItemReport
from colorize_core.cli.main import main
from tests.film_helpers import decode, make_film

ROOT = Path(__file__).parents[2]
FRAMES = 48  # three segments


@pytest.fixture
def words(tiny_weights: Path, tmp_path: Path) -> list[str]:
    settings = ["render.size=64", "render.batch_size=4", f"model.weights={tiny_weights}"]
    settings += ["video.segment_frames=16", "video.preset=ultrafast"]
    fixed = ["--out", str(tmp_path / "out"), "--runner", "serial", "--no-report"]
    return fixed + [part for setting in settings for part in ("--set", setting)]


@pytest.fixture
def colorize(words: list[str]) -> Callable[..., int]:
    def run(source: Path, *more: str) -> int:
        return main(["run", *words, *more, "--", str(source)])

    return run


@pytest.fixture
def killed_after(words: list[str]) -> Callable[[int, Path], None]:
    """A run that is killed when so many segments are recorded, and before them the scan."""

    def run(segments: int, source: Path) -> None:
        environment = {**os.environ, "COLORIZE_FAULT": f"record: copied@{segments + 1}"}
        command = [sys.executable, "-m", "colorize_core", "run", *words, "--", str(source)]
        ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, timeout=120)
        assert ended.returncode == -signal.SIGKILL

    return run


@pytest.fixture
def film(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    make_film(tmp_path / "in" / "reel.mp4", frames=FRAMES)
    return tmp_path / "in" / "reel.mp4"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def segments(out: Path) -> list[Path]:
    return sorted((out / ".colorize" / "segments").rglob("*.nut"))


def test_a_film_in_work_keeps_its_segments_and_a_failed_one_does_not(
    colorize, killed_after, film, out, capsys
):
    killed_after(2, film)
    assert len(segments(out)) == 2
    assert main(["clean", str(out)]) == 0
    assert len(segments(out)) == 2
    assert "0 removed" in capsys.readouterr().out

    key = segments(out)[0].parent.name
    failed = ItemReport(key, "film", film.name, "failed", reason="a segment failed")
    Manifest(out / ".colorize" / "manifest.jsonl").append([failed])
    assert main(["clean", "--dry-run", str(out)]) == 0
    assert len(segments(out)) == 2
    assert main(["clean", str(out)]) == 0
    assert segments(out) == []
    for said in capsys.readouterr().out.splitlines()[::2]:
        assert said.startswith(f".colorize/segments/{key}: segments of reel.mp4, which failed")

    assert colorize(film) == 2
    assert colorize(film, "--retry-failed") == 0
    assert len(decode(out / "reel.mp4")) == FRAMES


def test_segments_of_other_settings_go_when_the_film_is_finished(
    colorize, killed_after, film, out, capsys
):
    killed_after(1, film)
    assert colorize(film, "--set", "render.strength=0.5") == 0
    assert len(segments(out)) == 1
    finished = (out / "reel.mp4").read_bytes()
    assert main(["clean", str(out)]) == 0
    assert segments(out) == []
    assert "finished with other settings" in capsys.readouterr().out
    assert (out / "reel.mp4").read_bytes() == finished
    assert colorize(film, "--set", "render.strength=0.5") == 0
    assert "0 to do" in capsys.readouterr().err


def test_comparisons_of_older_and_missing_results_go(colorize, gray_folder, out, capsys):
    source = gray_folder(3)
    assert colorize(source, "--compare") == 0
    compared = {path.name for path in (out / "report" / "compare").rglob("*.jpg")}
    assert len(compared) == 3
    redo = out.with_name("redo.txt")
    redo.write_text("box 0/scan 000.png\n")
    assert colorize(source, "--redo-list", str(redo)) == 0
    (out / "box 1" / "scan 001.png").unlink()
    torn = out / "box 0" / ".colorize-tmp-1234.png"
    torn.write_bytes(b"half")

    assert main(["clean", str(out)]) == 0
    said = capsys.readouterr().out
    assert "scan 000.png.jpg: comparison of an older result" in said
    assert "scan 001.png.jpg: comparison of a result that is gone" in said
    assert "unfinished file" in said
    assert "3 removed" in said
    assert not torn.exists()
    left = [str(p.relative_to(out)) for p in (out / "report" / "compare").rglob("*")]
    assert sorted(left) == ["report/compare/box 0", "report/compare/box 0/scan 002.png.jpg"]
    assert len(list(out.glob("box*/*.png"))) == 2


def test_outputs_where_comparisons_would_be_stay(colorize, gray_folder, out, capsys):
    source = gray_folder(2, name="in/report/compare").parents[1]
    assert colorize(source) == 0
    before = sorted(out.rglob("*.png"))
    assert len(before) == 2
    assert main(["clean", str(out)]) == 0
    assert "0 removed" in capsys.readouterr().out
    assert sorted(out.rglob("*.png")) == before


def test_it_waits_for_no_run_and_makes_no_folder(colorize, gray_folder, out, capsys):
    assert main(["clean", str(out)]) == 1
    assert not out.exists()
    colorize(gray_folder(1))
    capsys.readouterr()
    with OutputLock(out / ".colorize" / "lock.json"):
        assert main(["clean", str(out)]) == 1
    assert "another run is writing here" in capsys.readouterr().err
