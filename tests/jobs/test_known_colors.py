"""Photos with known colors (points, areas, references of overrides.yaml) through the main job."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import color, data

from jobs import colorize_archive

SUIT, FACE = (slice(330, 420), slice(180, 240)), (slice(90, 160), slice(200, 260))


def small(picture: np.ndarray) -> Image.Image:
    return Image.fromarray(picture).resize((256, 256), Image.Resampling.BOX)


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return data.astronaut()


@pytest.fixture
def archive(tmp_path: Path, astronaut: np.ndarray) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        small(astronaut).convert("L").save(folder / name)
    return folder


class Job:
    def __init__(self, out: Path) -> None:
        self.out = out

    def __call__(self, source: Path, *more: str) -> int:
        fixed = ["--out", str(self.out), "--runner", "serial", "--no-report", "--device", "cpu"]
        return colorize_archive.main([*fixed, *more, "--", str(source)])

    @property
    def items(self) -> dict[str, dict]:
        summary = json.loads((self.out / ".colorize" / "summary.json").read_text())
        return {item["source"]: item for item in summary["items"]}

    def lab(self, name: str) -> np.ndarray:
        """CIE Lab of an output, 512 x 512."""
        picture = Image.open(self.out / name).resize((512, 512))
        return color.rgb2lab(np.asarray(picture))

    def ab(self, name: str, place: tuple[slice, slice]) -> np.ndarray:
        return self.lab(name)[place][..., 1:].mean((0, 1))

    def times(self) -> dict[str, int]:
        return {name: (self.out / name).stat().st_mtime_ns for name in ("a.png", "b.png")}


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "out")


def write(path: Path, rules: dict) -> None:
    path.write_text(json.dumps(rules), encoding="utf-8")  # JSON is YAML


def test_a_point_colors_the_suit_and_redoes_nothing_else(archive: Path, job: Job):
    assert job(archive) == 0
    suit, face = job.ab("a.png", SUIT), job.ab("a.png", FACE)
    inode = (job.out / "b.png").stat().st_ino
    point = {"x": 0.41, "y": 0.73, "color": "a blue", "radius": 0.03}
    rules = {"*": {"palette": {"a blue": "#2b4fa0"}}, "a.png": {"hints": [point]}}
    write(archive / "overrides.yaml", rules)
    assert job(archive) == 0
    wanted = color.rgb2lab(np.array([[[0x2B, 0x4F, 0xA0]]], np.uint8))[0, 0, 1:]
    assert np.linalg.norm(job.ab("a.png", SUIT) - wanted) < 0.4 * np.linalg.norm(suit - wanted)
    assert np.linalg.norm(job.ab("a.png", FACE) - face) < 10
    assert (job.out / "b.png").stat().st_ino == inode
    # What lies in OUT wins over SRC, what is named over both.
    write(job.out / "overrides.yaml", {"a.png": {"hints": [{**point, "color": "#20a040"}]}})
    assert job(archive) == 0
    assert job.ab("a.png", SUIT)[0] < -15, "green"
    named = archive.parent / "named.yaml"
    write(named, {"a.png": {"hints": [{**point, "color": "#c02020"}]}})
    assert job(archive, "--overrides", str(named)) == 0
    assert job.ab("a.png", SUIT)[0] > 25, "red"
    assert (job.out / "b.png").stat().st_ino == inode


def test_a_reference_gives_its_colors_and_is_no_item(
    archive: Path, job: Job, astronaut: np.ndarray
):
    truth = color.rgb2lab(astronaut)

    def error() -> float:
        return float(color.deltaE_ciede2000(job.lab("a.png"), truth).mean())

    assert job(archive) == 0
    before = error()
    (archive / "references").mkdir()
    darker = (255 * (astronaut[:, ::-1] / 255.0) ** 1.3).astype(np.uint8)
    Image.fromarray(darker).save(archive / "references" / "mirror.jpg", quality=90)
    write(archive / "overrides.yaml", {"a.png": {"reference": "mirror.jpg"}})
    assert job(archive) == 0
    assert error() < 0.65 * before
    assert set(job.items) == {"a.png", "b.png"}
    # Something else leaves the generator's colors as they are.
    Image.fromarray(data.coffee()).save(archive / "references" / "mirror.jpg")
    assert job(archive) == 0
    assert error() < 1.02 * before


def test_bad_references_and_pages_are_a_line_and_the_photo_is_colored(archive: Path, job: Job):
    Image.fromarray(data.camera()).save(archive / "gray.jpg")
    (archive / "text.jpg").write_text("no picture")
    with (archive / "huge.jpg").open("wb") as file:
        file.truncate((64 << 20) + 1)
    names = ["gray.jpg", "text.jpg", "huge.jpg", "none.jpg"]
    points = [{"x": 0.5, "y": 0.5, "color": "#aa2211", "page": 3}]
    write(archive / "overrides.yaml", {"a.png": {"reference": names, "hints": points}})
    assert job(archive) == 0
    found = job.items["a.png"]
    assert found["status"] == "degraded"
    for words in (
        "reference gray.jpg: it has no color",
        "reference text.jpg: not a",
        "reference huge.jpg: is larger than 64 MiB",
        "reference none.jpg: is not there",
        "hints on page 3: there is 1",
    ):
        assert words in found["reason"]
    assert "overrides.yaml" in found["remedy"]
    assert set(job.items) == {"a.png", "b.png"}
    assert np.abs(job.lab("a.png")[..., 1:]).mean() > 2


@pytest.mark.parametrize("name", ["../out.png", "/etc/hostname", "link.png", "linked/x.png"])
def test_references_outside_are_refused(
    archive: Path, job: Job, name: str, capsys: pytest.CaptureFixture[str]
):
    (archive / "link.png").symlink_to(archive / "b.png")
    (archive / "real").mkdir()
    small(data.astronaut()).save(archive / "real" / "x.png")
    (archive / "linked").symlink_to(archive / "real")
    write(archive / "overrides.yaml", {"a.png": {"reference": name}})
    assert job(archive) == 1
    said = capsys.readouterr().err
    assert "overrides.yaml: 'a.png'" in said
    assert name in said


def test_areas_stay_gray_or_keep_their_color(archive: Path, job: Job, astronaut: np.ndarray):
    left = [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]
    faded = np.asarray(small(astronaut)).mean(2, keepdims=True) * [1.0, 0.9, 0.7]
    faded[:128, 128:] = np.asarray(small(astronaut))[:128, 128:]
    Image.fromarray(faded.astype(np.uint8)).save(archive / "b.png")
    write(
        archive / "overrides.yaml",
        {
            "a.png": {"keep_gray": left},
            "b.png": {"colored": "recolor", "keep_color": [[[0.5, 0], [1, 0], [1, 0.5]]]},
        },
    )
    assert job(archive) == 0
    assert np.abs(job.lab("a.png")[:, :240, 1:]).max() < 2
    assert np.abs(job.lab("a.png")[:, 272:, 1:]).mean() > 3
    own = np.asarray(Image.open(archive / "b.png"))[10:60, 200:250].astype(int)
    made = np.asarray(Image.open(job.out / "b.png"))[10:60, 200:250].astype(int)
    assert np.abs(made - own).max() <= 2
    # All of a photo may be left gray, which is then no failure of the generator.
    everything = [[0, 0], [1, 0], [1, 1], [0, 1]]
    write(archive / "overrides.yaml", {"a.png": {"keep_gray": everything}})
    assert job(archive) == 0
    assert job.items["a.png"]["status"] == "done"
