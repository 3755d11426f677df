"""Films with known colors through the main job: they hold for their shot and nowhere else."""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from skimage import color, data, transform

from jobs import colorize_archive

SHOT = 24  # frames; segments have 16
RATE = 12


def moving(picture: np.ndarray) -> list[np.ndarray]:
    """A slow pan, 96 x 96."""
    small = transform.resize(picture, (112, 128), anti_aliasing=True)
    frames = (small[n // 4 : n // 4 + 96, n : n + 96] for n in range(SHOT))
    return [(255 * frame).astype(np.uint8) for frame in frames]


@pytest.fixture(scope="module")
def truth() -> list[np.ndarray]:
    return [*moving(data.chelsea()), *moving(data.astronaut())]


def write_film(path: Path, truth: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 96, 96, "gray"
        for picture in truth:
            gray = (255 * color.rgb2gray(picture)).round().astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(gray, format="gray")))
        container.mux(stream.encode(None))


@pytest.fixture
def film(tmp_path: Path, truth: list[np.ndarray]) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    write_film(folder / "film.mkv", truth)
    return folder / "film.mkv"


class Job:
    def __init__(self, out: Path) -> None:
        self.out = out

    def __call__(self, source: Path, *more: str) -> int:
        fixed = ["--out", str(self.out), "--runner", "serial", "--no-report", "--device", "cpu"]
        for setting in ("render.size=96", "video.segment_frames=16", "video.codec=ffv1"):
            fixed += ["--set", setting]
        return colorize_archive.main([*fixed, *more, "--", str(source)])

    def frames(self) -> list[np.ndarray]:
        with av.open(str(next(self.out.glob("film.*")))) as container:
            return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]

    def segments(self) -> dict[str, int]:
        """Inode by name: a segment that is made again gets another."""
        files = (self.out / ".colorize" / "segments").glob("*/*.nut")
        return {path.name: path.stat().st_ino for path in files}

    def hashes(self) -> dict[str, str]:
        files = (self.out / ".colorize" / "segments").glob("*/*.nut")
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def lines(self, kind: str) -> list[dict]:
        """Of the manifest, as they are recorded."""
        text = (self.out / ".colorize" / "manifest.jsonl").read_text()
        return [line for line in map(json.loads, text.splitlines()) if line.get("kind") == kind]

    def report(self) -> dict:
        summary = json.loads((self.out / ".colorize" / "summary.json").read_text())
        (item,) = summary["items"]
        return item


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "out")


def write(film: Path, rules: dict) -> None:
    (film.parent / "overrides.yaml").write_text(json.dumps({"film.mkv": rules}))


def ab(frame: np.ndarray) -> np.ndarray:
    return color.rgb2lab(frame)[..., 1:]


def test_a_point_holds_for_its_shot_and_a_change_redoes_only_its_segments(film: Path, job: Job):
    assert job(film.parent) == 0
    before = job.frames()
    time = (SHOT + 12) / RATE
    point = {"x": 0.3, "y": 0.8, "color": "#2040c0", "radius": 0.06, "time": time}
    write(film, {"hints": [point]})
    assert job(film.parent) == 0
    after = job.frames()
    assert len(after) == 2 * SHOT
    for n in range(SHOT):
        np.testing.assert_array_equal(after[n], before[n])
    for n in range(SHOT, 2 * SHOT):
        assert np.abs(ab(after[n])[60:] - ab(before[n])[60:]).mean() > 3, n
    kept = job.segments()
    assert set(kept) == {"00000.nut", "00001.nut", "00002.nut"}
    first, again = (line for line in job.lines("segment") if line["output"].endswith("00000.nut"))
    assert job.hashes()["00000.nut"] == first["sha256"]
    assert again["ended"] == first["ended"], "taken out of the finished film"
    assert len(job.lines("scan")) == 1, "its cuts were known"
    write(film, {"hints": [{**point, "color": "#c02020"}]})
    assert job(film.parent) == 0
    changed = job.segments()
    assert changed["00000.nut"] == kept["00000.nut"]
    assert changed["00001.nut"] != kept["00001.nut"]
    assert changed["00002.nut"] != kept["00002.nut"]
    write(film, {"hints": [point]})
    assert job(film.parent) == 0
    for one, other in zip(job.frames(), after, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def long_film(tmp_path: Path, truth: list[np.ndarray]) -> Path:
    """Three shots over some segments."""
    folder = tmp_path / "in"
    folder.mkdir()
    write_film(folder / "film.mkv", [*truth, *truth[:SHOT]])
    return folder / "film.mkv"


@pytest.mark.slow
def test_the_first_hint_on_a_finished_film_redoes_its_shot_alone(long_film: Path, job: Job):
    assert job(long_film.parent) == 0
    before, made = job.frames(), job.lines("segment")
    stops = list(itertools.accumulate(line["frames"] for line in made))
    assert stops[-1] == len(before) == 3 * SHOT
    assert not job.segments(), "a film without hints needs its disk once"
    shot = range(SHOT, 2 * SHOT)
    redone = {
        n for n, stop in enumerate(stops) if stop > SHOT and stop - made[n]["frames"] < 2 * SHOT
    }
    assert 0 < len(redone) < len(made) - 1
    point = {"x": 0.3, "y": 0.8, "color": "#2040c0", "radius": 0.06, "time": 30 / RATE}
    write(long_film, {"hints": [point]})
    assert job(long_film.parent) == 0
    for number, (was, now) in enumerate(zip(before, job.frames(), strict=True)):
        assert np.array_equal(was, now) == (number not in shot), number
    kept, found = job.hashes(), job.lines("segment")[len(made) :]
    for number, line in enumerate(made):
        name = Path(line["output"]).name
        (again,) = (other for other in found if other["output"] == line["output"])
        is_kept = (again["key"], again["sha256"]) == (line["key"], line["sha256"])
        assert is_kept == (number not in redone), number
        assert (kept[name] == line["sha256"]) == is_kept
        assert (again["ended"], again["seconds"]) == (line["ended"], line["seconds"]) or not is_kept
    assert len(job.lines("scan")) == 1, "its cuts were known"


def test_the_first_frame_in_color_colors_its_shot(film: Path, job: Job, truth: list[np.ndarray]):
    def error() -> float:
        shown = zip(job.frames()[SHOT:], truth[SHOT:], strict=True)
        pairs = [(color.rgb2lab(a), color.rgb2lab(b)) for a, b in shown]
        return float(np.mean([color.deltaE_ciede2000(a, b).mean() for a, b in pairs]))

    assert job(film.parent) == 0
    before = error()
    Image.fromarray(truth[SHOT]).save(film.parent / "first.png")
    write(film, {"references": [{"time": SHOT / RATE, "file": "first.png"}]})
    assert job(film.parent) == 0
    assert error() < 0.6 * before
    # A time beyond the film and a reference without color are a line each.
    Image.fromarray(truth[0]).convert("L").save(film.parent / "gray.png")
    late = [{"time": 999, "file": "first.png"}, {"time": 0, "file": "gray.png"}]
    write(film, {"references": late, "keep_gray": [[0, 0], [1, 0], [1, 0.5], [0, 0.5]]})
    assert job(film.parent) == 0
    assert job.report()["status"] == "degraded"
    assert "hint at 999 s is beyond the film" in job.report()["reason"]
    assert "reference gray.png: it has no color" in job.report()["reason"]
    assert np.abs(ab(job.frames()[SHOT])[:44]).max() < 4, "kept gray"
