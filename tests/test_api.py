"""What a program calls: pictures in memory, one photo, one film."""

from __future__ import annotations

import doctest
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

import colorize_core.api
import colorize_core.inference.colorizer
from colorize_core import Colorizer, colorize_file, colorize_film
from colorize_core.config import ColorizeConfig, ModelSettings, RenderSettings, VideoSettings
from colorize_core.errors import InputError, UnsupportedError, UsageError
from tests.ffmpeg_helpers import shown
from tests.film_helpers import make_film


@pytest.fixture
def colorizer(tiny_weights: Path) -> Colorizer:
    return Colorizer.load(tiny_weights, device="cpu", render_size=64)


@pytest.fixture
def config(tiny_weights: Path) -> ColorizeConfig:
    return ColorizeConfig(
        model=ModelSettings(weights=str(tiny_weights)),
        render=RenderSettings(size=64),
        video=VideoSettings(preset="ultrafast"),
    )


@pytest.fixture
def gray() -> np.ndarray:
    return data.camera()[::4, ::3]


@pytest.mark.parametrize("module", [colorize_core.api, colorize_core.inference.colorizer])
def test_examples_in_docstrings(module):
    found = doctest.testmod(module)
    assert found.attempted > 2
    assert not found.failed


def test_pictures_in_any_form_give_the_same_color(colorizer, gray, tmp_path):
    Image.fromarray(gray).save(tmp_path / "a.png")
    expected = colorizer.colorize(gray)
    assert np.ptp(expected, axis=2).mean() > 1
    with Image.open(tmp_path / "a.png") as image:
        same = [gray[..., None], np.stack([gray] * 3, -1), tmp_path / "a.png", image]
        same += [str(tmp_path / "a.png"), image.convert("P"), image.convert("RGB")]
        for picture in same:
            found = colorizer.colorize(picture)
            assert found.dtype == np.uint8
            np.testing.assert_allclose(found.astype(int), expected.astype(int), atol=1)
    for dtype in (np.float32, np.float64):
        found = colorizer.colorize((gray / 255).astype(dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected / 255, atol=0.01)


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"shape \(4, 4, 4\)"),
        (np.zeros((4, 4, 2), np.uint8), r"shape \(4, 4, 2\)"),
        (np.zeros((0, 4), np.uint8), r"shape \(0, 4\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), r"shape \(2, 4, 4, 3\)"),
        (np.zeros((4, 4), np.int32), "dtype int32"),
        (np.zeros((4, 4), bool), "dtype bool"),
        (np.full((4, 4), 200.0), "floats from 200 to 200"),
        (np.full((4, 4), np.nan), "floats from nan to nan"),
        ([[1, 2], [3, 4]], "type list"),
        (None, "type NoneType"),
        (Image.new("RGBA", (4, 4)), "mode RGBA"),
        (Image.new("F", (4, 4)), "mode F"),
    ],
)
def test_what_is_no_picture_is_refused_in_one_line(colorizer, picture, said):
    with pytest.raises(UnsupportedError, match=said) as caught:
        colorizer.colorize(picture)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_what_is_no_photo_is_refused(colorizer, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InputError):
        colorizer.colorize(tmp_path / "a.png")
    with pytest.raises(UsageError, match="No such file"):
        colorizer.colorize(tmp_path / "none.png")


def test_a_colorizer_says_what_it_is(colorizer):
    said = repr(colorizer)
    assert said.startswith(f"Colorizer(weights={colorizer.weights_sha256[:12]}, device=cpu")
    assert "render_size=64" in said


def test_a_photo_file(config, gray, tmp_path):
    Image.fromarray(gray).save(tmp_path / "old.jpg", dpi=(300, 300))
    written = colorize_file(tmp_path / "old.jpg", tmp_path / "color", config=config, device="cpu")
    assert written == tmp_path / "color" / "old.jpg"
    with Image.open(written) as image:
        assert image.mode == "RGB"
        assert image.info["dpi"] == (300, 300)
        assert np.ptp(np.asarray(image).astype(int), axis=2).mean() > 1
    inode = written.stat().st_ino
    again = colorize_file(str(tmp_path / "old.jpg"), tmp_path / "color", config=config)
    assert again.stat().st_ino == inode


def test_a_film_from_a_thread(config, tmp_path):
    make_film(tmp_path / "old.mp4", frames=20)
    results: list[Path] = []

    def work() -> None:
        results.append(colorize_film(tmp_path / "old.mp4", tmp_path / "color", config=config))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert results == [tmp_path / "color" / "old.mp4"]
    assert len(shown(results[0])) == 20


def test_files_that_cannot_be_used_say_so(config, tmp_path):
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    (tmp_path / "film.mkv").write_bytes(b"no film")
    with pytest.raises(InputError) as caught:
        colorize_file(tmp_path / "torn.png", tmp_path / "out", config=config, device="cpu")
    assert caught.value.message
    with pytest.raises(UsageError, match="no photo"):
        colorize_file(tmp_path / "film.mkv", tmp_path / "out", config=config)
    with pytest.raises(UsageError, match="no film"):
        colorize_film(tmp_path / "torn.png", tmp_path / "out", config=config)
    with pytest.raises(UsageError, match="no such file"):
        colorize_file(tmp_path / "none.png", tmp_path / "out", config=config)
    with pytest.raises(UsageError, match="device"):
        colorize_file(tmp_path / "torn.png", tmp_path / "out", config=config, device="tpu")
