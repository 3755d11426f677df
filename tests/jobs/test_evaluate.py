"""The evaluation as a user runs it, and its figures computed again from the pictures it saved."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import color, data
from skimage.metrics import peak_signal_noise_ratio

from colorize_core.config import GeneratorConfig
from colorize_core.model.checkpoint import save_generator
from colorize_core.model.generator import build_generator
from jobs import evaluate

ROOT = Path(__file__).parents[2]
PHOTOS = 6
SETTINGS = ("side=64", "render.size=64", "render.batch_size=4", "hints=5", "resamples=200")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("truth")
    pictures = [data.astronaut(), data.coffee(), data.chelsea()]
    for i in range(PHOTOS):
        top = 40 * i
        tile = pictures[i % 3][top : top + 90, top : top + 120, ::-1]
        cv2.imwrite(str(folder / f"photo {i}.png"), tile)
    return folder


@pytest.fixture(scope="module")
def hinted_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random generator that takes hints."""
    torch.manual_seed(1)
    config = GeneratorConfig(
        architecture="flagship", decoder_channels=(16, 16, 16, 8, 8), hint_channels=(8, 8, 8, 8)
    )
    path = tmp_path_factory.mktemp("hinted") / "hinted.safetensors"
    save_generator(path, build_generator(config), config, extra={})
    return path


@pytest.fixture
def job(tmp_path: Path, tiny_weights: Path) -> Callable[..., int]:
    def run(source: Path | str, *more: str, settings: tuple[str, ...] = ()) -> int:
        chosen = [x for setting in (*SETTINGS, *settings) for x in ("--set", setting)]
        out = ["--out", str(tmp_path / "out"), "--weights", str(tiny_weights)]
        return evaluate.main([str(source), *out, *chosen, *more])

    return run


def result(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "out" / "evaluation.json").read_text())


def read(folder: Path) -> list[np.ndarray]:
    return [cv2.imread(str(p))[..., ::-1] for p in sorted(folder.iterdir())]


def papers_colorfulness(picture: np.ndarray) -> float:
    r, g, b = np.moveaxis(picture.astype(float), -1, 0)
    rg, yb = np.abs(r - g), np.abs((r + g) / 2 - b)
    return np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())


def ab_histogram(pictures: list[np.ndarray]) -> np.ndarray:
    shares = []
    for picture in pictures:
        lab = color.rgb2lab(picture)
        limits = [[-110, 110]] * 2
        grid, _, _ = np.histogram2d(lab[..., 1].ravel(), lab[..., 2].ravel(), 22, limits)
        shares.append(grid / grid.sum())
    return np.mean(shares, 0)


def divergence(p: np.ndarray, q: np.ndarray) -> float:
    m = (p + q) / 2
    halves = [np.sum(x[x > 0] * np.log(x[x > 0] / m[x > 0])) for x in (p, q)]
    return sum(halves) / 2


def test_figures_are_those_of_the_saved_pictures(job, photos, tmp_path, hinted_weights):
    assert job(photos, "--save-pictures", "--weights", str(hinted_weights)) == 0
    saved = tmp_path / "out" / "pictures"
    truths = read(saved / "ground-truth")
    assert len(truths) == PHOTOS
    rows = result(tmp_path)["photos"]
    for name in ("gray copy", "generator", "with 5 hints"):
        outputs = read(saved / name.replace(" ", "-"))
        value = {metric: cell["value"] for metric, cell in rows[name].items()}
        pairs = list(zip(outputs, truths, strict=True))
        psnr = [peak_signal_noise_ratio(t, o) for o, t in pairs]
        distance = [
            color.deltaE_ciede2000(color.rgb2lab(o), color.rgb2lab(t)).mean() for o, t in pairs
        ]
        lightness = [
            np.abs(color.rgb2lab(o)[..., 0] - color.rgb2lab(t)[..., 0]).mean() for o, t in pairs
        ]
        assert value["psnr_mean"] == pytest.approx(np.mean(psnr), abs=1e-3)
        assert value["psnr_median"] == pytest.approx(np.median(psnr), abs=1e-3)
        assert value["psnr_pooled"] <= value["psnr_mean"]
        assert value["ciede2000"] == pytest.approx(np.mean(distance), abs=2e-2)
        assert value["delta_L"] == pytest.approx(np.mean(lightness), abs=1e-2)
        cf = np.mean([papers_colorfulness(o) for o in outputs])
        true_cf = np.mean([papers_colorfulness(t) for t in truths])
        assert value["colorfulness"] == pytest.approx(cf, abs=1e-3)
        assert value["colorfulness_to_truth"] == pytest.approx(cf / true_cf, abs=1e-4)
        assert value["delta_colorfulness"] == pytest.approx(abs(cf - true_cf), abs=1e-3)
        js = divergence(ab_histogram(outputs), ab_histogram(truths))
        assert value["ab_js"] == pytest.approx(js, abs=2e-3)
        if name != "gray copy":
            ours, true = (np.stack([color.rgb2lab(p) for p in side]) for side in (outputs, truths))
            for channel, letter in ((1, "a"), (2, "b")):
                share = np.corrcoef(ours[..., channel].ravel(), true[..., channel].ravel())[0, 1]
                assert value[f"explained_{letter}"] == pytest.approx(share**2, abs=2e-3)
    assert rows["gray copy"]["colorfulness"]["value"] == pytest.approx(0, abs=1e-6)
    assert rows["gray copy"]["ab_js_to_gray"]["value"] == 1
    assert rows["gray copy"]["explained_a"]["value"] == 0
    assert rows["generator"]["colorfulness"]["value"] > 1
    assert set(rows["ground truth"]) == {"colorfulness", "colorfulness_signed"}


def test_folders_have_a_table_of_their_own(job, photos, tmp_path):
    folder = tmp_path / "kinds"
    for i, photo in enumerate(sorted(photos.iterdir())):
        kind = folder / ("people" if i % 3 == 0 else "streets")
        kind.mkdir(parents=True, exist_ok=True)
        (kind / photo.name).write_bytes(photo.read_bytes())
    assert job(folder) == 0
    tables = result(tmp_path)
    assert list(tables["photos by folder"]) == ["people (2)", "streets (4)"]
    people, streets = (row["ciede2000"]["value"] for row in tables["photos by folder"].values())
    whole = tables["photos"]["generator"]["ciede2000"]["value"]
    assert (2 * people + 4 * streets) / 6 == pytest.approx(whole, abs=1e-6)
    assert people != streets
    assert "streets (4)" in (tmp_path / "out" / "evaluation.md").read_text()


def test_truth_is_the_squeezed_photo_and_gray_is_its_lightness(job, photos, tmp_path):
    assert job(photos, "--save-pictures", "--limit", "1") == 0
    saved = tmp_path / "out" / "pictures"
    (truth,), (gray,), (ours,) = (
        read(saved / row) for row in ("ground-truth", "gray-copy", "generator")
    )
    assert truth.shape == (64, 64, 3)
    assert (gray == gray[..., :1]).all()
    labs = [color.rgb2lab(x) for x in (truth, gray, ours)]
    assert np.abs(labs[0][..., 0] - labs[1][..., 0]).max() < 0.3
    assert np.abs(labs[1][..., 0] - labs[2][..., 0]).max() < 0.5


def test_intervals_table_and_page(job, photos, tmp_path, capsys):
    assert job(photos, settings=("triples=4",)) == 0
    found = result(tmp_path)
    for metric in ("psnr_mean", "psnr_median", "ciede2000", "ssim", "colorfulness_to_truth"):
        cell = found["photos"]["generator"][metric]
        assert cell["low"] <= cell["value"] <= cell["high"]
        assert cell["low"] < cell["high"]
    printed = capsys.readouterr().out
    assert re.search(r"weights sha256: [0-9a-f]{64}", printed)
    assert "N: 6" in printed
    assert "hints: none" in printed
    assert re.search(r"^\| generator +\| \d+\.\d\d ±\d+\.\d\d", printed, re.MULTILINE)
    assert printed.startswith((tmp_path / "out" / "evaluation.md").read_text())
    html = (tmp_path / "out" / "examples.html").read_text()
    assert html.count("data:image/png;base64,") == 4 * 3
    assert "http" not in html
    sheet = cv2.imread(str(tmp_path / "out" / "examples.png"))
    assert sheet.shape[1] > 2 * 3 * 64


def test_the_same_command_gives_the_same_figures(job, photos, tmp_path):
    assert job(photos) == 0
    first = result(tmp_path)
    assert job(photos) == 0
    assert result(tmp_path) == first


@pytest.mark.parametrize("crop", ["center", "whole"])
def test_other_crops(job, photos, tmp_path, crop):
    assert job(photos, "--save-pictures", settings=(f"crop={crop}",)) == 0
    shape = read(tmp_path / "out" / "pictures" / "generator")[0].shape
    assert shape == ((90, 120, 3) if crop == "whole" else (64, 64, 3))


def test_bad_photos_are_listed_and_the_rest_is_measured(job, photos, tmp_path, capsys):
    folder = tmp_path / "mixed"
    folder.mkdir()
    for path in list(photos.iterdir())[:2]:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    cv2.imwrite(str(folder / "gray.png"), np.zeros((30, 30), np.uint8))
    assert job(folder) == 2
    found = result(tmp_path)
    assert found["facts"]["N"] == 2
    assert sorted(f["path"] for f in found["failed"]) == ["gray.png", "torn.jpg"]
    assert "no ground truth" in capsys.readouterr().err


def test_what_cannot_run_says_so_in_one_line(job, photos, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    cases = [
        (job(empty), "empty"),
        (job(photos, settings=("crop=round",)), "crop"),
        (job(photos, settings=("squeezenet.file=/none.pt",)), "no such network file"),
        (job(photos, "--weights", "/none.safetensors"), "none.safetensors"),
    ]
    assert [code for code, _ in cases] == [1] * 4
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 4
    for line, (_, words) in zip(errors, cases, strict=True):
        assert line.startswith("error: ")
        assert words in line


def test_networks_of_the_user_add_their_columns(job, photos, tmp_path, capsys):
    from tests.metrics.test_distribution import squeezenet_file

    path, _ = squeezenet_file(tmp_path)
    assert job(photos, settings=(f"squeezenet.file={path}",)) == 0
    rows = result(tmp_path)["photos"]
    assert rows["gray copy"]["squeezenet_frechet_to_gray"]["value"] == 1
    assert rows["generator"]["squeezenet_frechet"]["value"] > 0
    assert "squeezenet Frechet" in capsys.readouterr().out
    assert len(result(tmp_path)["facts"]["squeezenet sha256"]) == 64


def test_true_hints_are_drawn_where_the_truth_has_them():
    from colorize_core.color.letterbox import Letterbox
    from colorize_core.config import EvaluateConfig
    from colorize_core.evaluation.photos import _true_points
    from colorize_core.model.scale import ab_to_net

    config = EvaluateConfig(hints=10, hint_radius=3)
    a = torch.linspace(-50, 50, 64).expand(1, 1, 64, 64)
    lab = torch.cat((torch.full_like(a, 50.0), a, a.mT), 1)
    where = Letterbox.of(64, 64, 64)
    hints = _true_points(lab, where, config, index=0)
    assert hints.shape == (1, 3, 64, 64)
    mask = hints[:, 2:] == 1
    assert 49 <= mask.sum() <= 490
    assert (hints[:, :2] * ~mask == 0).all()
    # On a ramp the mean of 7x7 is the center's color, up to 3 pixels away from where it is written.
    error = (hints[:, :2] - ab_to_net(lab[:, 1:])) * mask
    assert error.abs().max() < ab_to_net(torch.tensor(100 / 63 * 7))
    again = _true_points(lab, where, config, index=0)
    other = _true_points(lab, where, config, index=1)
    torch.testing.assert_close(hints, again, rtol=0, atol=0)
    assert not torch.equal(hints, other)


def test_a_large_square_has_the_papers_shape(tiny_weights):
    """The paper's structural check: (B, 3, 256, 256) float32 after the merge."""
    from colorize_core.color.letterbox import Letterbox
    from colorize_core.color.merge import merge
    from colorize_core.inference.colorizer import Colorizer

    colorizer = Colorizer.load(tiny_weights, device="cpu", batch_size=2)
    pictures = (torch.rand(2, 1, 256, 256) * 100).split(1)
    box = Letterbox.of(256, 256, 256)
    colors = colorizer.predict_pictures([box] * 2, [box.to_working(L) for L in pictures])
    merged = torch.cat([merge(L, ab, L) for L, ab in zip(pictures, colors, strict=True)])
    assert merged.shape == (2, 3, 256, 256)
    assert merged.dtype == torch.float32


def test_the_shipped_configuration_is_the_default():
    from colorize_core.config import EvaluateConfig, load_config

    shipped = load_config(EvaluateConfig, ROOT / "configs" / "evaluate" / "default.yaml")
    assert shipped == EvaluateConfig()


def test_help_loads_neither_torch_nor_ray():
    script = (
        "import sys\n"
        "from jobs import evaluate\n"
        "code = evaluate.main(['--help'])\n"
        "sys.exit(code or bool({'torch', 'ray'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
