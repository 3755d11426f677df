"""The main job as a user runs it. Serial unless the test is about Ray."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.storage.storage import LocalFolder
from colorize_core.cli.status import main as status_main
from colorize_core.cli.status import status
from colorize_core.pipeline import open_films
from jobs import colorize_archive
from tests.jobs.processes import worker_pids
from tests.processes import Started

ROOT = Path(__file__).parents[2]
# More of both for a long look: COLORIZE_TEST_KILLS=20 COLORIZE_TEST_PHOTOS=300.
KILLS = int(os.environ.get("COLORIZE_TEST_KILLS", "4"))
PHOTOS = int(os.environ.get("COLORIZE_TEST_PHOTOS", "32"))
MakeFolder = Callable[..., Path]


class Job:
    """Runs the job on a source with the tiny generator."""

    def __init__(self, weights: Path, out: Path) -> None:
        self.weights = weights
        self.out = out

    def arguments(self, source: Path | str, *more: str, runner: str = "serial") -> list[str]:
        fixed = ["--out", str(self.out), "--runner", runner, "--no-report"]
        return [*fixed, "--set", f"model.weights={self.weights}", *more, "--", str(source)]

    def __call__(self, source: Path | str, *more: str, runner: str = "serial") -> int:
        return colorize_archive.main(self.arguments(source, *more, runner=runner))

    def start(self, source: Path, *more: str, runner: str = "serial") -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "jobs.colorize_archive"]
        return Started(
            [*command, *self.arguments(source, *more, runner=runner)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def manifest(self) -> Manifest:
        return Manifest(self.out / ".colorize" / "manifest.jsonl")

    @property
    def summary(self) -> dict:
        return json.loads((self.out / ".colorize" / "summary.json").read_text())

    def statuses(self) -> dict[str, str]:
        return {item["source"]: item["status"] for item in self.summary["items"]}

    def pictures(self) -> dict[str, np.ndarray]:
        paths = sorted(p for p in self.out.rglob("*.png") if ".colorize" not in p.parts)
        return {
            str(p.relative_to(self.out)): cv2.imread(str(p), cv2.IMREAD_UNCHANGED) for p in paths
        }


@pytest.fixture
def job(tiny_weights: Path, tmp_path: Path) -> Job:
    return Job(tiny_weights, tmp_path / "out")


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_the_same_tree_comes_out_in_color(job: Job, gray_folder: MakeFolder):
    source = gray_folder(6)
    assert job(source) == 0
    names = {str(p.relative_to(source)) for p in source.rglob("*.png")}
    assert set(job.pictures()) == names
    for name, picture in job.pictures().items():
        assert picture.shape == (48, 64, 3), name
        spread = picture.max(axis=2).astype(int) - picture.min(axis=2)
        assert spread.mean() > 2, f"{name} is gray"
    assert set(job.statuses().values()) == {"done"}
    assert job.summary["totals"]["done"] == 6


def test_the_lightness_of_the_source_is_kept(job: Job, gray_folder: MakeFolder):
    from skimage.color import rgb2lab

    source = gray_folder(4)
    assert job(source) == 0
    for name, picture in job.pictures().items():
        gray = cv2.imread(str(source / name))
        moved = np.abs(rgb2lab(picture[..., ::-1])[..., 0] - rgb2lab(gray)[..., 0])
        assert np.quantile(moved, 0.999) < 0.5


def test_the_second_run_has_nothing_to_do(
    job: Job, gray_folder: MakeFolder, capsys: pytest.CaptureFixture[str]
):
    source = gray_folder(5)
    job(source)
    before = {p: p.stat().st_ctime_ns for p in job.out.rglob("*.png")}
    capsys.readouterr()
    assert job(source) == 0
    assert "0 to do" in capsys.readouterr().err
    assert before == {p: p.stat().st_ctime_ns for p in job.out.rglob("*.png")}


def test_one_new_scan_redoes_just_itself(job: Job, gray_folder: MakeFolder):
    source = gray_folder(5)
    job(source)
    before = {p: p.stat().st_ctime_ns for p in job.out.rglob("*.png")}
    (source / "new.png").write_bytes((source / "box 0" / "scan 000.png").read_bytes())
    assert job(source) == 0
    after = {p: p.stat().st_ctime_ns for p in job.out.rglob("*.png")}
    assert set(after) - set(before) == {job.out / "new.png"}
    assert {p: after[p] for p in before} == before


def test_a_changed_override_redoes_just_what_it_fits(job: Job, gray_folder: MakeFolder):
    source = gray_folder(6)
    job(source)
    before = {p: p.stat().st_ctime_ns for p in job.out.rglob("*.png")}
    (source / "overrides.yaml").write_text('"box 1/**": {render.strength: 0.5}\n')
    assert job(source) == 0
    redone = {p for p in before if p.stat().st_ctime_ns != before[p]}
    assert redone == {p for p in before if "box 1" in p.parts}


def test_a_deleted_output_is_made_again(job: Job, gray_folder: MakeFolder):
    source = gray_folder(4)
    job(source)
    first = job.pictures()
    (job.out / "box 0" / "scan 000.png").unlink()
    assert job(source) == 0
    assert same(first, job.pictures())


def test_bad_inputs_are_results(job: Job, gray_folder: MakeFolder):
    source = gray_folder(3)
    (source / "empty.jpg").write_bytes(b"")
    (source / "text.png").write_text("not a picture")
    whole = (source / "box 0" / "scan 000.png").read_bytes()
    (source / "torn.png").write_bytes(whole[: len(whole) // 3])
    (source / ".DS_Store").write_bytes(b"junk")
    assert job(source) == 2
    statuses = job.statuses()
    assert statuses.pop("empty.jpg") == statuses.pop("text.png") == "failed"
    assert statuses.pop("torn.png") in ("failed", "degraded")
    assert set(statuses.values()) == {"done"}
    for item in job.summary["items"]:
        if item["status"] in ("failed", "degraded"):
            assert item["reason"]
            assert item["remedy"]
        if item["status"] == "failed":
            assert "output" not in item
    assert sum(job.summary["ignored"].values()) >= 1


def test_failed_items_are_tried_again_only_when_asked(job: Job, gray_folder: MakeFolder):
    source = gray_folder(2)
    (source / "bad.png").write_bytes(b"bad")
    assert job(source) == 2
    lines = len((job.out / ".colorize" / "manifest.jsonl").read_text().splitlines())
    assert job(source) == 2
    assert len((job.out / ".colorize" / "manifest.jsonl").read_text().splitlines()) == lines
    assert job(source, "--retry-failed") == 2
    assert len((job.out / ".colorize" / "manifest.jsonl").read_text().splitlines()) == lines + 1


@pytest.mark.parametrize("colored", ["copy", "leave", "recolor"])
def test_pictures_in_color_are_copied_left_or_recolored(job: Job, tmp_path: Path, colored: str):
    from skimage import data

    source = tmp_path / "in"
    source.mkdir()
    picture = cv2.cvtColor(data.astronaut()[::4, ::4], cv2.COLOR_RGB2BGR)
    cv2.imwrite(str(source / "a.png"), picture)
    assert job(source, "--colored", colored) == 0
    written = job.out / "a.png"
    if colored == "copy":
        assert written.read_bytes() == (source / "a.png").read_bytes()
    elif colored == "leave":
        assert not written.exists()
    else:
        assert not np.array_equal(cv2.imread(str(written)), picture)
    expected = "done" if colored == "recolor" else "skipped"
    assert job.statuses() == {"a.png": expected}


def test_limit_takes_some_now_and_the_rest_later(
    job: Job, gray_folder: MakeFolder, capsys: pytest.CaptureFixture[str]
):
    source = gray_folder(5)
    assert job(source, "--limit", "2") == 0
    assert len(job.pictures()) == 2
    assert job.summary["totals"]["left"] == 3
    # What is left over was not done before, and is still to do for whoever asks.
    assert "2 to do, 0 before, 3 for a later run" in capsys.readouterr().err
    assert status(LocalFolder(job.out))["left"] == 3
    assert job(source, "--limit", "1") == 0
    assert "1 to do, 2 before, 2 for a later run" in capsys.readouterr().err
    assert job(source) == 0
    assert len(job.pictures()) == 5


def test_redo_list(job: Job, gray_folder: MakeFolder, tmp_path: Path):
    source = gray_folder(4)
    job(source)
    before = {p: p.stat().st_ctime_ns for p in job.out.rglob("*.png")}
    (tmp_path / "redo.txt").write_text("box 0/scan 000.png\n")
    assert job(source, "--redo-list", str(tmp_path / "redo.txt")) == 0
    redone = {p.name for p in before if p.stat().st_ctime_ns != before[p]}
    assert redone == {"scan 000.png"}


def test_a_tilde_is_home_where_the_shell_left_it(
    job: Job, gray_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HOME", str(tmp_path))
    source = gray_folder(2)
    job.out = Path("~/out")
    (tmp_path / "redo.txt").write_text("box 0/scan 000.png\n")
    assert job(f"~/{source.name}", "--redo-list", "~/redo.txt") == 0
    assert len(list((tmp_path / "out").rglob("*.png"))) == 2


def test_verify_finds_a_changed_output(
    job: Job, gray_folder: MakeFolder, capsys: pytest.CaptureFixture[str]
):
    source = gray_folder(3)
    job(source)
    assert job(source, "--verify") == 0
    victim = job.out / "box 0" / "scan 000.png"
    data = bytearray(victim.read_bytes())
    data[-20] ^= 1
    victim.write_bytes(bytes(data))
    capsys.readouterr()
    assert job(source, "--verify") == 2
    assert "box 0/scan 000.png: differs" in capsys.readouterr().err


def test_dry_run_writes_nothing_and_loads_no_torch(job: Job, gray_folder: MakeFolder):
    source = gray_folder(3)
    arguments = job.arguments(source, "--dry-run")
    code = (
        "import sys; from jobs.colorize_archive import main; code = main(sys.argv[1:]); "
        "heavy = {'torch', 'ray'} & set(sys.modules); assert not heavy, heavy; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "to do: 3 photos" in done.stderr
    assert "from a calibration" in done.stderr
    assert not job.out.exists()


def test_dry_run_trusts_an_earlier_run(
    job: Job, gray_folder: MakeFolder, capsys: pytest.CaptureFixture[str]
):
    source = gray_folder(4)
    job(source, "--limit", "2")
    capsys.readouterr()
    assert job(source, "--dry-run") == 0
    said = capsys.readouterr().err
    assert "to do: 2 photos" in said
    assert "from the earlier run" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["/nowhere/at/all"],
        ["--set", "render.size=7", "."],
        ["--set", "model.weights=/none.safetensors", "."],
        ["--config", "/none.yaml", "."],
        ["--nonsense"],
        ["--workers", "0", "."],
    ],
    ids=["no-src", "bad-value", "no-weights", "no-config", "no-option", "no-workers"],
)
def test_what_cannot_run_says_so_in_one_line(arguments: list[str], tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-m", "jobs.colorize_archive", "--out", str(tmp_path / "o"), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "error: " in done.stderr.splitlines()[-1]


def test_originals_are_never_written(job: Job, gray_folder: MakeFolder):
    source = gray_folder(2)
    before = {p: p.read_bytes() for p in source.rglob("*.png")}
    assert Job(job.weights, source)(source) == 1
    inside = Job(job.weights, source / "color")
    assert inside(source) == 0
    assert inside(source) == 0
    assert {p: p.read_bytes() for p in before} == before
    assert len(inside.pictures()) == 2


def test_a_second_driver_is_refused(job: Job, gray_folder: MakeFolder):
    source = gray_folder(2)
    assert job(source) == 0
    lock = job.out / ".colorize" / "lock.json"
    from colorize_core.archive.records.lock import OutputLock

    with OutputLock(lock):
        assert job(source) == 1


def test_status_reads_the_records(
    job: Job, gray_folder: MakeFolder, capsys: pytest.CaptureFixture[str]
):
    source = gray_folder(3)
    (source / "bad.png").write_bytes(b"bad")
    job(source)
    capsys.readouterr()
    assert status_main([str(job.out), "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["done"], state["failed"], state["left"], state["running"]) == (3, 1, 0, False)
    assert status_main(["/nowhere"]) == 1


def wait_for_lines(job: Job, count: int, process: subprocess.Popen[str]) -> None:
    path = job.out / ".colorize" / "manifest.jsonl"
    deadline = time.monotonic() + 240
    while process.poll() is None and time.monotonic() < deadline:
        if path.exists() and len(path.read_bytes().splitlines()) > count:
            return
        time.sleep(0.005)
    assert process.poll() is not None, "no progress"


SMALL = ("--set", "photo.shard_photos=2", "--set", "render.batch_size=2")


def test_kill_9_at_any_moment_and_run_again(job: Job, gray_folder: MakeFolder, tmp_path: Path):
    source = gray_folder(PHOTOS)
    whole = Job(job.weights, tmp_path / "whole")
    assert whole(source, *SMALL) == 0
    rng = random.Random(5)
    kills = 0
    for _ in range(KILLS):
        done = len(job.manifest) if (job.out / ".colorize" / "manifest.jsonl").exists() else 0
        process = job.start(source, *SMALL)
        with process:
            wait_for_lines(job, done + rng.randrange(8), process)
            time.sleep(rng.random() * 0.05)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
    assert kills >= KILLS // 2
    recorded = {r.key: r for r in job.manifest.reports()}
    times = {r.output: (job.out / str(r.output)).stat().st_ctime_ns for r in recorded.values()}
    assert job(source, *SMALL) == 0
    assert same(whole.pictures(), job.pictures())
    assert times == {name: (job.out / str(name)).stat().st_ctime_ns for name in times}
    assert not list(job.out.rglob(".colorize-tmp-*"))
    lines = (job.out / ".colorize" / "manifest.jsonl").read_text().splitlines()
    keys = [json.loads(line).get("key") for line in lines if '"crc"' in line]
    assert len(keys) == len(set(keys)), "something recorded was computed again"


@pytest.mark.faults
def test_kill_9_of_ray_workers_at_any_moment(job: Job, gray_folder: MakeFolder, tmp_path: Path):
    source = gray_folder(PHOTOS)
    whole = Job(job.weights, tmp_path / "whole")
    assert whole(source, *SMALL) == 0
    process = job.start(source, *SMALL, "--workers", "2", runner="ray")
    rng = random.Random(6)
    kills = 0
    with process:
        next_kill = 1
        while process.poll() is None:
            path = job.out / ".colorize" / "manifest.jsonl"
            lines = len(path.read_bytes().splitlines()) if path.exists() else 0
            pids = worker_pids(process.pid)
            if pids and kills < KILLS and lines >= next_kill:
                os.kill(rng.choice(pids), signal.SIGKILL)
                kills += 1
                next_kill = lines + PHOTOS // (2 * KILLS)
            time.sleep(0.05)
    assert process.returncode == 0
    assert kills >= KILLS // 2
    assert not list(job.out.rglob(".colorize-tmp-*"))
    assert same(whole.pictures(), job.pictures())
    assert set(job.statuses().values()) == {"done"}


def test_ray_gives_the_same_pixels_with_any_number_of_workers(
    job: Job, gray_folder: MakeFolder, tmp_path: Path
):
    source = gray_folder(12)
    assert job(source, *SMALL) == 0
    for workers in ("1", "2", "3"):
        other = Job(job.weights, tmp_path / f"out{workers}")
        assert other(source, *SMALL, "--workers", workers, runner="ray") == 0
        assert same(job.pictures(), other.pictures())


def test_sigterm_drains_and_the_same_command_resumes(job: Job, gray_folder: MakeFolder):
    source = gray_folder(60)
    process = job.start(source, *SMALL, "--workers", "2", runner="ray")
    with process:
        wait_for_lines(job, 3, process)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 75, said
    assert "resumes" in said
    done = len(job.manifest)
    assert 0 < done < 60
    assert job(source, *SMALL) == 0
    assert len(job.pictures()) == 60


def test_memory_ladder_ends_in_a_named_failure_never_in_gray(
    job: Job, gray_folder: MakeFolder, monkeypatch: pytest.MonkeyPatch
):
    import torch

    from colorize_core.inference import generator_pass

    forward = generator_pass.forward
    sizes: list[int] = []

    def out_of_memory(L, *rest):
        sizes.append(L.shape[0])
        if L.shape[0] > 2:
            raise torch.OutOfMemoryError
        return forward(L, *rest)

    monkeypatch.setattr(generator_pass, "forward", out_of_memory)
    source = gray_folder(5)
    assert job(source) == 0
    assert sizes[:3] == [8, 4, 2]
    assert "degraded" in job.statuses().values()
    monkeypatch.setattr(generator_pass, "forward", raise_out_of_memory)
    again = Job(job.weights, job.out.with_name("again"))
    assert again(source) == 2
    assert {i["error"] for i in again.summary["items"]} == {"out-of-memory"}
    assert again.pictures() == {}


def raise_out_of_memory(*_: object) -> None:
    import torch

    raise torch.OutOfMemoryError


def test_an_out_that_cannot_be_made_is_said_in_one_line(
    job: Job, gray_folder: MakeFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    job.out = tmp_path / "file"
    job.out.write_text("mine")
    assert job(gray_folder(2)) == 1
    assert "cannot be written" in capsys.readouterr().err.splitlines()[-1]
    assert job.out.read_text() == "mine"


class _Unavailable(BaseHTTPRequestHandler):
    """A server that lists one film and never gives it."""

    asked = 0

    def do_HEAD(self) -> None:
        self._answer(b"<a href='film.mp4'>film</a>")

    def do_GET(self) -> None:
        if self.path.endswith(".mp4"):
            type(self).asked += 1
            self.send_error(503)
        else:
            self._answer(b"<a href='film.mp4'>film</a>")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def test_a_film_whose_server_fails_is_tried_again_and_recorded(
    job: Job, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(open_films, "RETRY_SECONDS", 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Unavailable)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert job(f"http://127.0.0.1:{server.server_port}/") == 2
    finally:
        server.shutdown()
        server.server_close()
    (report,) = job.manifest.reports()
    assert (report.status, report.error) == ("failed", "transient")
    assert _Unavailable.asked >= open_films.MAX_TRANSIENT_TRIES
