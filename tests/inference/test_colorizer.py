from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import colorize_core
from colorize_core import Colorizer, Hint
from colorize_core.color.pixels import pixels_to_L
from colorize_core.errors import ConfigError, ModelError, OutOfMemoryError, UnsupportedError
from colorize_core.model.encoder import Encoder


@pytest.fixture(scope="module")
def gray() -> np.ndarray:
    from skimage import data

    return data.camera()[::4, ::3]


def test_every_public_name_is_there():
    for name in colorize_core.__all__:
        assert getattr(colorize_core, name)
    with pytest.raises(AttributeError):
        _ = colorize_core.nothing


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_one_picture(tiny_weights: Path, gray: np.ndarray, dtype: type):
    picture = gray.astype(dtype) * (1 if dtype is np.uint8 else 257)
    rgb = Colorizer.load(tiny_weights, device="cpu", render_size=64).colorize(picture)
    assert rgb.shape == (*gray.shape, 3)
    assert rgb.dtype == dtype
    top = np.iinfo(dtype).max
    moved = (pixels_to_L(rgb) - pixels_to_L(picture)).abs().flatten()
    assert moved.quantile(0.999) < 0.5
    assert (rgb.max(axis=2).astype(int) - rgb.min(axis=2)).mean() > top / 200


def test_the_paper_s_structure():
    """Section 9: (B, 3, 256, 256) float32 after the merge."""
    from colorize_core.color.merge import merge

    L = torch.rand(2, 1, 256, 256) * 100
    merged = torch.cat([merge(one, torch.zeros(1, 2, 256, 256), one) for one in L.split(1)])
    assert merged.shape == (2, 3, 256, 256)
    assert merged.dtype == torch.float32


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9])
def test_a_picture_does_not_depend_on_its_batch(tiny_weights: Path, count: int):
    colorizer = Colorizer.load(tiny_weights, device="cpu", batch_size=4, render_size=64)
    L = torch.rand(9, 1, 64, 64) * 100
    whole = colorizer.predict_ab(L)
    assert torch.equal(colorizer.predict_ab(L[-count:]), whole[-count:])


def test_shipped_weights_color_a_photo_and_follow_a_hint():
    from skimage import data

    gray = data.astronaut().mean(axis=2).astype(np.uint8)
    colorizer = Colorizer.load(device="cpu")
    plain = colorizer.colorize(gray)
    assert (plain.max(axis=2).astype(int) - plain.min(axis=2)).mean() > 8
    hinted = colorizer.colorize(gray, hints=[Hint(y=400, x=120, a=0, b=-50, radius=10)])
    spot = (slice(385, 415), slice(105, 135))
    bluer = [
        (picture[spot][..., 2].astype(int) - picture[spot][..., 0]).mean()
        for picture in (plain, hinted)
    ]
    assert bluer[1] > bluer[0] + 60
    # What is something else keeps its color.
    far = (slice(0, 60), slice(300, 360))
    at_spot, far_away = (
        np.abs(hinted[place].astype(int) - plain[place]).mean() for place in (spot, far)
    )
    assert far_away < 0.15 * at_spot


@pytest.mark.parametrize(
    "picture",
    [np.zeros((0, 4), np.uint8), np.zeros(4, np.uint8)],
    ids=["empty", "flat"],
)
def test_what_is_no_picture_is_refused(tiny_weights: Path, picture: np.ndarray):
    with pytest.raises(UnsupportedError, match="uint8"):
        Colorizer.load(tiny_weights, device="cpu").colorize(picture)


def test_a_hint_outside_is_refused(tiny_weights: Path, gray: np.ndarray):
    colorizer = Colorizer.load(tiny_weights, device="cpu", render_size=64)
    with pytest.raises(ConfigError, match="outside"):
        colorizer.colorize(gray, hints=[Hint(y=9999, x=0, a=0, b=0)])


def test_weights_that_are_none_are_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="no such"):
        Colorizer.load(tmp_path / "none.safetensors")
    (tmp_path / "pickle.safetensors").write_bytes(b"\x80\x04not safetensors")
    with pytest.raises(ModelError):
        Colorizer.load(tmp_path / "pickle.safetensors")


@pytest.mark.skipif(torch.cuda.is_available(), reason="only where there is no CUDA device")
def test_cuda_without_a_device_is_refused(tiny_weights: Path):
    with pytest.raises(ConfigError, match="cuda"):
        Colorizer.load(tiny_weights, device="cuda")


def test_what_is_recognized_comes_with_the_color():
    colorizer = Colorizer.load(device="cpu", batch_size=4)
    L = torch.rand(6, 1, 64, 96, generator=torch.Generator().manual_seed(1)) * 100
    found = colorizer.predict_and_recognize(L)
    assert torch.equal(found.ab, colorizer.predict_ab(L))
    alone = [colorizer.recognize(picture[None]) for picture in L]
    for level, at in zip(found.levels, (2, 3), strict=True):
        assert level.shape == (6, *alone[0][at].shape[1:])
        torch.testing.assert_close(level, torch.cat([x[at] for x in alone]), rtol=1e-3, atol=1e-3)


def test_recognition_that_finds_no_memory_tries_with_less_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
):
    colorizer = Colorizer.load(device="cpu", batch_size=4)
    L = torch.full((3, 1, 64, 64), 50.0)
    plain = colorizer.recognize(L), colorizer.predict_and_recognize(L)
    without_room = 0
    pyramid = Encoder.pyramid

    def scarce(self: Encoder, x: torch.Tensor) -> list[torch.Tensor]:
        nonlocal without_room
        without_room -= 1
        if without_room >= 0:
            raise torch.OutOfMemoryError
        return pyramid(self, x)

    monkeypatch.setattr(Encoder, "pyramid", scarce)
    without_room = 1
    found = colorizer.predict_and_recognize(L)
    torch.testing.assert_close(found.ab, plain[1].ab, rtol=1e-3, atol=1e-3)
    assert colorizer.take_notes() == ["out of memory: batch halved to 2"]
    without_room = 1
    for level, wanted in zip(colorizer.recognize(L), plain[0], strict=True):
        torch.testing.assert_close(level, wanted, rtol=1e-3, atol=1e-3)
    assert colorizer.take_notes() == ["out of memory with one picture: computed on the CPU"]
    for look in (colorizer.recognize, colorizer.predict_and_recognize):
        without_room = 99
        with pytest.raises(OutOfMemoryError, match="working size 64"):
            look(L)
