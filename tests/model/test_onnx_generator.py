"""Generators of others: made networks shaped like published ones, and our own export."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import color

from colorize_core import Colorizer, Hint
from colorize_core.errors import ColorizeError, ConfigError, ModelError
from colorize_core.model.files import identity_of
from colorize_core.model.onnx_contract import OnnxContract
from colorize_core.model.onnx_generator import load_onnx, output_ab, to_input
from tests.onnx_helpers import (
    DDCOLOR,
    like_ddcolor,
    like_deoldify,
    write_contract,
    write_network,
)

CPU = torch.device("cpu")


def smooth_L(batch: int = 1, height: int = 64, width: int = 64) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    return torch.stack([20 + 60 * (y + i * x) / (1 + i) for i in range(batch)])[:, None]


def gray_rgb(L: torch.Tensor) -> np.ndarray:
    """By scikit-image: (B, H, W, 3) of the gray with this lightness."""
    planes = L[:, 0].double().numpy()
    return color.lab2rgb(np.stack([planes, 0 * planes, 0 * planes], -1))


def ab_of(rgb: np.ndarray) -> np.ndarray:
    return np.moveaxis(color.rgb2lab(rgb)[..., 1:], -1, 1)


def test_a_file_shaped_like_ddcolor(tmp_path: Path):
    colorizer = Colorizer.load(like_ddcolor(tmp_path / "ddcolor.onnx"), device="cpu", batch_size=4)
    L = smooth_L(3)
    gray = gray_rgb(L)[..., 0]
    expected = np.stack([30 * gray, 60 * gray - 5], 1)
    np.testing.assert_allclose(colorizer.predict_ab(L), expected, atol=0.02)


def test_a_file_shaped_like_deoldify(tmp_path: Path):
    colorizer = Colorizer.load(like_deoldify(tmp_path / "d.onnx"), device="cpu", batch_size=2)
    L = smooth_L(2)
    rgb = (gray_rgb(L) * 255 * [0.8, 0.6, 0.4] + [9, 5, 0]) / 255
    np.testing.assert_allclose(colorizer.predict_ab(L), ab_of(rgb), atol=0.05)


def test_our_own_export_gives_what_torch_gives(tiny_weights: Path, tmp_path: Path):
    from colorize_core.model.onnx_export import export_onnx

    path = tmp_path / "own.onnx"
    export_onnx(tiny_weights, path)
    write_contract(
        path,
        {"input": "L", "input_range": [0, 100], "output": "ab", "output_range": [-110, 110]},
        license="Apache-2.0",
    )
    L = torch.rand(3, 1, 64, 96) * 100
    expected = Colorizer.load(tiny_weights, device="cpu", batch_size=2).predict_ab(L)
    found = Colorizer.load(path, device="cpu", batch_size=2).predict_ab(L)
    assert expected.abs().max() > 1
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0)


def test_a_picture_is_padded_into_a_fixed_square_not_squashed(tmp_path: Path):
    colorizer = Colorizer.load(like_ddcolor(tmp_path / "a.onnx"), device="cpu")
    found = colorizer.predict_ab(smooth_L(1, 64, 128))
    gray = gray_rgb(smooth_L(1, 64, 128))[..., 0]
    assert found.shape == (1, 2, 64, 128)
    # Half as large and back: only the borders are a little off.
    np.testing.assert_allclose(found[:, 0], 30 * gray, atol=0.4)


def test_other_ranges_means_and_codes():
    L = smooth_L(2)
    gray = torch.from_numpy(gray_rgb(L)).float().movedim(-1, 1)
    normalized = OnnxContract(
        input="rgb", output="yuv", license="x", input_range=(0, 1), output_range=(0, 255),
        mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
    )  # fmt: skip
    mean, std = (torch.tensor(v)[:, None, None] for v in (normalized.mean, normalized.std))
    torch.testing.assert_close(to_input(L, normalized), (gray - mean) / std, atol=1e-4, rtol=1e-4)
    signed = OnnxContract(
        input="L", output="lab", license="x", input_range=(-1, 1), output_range=(18, 238)
    )
    torch.testing.assert_close(to_input(L, signed), L / 50 - 1)
    # By scikit-image: Y'CbCr of JPEG differs from its studio range by scale alone.
    rgb = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3))
    studio = color.rgb2ycbcr(rgb)
    luma = (studio[..., 0] - 16) * 255 / 219
    chroma = [(studio[..., i] - 128) * 255 / 224 + 127.5 for i in (1, 2)]
    full = np.stack([luma, *chroma], 1)
    found = output_ab(torch.from_numpy(full).float(), normalized)
    np.testing.assert_allclose(found, ab_of(rgb), atol=0.1)
    eight_bit = np.moveaxis(color.rgb2lab(rgb), -1, 1) + 128
    found = output_ab(torch.from_numpy(eight_bit).float(), signed)
    np.testing.assert_allclose(found, ab_of(rgb), atol=1e-3)


def test_hints_act_without_the_network_s_help(tmp_path: Path):
    gray = (gray_rgb(smooth_L())[0, ..., 0] * 255).round().astype(np.uint8)
    colorizer = Colorizer.load(like_ddcolor(tmp_path / "a.onnx"), device="cpu", render_size=64)
    plain, hinted = colorizer.colorize(gray), colorizer.colorize(gray, [Hint(32, 32, -30, -40, 4)])
    a, b = color.rgb2lab(hinted)[30:35, 30:35, 1:].mean((0, 1))
    assert a < -15
    assert b < -20
    assert color.rgb2lab(plain)[30:35, 30:35, 2].mean() > 10


def test_contract_and_file_are_both_in_the_identity(tmp_path: Path):
    path = like_ddcolor(tmp_path / "a.onnx")
    first = identity_of(path)
    assert Colorizer.load(path, device="cpu").weights_sha256 == first
    write_contract(path, DDCOLOR, input_range=[0, 2])
    second = identity_of(path)
    write_network(path, [[10, 10, 10], [20, 20, 21]], [0, -5])
    assert len({first, second, identity_of(path)}) == 3


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"input": "L"}, r"input float \[1,3,64,64\] -> output float \[1,2,64,64\]; its contract"),
        ({"output": "rgb"}, r"\[1,2,64,64\]; its contract says \[batch,3,height,width\] float ->"),
        ({"size": 512}, r"\[1,3,64,64\].*says size: 512"),
        ({"size": 0}, r"\[1,3,64,64\].*says size: 0"),
        ({"license": " "}, "license"),
        ({"output_range": [3, 3]}, "output_range"),
        ({"mean": [0.5]}, "mean"),
        ({"colour": 3}, "unknown key colour"),
    ],
)
def test_a_contract_that_does_not_fit_is_said_in_one_line(tmp_path: Path, changed: dict, said: str):
    path = like_ddcolor(tmp_path / "a.onnx")
    write_contract(path, DDCOLOR, **changed)
    with pytest.raises(ModelError, match=said) as caught:
        load_onnx(path, CPU)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy


def test_what_is_no_generator_is_said_in_one_line(tmp_path: Path, monkeypatch):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"no network")
    with pytest.raises(ModelError, match=r"needs its contract beside it: a\.yaml"):
        identity_of(path)
    write_contract(path, DDCOLOR)
    with pytest.raises(ModelError, match="ONNX Runtime cannot open it") as caught:
        load_onnx(path, CPU)
    assert "\n" not in str(caught.value)
    like_deoldify(path)
    with pytest.raises(ConfigError, match="not in bf16"):
        Colorizer.load(path, device="cpu", precision="bf16")
    if "CUDAExecutionProvider" not in sys.modules["onnxruntime"].get_available_providers():
        with pytest.raises(ModelError, match="knows no GPU"):
            load_onnx(path, torch.device("cuda"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    with pytest.raises(ColorizeError, match="need the package onnxruntime"):
        load_onnx(path, CPU)
