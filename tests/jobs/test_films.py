"""Films through the main job: color, resume after kills, any number of workers."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from colorize_core.archive.records.manifest import Manifest
from colorize_core.media.film.planes import plane
from jobs import colorize_archive
from tests.film_helpers import decode, make_film, packets, spoil_packet
from tests.jobs.processes import worker_pids
from tests.onnx_helpers import like_deoldify
from tests.processes import Started

ROOT = Path(__file__).parents[2]
# More for a long look: COLORIZE_TEST_KILLS=20 COLORIZE_TEST_WORKERS=1,2,3.
KILLS = int(os.environ.get("COLORIZE_TEST_KILLS", "2"))
WORKERS = os.environ.get("COLORIZE_TEST_WORKERS", "2").split(",")
QUICK = (
    "render.size=64",
    "render.batch_size=4",
    "video.segment_frames=16",
    "video.preset=faster",
)


class Job:
    """Runs the job on films with the tiny generator."""

    def __init__(self, weights: Path, out: Path) -> None:
        self.out = out
        settings = (*QUICK, f"model.weights={weights}")
        self.fixed = [part for setting in settings for part in ("--set", setting)]

    def arguments(self, source: Path, *more: str, runner: str = "serial") -> list[str]:
        fixed = ["--out", str(self.out), "--runner", runner, "--no-report", *self.fixed]
        return [*fixed, *more, "--", str(source)]

    def __call__(self, source: Path, *more: str, runner: str = "serial") -> int:
        return colorize_archive.main(self.arguments(source, *more, runner=runner))

    @property
    def items(self) -> dict[str, dict]:
        summary = json.loads((self.out / ".colorize" / "summary.json").read_text())
        return {item["source"]: item for item in summary["items"]}

    @property
    def said(self) -> Path:
        """What started processes wrote, to look at when they fail."""
        return self.out.with_suffix(".log")

    @property
    def manifest(self) -> Path:
        return self.out / ".colorize" / "manifest.jsonl"


@pytest.fixture
def job(tiny_weights: Path, tmp_path: Path) -> Job:
    return Job(tiny_weights, tmp_path / "out")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    """A gray film with sound, 80 frames: five segments."""
    folder = tmp_path / "in"
    folder.mkdir()
    make_film(folder / "film.mp4", frames=80, audio=["aac"])
    return folder / "film.mp4"


def planes(path: Path) -> list[list[bytes]]:
    return [[plane(f, n).tobytes() for n in range(len(f.planes))] for f in decode(path)]


def test_a_gray_film_comes_out_in_color_with_its_own_luma_sound_and_times(job: Job, film: Path):
    assert job(film, "--set", "video.codec=ffv1") == 0
    result = job.out / job.items["film.mp4"]["output"]
    before, after = decode(film), decode(result)
    assert len(after) == len(before) == 80
    for source, colored in zip(before, after, strict=True):
        assert np.array_equal(plane(source, 0), plane(colored, 0))
    spread = np.mean([np.abs(plane(f, 1).astype(int) - 128).mean() for f in after])
    assert spread > 2
    assert [b for _, b in packets(result, 1)] == [b for _, b in packets(film, 1)]
    assert not (job.out / ".colorize" / "segments").exists() or not list(
        (job.out / ".colorize" / "segments").iterdir()
    )


def test_films_and_photos_of_a_zip_are_done_together(job: Job, film: Path, tmp_path: Path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.arange(64 * 48, dtype=np.uint16).reshape(48, 64))
    archive = tmp_path / "box.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.write(film, "films/film.mp4")
        file.write(film, "films/second.mp4")
        file.write(tmp_path / "a.png", "photos/a.png")
    assert job(archive) == 0
    assert {name: item["status"] for name, item in job.items.items()} == {
        "films/film.mp4": "done",
        "films/second.mp4": "done",
        "photos/a.png": "done",
    }
    assert planes(job.out / "films/film.mp4") == planes(job.out / "films/second.mp4")
    assert not list((job.out / ".colorize").rglob("*.mp4")), "staged films are removed"


@pytest.mark.parametrize("colored", ["copy", "leave", "recolor"])
def test_a_film_in_color_is_copied_left_or_recolored(job: Job, tmp_path: Path, colored: str):
    film = tmp_path / "film.mp4"
    make_film(film, frames=20, colored=True)
    assert job(film, "--colored", colored) == 0
    item = job.items["film.mp4"]
    assert item["status"] == ("done" if colored == "recolor" else "skipped")
    if colored == "copy":
        assert (job.out / "film.mp4").read_bytes() == film.read_bytes()
    assert (job.out / "film.mp4").exists() == (colored != "leave")


def test_bad_films_are_results(job: Job, film: Path):
    folder = film.parent
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mkv").write_text("not a film")
    whole = film.read_bytes()
    (folder / "no-moov.mp4").write_bytes(whole[: len(whole) // 2])
    long_name = "x" * 248 + ".avi"
    (folder / long_name).write_bytes(whole)
    with av.open(str(film)) as source, av.open(str(folder / "sound.mp4"), "w") as sound:
        stream = sound.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.size:
                packet.stream = stream
                sound.mux(packet)
    assert job(folder) == 2
    statuses = {name: item["status"] for name, item in job.items.items()}
    assert statuses.pop("film.mp4") == "done"
    assert set(statuses.values()) == {"failed"}
    assert "does not take a name of 256 bytes" in job.items[long_name]["reason"]
    assert all(item["reason"] for item in job.items.values() if item["status"] == "failed")


def change_size(path: Path) -> None:
    """A film of 24 frames whose pictures become larger after half of them."""
    parts = [path.with_suffix(f".{n}.h264") for n in (1, 2)]
    for part, size in zip(parts, ((96, 64), (128, 96)), strict=True):
        make_film(part, frames=12, size=size, time_base=Fraction(1, 25), options={"bf": "0"})
    with av.open(str(path), "w") as container:
        stream = None
        for number, part in enumerate(parts):
            with av.open(str(part)) as source:
                if stream is None:
                    stream = container.add_stream_from_template(source.streams.video[0])
                packets = [p for p in source.demux() if p.size]
                for index, packet in enumerate(packets, 12 * number):
                    packet.stream, packet.time_base = stream, Fraction(1, 25)
                    packet.pts = packet.dts = index
                    container.mux(packet)
            part.unlink()


def test_damaged_films_say_what_is_missing(job: Job, tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    whole = tmp_path / "whole.mkv"
    make_film(whole, frames=75, options={"g": "12", "crf": "10"}, audio=["aac"])
    data = whole.read_bytes()
    third = len(data) // 3
    rng = np.random.default_rng(1)
    (folder / "truncated.mkv").write_bytes(data[: 2 * third])
    (folder / "hole.mkv").write_bytes(data[:third] + bytes(20_000) + data[third + 20_000 :])
    flipped = bytearray(data)
    for position in rng.integers(len(data) // 10, len(data) * 8 // 10, 60):
        flipped[position] ^= 1 << int(rng.integers(8))
    (folder / "flipped.mkv").write_bytes(flipped)
    make_film(folder / "spoiled.mp4", frames=24, options={"bf": "0", "g": "4"})
    spoil_packet(folder / "spoiled.mp4", 9)
    change_size(folder / "size.mkv")
    (folder / "no frames.mkv").write_bytes(data[: data.index(bytes.fromhex("1F43B675"))])
    assert job(folder) == 2
    items = job.items
    assert {name: item["status"] for name, item in items.items()} == {
        "truncated.mkv": "degraded",
        "hole.mkv": "degraded",
        "flipped.mkv": "degraded",
        "spoiled.mp4": "degraded",
        "size.mkv": "degraded",
        "no frames.mkv": "failed",
    }
    for name, reason in (
        ("truncated.mkv", "cut short"),
        ("hole.mkv", "missing"),
        ("spoiled.mp4", "decoded"),
        ("size.mkv", "another size"),
        ("no frames.mkv", "frame"),
    ):
        assert reason in items[name]["reason"], name
    for name, item in items.items():
        if item["status"] != "failed":
            result = decode(job.out / item["output"])
            assert len(result) == item["frames"], name
            assert len({(f.width, f.height) for f in result}) == 1, name


def start(job: Job, source: Path, *more: str, runner: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jobs.colorize_archive"]
    with job.said.open("ab") as said:
        return Started(
            [*command, *job.arguments(source, *more, runner=runner)],
            cwd=ROOT,
            stdout=said,
            stderr=said,
        )


def recorded(job: Job) -> list[str]:
    """Keys in the manifest, in order: of segments, and of the film at the end."""
    if not job.manifest.exists():
        return []
    lines = job.manifest.read_bytes().splitlines(keepends=True)
    # The last line may be torn by a kill.
    entries = (json.loads(line) for line in lines if line.endswith(b"\n"))
    return [entry["key"] for entry in entries if "key" in entry]


def wait_until_recorded(job: Job, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 180
    while process.poll() is None and len(recorded(job)) < count:
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.005)


@pytest.fixture
def long_film(tmp_path: Path) -> Path:
    """A gray film with more segments than there are kills."""
    folder = tmp_path / "long"
    folder.mkdir()
    # A keyframe every 16 frames: segments are just as long. Of this size, x264 with AVX-512 gave
    # other pixels in every run.
    options = {"g": "16", "crf": "20", "preset": "veryfast", "sc_threshold": "0"}
    frames = 16 * (2 * KILLS + 3)
    make_film(folder / "film.mp4", frames=frames, size=(192, 108), audio=["aac"], options=options)
    return folder / "film.mp4"


@pytest.fixture
def whole(tiny_weights: Path, tmp_path: Path, long_film: Path) -> Job:
    """A run that nothing disturbed."""
    job = Job(tiny_weights, tmp_path / "whole")
    assert job(long_film) == 0
    assert len(recorded(job)) > 2 * KILLS
    return job


def assert_same_film(job: Job, whole: Job) -> None:
    """The same frames, and nothing that was recorded is recorded again."""
    assert planes(job.out / "film.mp4") == planes(whole.out / "film.mp4")
    assert {r.status for r in Manifest(job.manifest).reports()} == {"done"}
    keys, wanted = recorded(job), recorded(whole)
    assert len(keys) == len(set(keys)), "a finished segment was computed again"
    assert set(keys) == set(wanted)
    assert not list(job.out.rglob(".colorize-tmp-*"))


def test_kill_9_of_the_driver_at_any_moment(job: Job, long_film: Path, whole: Job):
    rng = random.Random(1)
    kills = 0
    for number in range(KILLS):
        process = start(job, long_film, runner="serial")
        # One in the start, one in the join, the others while segments are made.
        steps = 0 if number == 0 else rng.randrange(1, 3)
        segments = len(recorded(whole)) - 1
        goal = segments if number == KILLS - 1 else len(recorded(job)) + steps
        with process:
            wait_until_recorded(job, goal, process)
            time.sleep(rng.random() * 0.2)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                kills += 1
    assert kills >= KILLS - 1
    assert job(long_film) == 0
    assert_same_film(job, whole)


@pytest.mark.slow
def test_a_generator_of_others_colors_a_film_that_resumes_after_kill_9(
    long_film: Path, tmp_path: Path
):
    weights = like_deoldify(tmp_path / "of others.onnx")
    whole, job = Job(weights, tmp_path / "whole"), Job(weights, tmp_path / "out")
    assert whole(long_film) == 0
    for count in (1, 3):
        with start(job, long_film, runner="serial") as process:
            wait_until_recorded(job, count, process)
            assert process.poll() is None
            os.killpg(process.pid, signal.SIGKILL)
    assert job(long_film) == 0
    assert_same_film(job, whole)
    colored = next(iter(decode(job.out / "film.mp4")))
    assert np.ptp(plane(colored, 1)) > 0 or abs(int(plane(colored, 1)[0, 0]) - 128) > 3


@pytest.mark.faults
def test_kill_9_of_workers_at_any_moment(job: Job, long_film: Path, whole: Job):
    rng = random.Random(2)
    process = start(job, long_film, "--workers", "3", runner="ray")
    kills = 0
    with process:
        deadline = time.monotonic() + 240 + 20 * KILLS
        goal = 1
        while process.poll() is None:
            assert time.monotonic() < deadline
            pids = worker_pids(process.pid)
            if pids and kills < KILLS and len(recorded(job)) >= goal:
                time.sleep(rng.random() * 0.1)
                os.kill(rng.choice(pids), signal.SIGKILL)
                kills += 1
                goal = len(recorded(job)) + 1
            time.sleep(0.02)
    assert process.returncode == 0, job.said.read_text()
    assert kills >= KILLS // 2
    assert_same_film(job, whole)


@pytest.mark.parametrize("workers", WORKERS)
def test_any_number_of_workers_gives_the_same_film(
    job: Job, long_film: Path, whole: Job, workers: str
):
    assert job(long_film, "--workers", workers, runner="ray") == 0
    assert_same_film(job, whole)
