"""Generators as ONNX: another program gets the same colors."""

import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from colorize_core.color.letterbox import Letterbox
from colorize_core.config import GeneratorConfig
from colorize_core.inference.colorizer import Colorizer
from colorize_core.model.checkpoint import save_generator
from colorize_core.model.files import sha256_of
from colorize_core.model.generator import build_generator
from colorize_core.samples import gray_sample
from jobs import export_onnx


@pytest.fixture(scope="module", params=["paper", "flagship", "lite2"])
def weights(request, tmp_path_factory):
    torch.manual_seed(2)
    architecture = "paper" if request.param == "paper" else "flagship"
    encoder = "efficientnet_lite2" if request.param == "lite2" else "mobilenet_v2"
    config = GeneratorConfig(
        architecture=architecture, encoder=encoder, base_channels=8, max_channels=32, depth=3,
        decoder_channels=(32, 32, 16, 16, 8), hint_channels=(8, 8, 8, 8),
    )  # fmt: skip
    module = build_generator(config)
    if architecture == "flagship":
        with torch.no_grad():  # a new head is close to gray
            module.head.weight.mul_(100)
    path = tmp_path_factory.mktemp("weights") / f"{request.param}.safetensors"
    save_generator(path, module, config, extra={})
    return path


def session(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_onnx_runtime_gives_what_torch_gives(weights, tmp_path, capsys):
    out = tmp_path / "generator.onnx"
    assert export_onnx.main([str(out), "--weights", str(weights)]) == 0
    assert "of torch's" in capsys.readouterr().out
    run = session(out)
    for batch, height, width in ((1, 64, 64), (3, 96, 32), (2, 160, 224)):
        L = torch.rand(batch, 1, height, width) * 100
        # predict_ab's own batching plays no part: the same numbers per picture either way.
        expected = Colorizer.load(weights, device="cpu", batch_size=batch).predict_ab(L)
        (found,) = run.run(["ab"], {"L": L.numpy()})
        assert found.shape == (batch, 2, height, width)
        assert found.dtype == np.float32
        assert np.abs(found).max() > 1
        np.testing.assert_allclose(found, expected.numpy(), atol=0.02)
    model = onnx.load(str(out))
    assert {p.key: p.value for p in model.metadata_props}["weights_sha256"] == sha256_of(weights)


def shown(L: torch.Tensor, size: int) -> torch.Tensor:
    box = Letterbox.of(*L.shape[-2:], size)
    return box.to_working(box.shrink(L))


def test_the_shipped_generator_with_a_real_picture(tmp_path):
    out = tmp_path / "shipped.onnx"
    assert export_onnx.main([str(out)]) == 0
    gray = torch.from_numpy(gray_sample("cat") * 100).float()[None, None]
    working = shown(gray, 128)
    expected = Colorizer.load(device="cpu").predict_ab(working)
    (found,) = session(out).run(["ab"], {"L": working.numpy()})
    assert expected.abs().max() > 5
    np.testing.assert_allclose(found, expected.numpy(), atol=0.02)


@pytest.mark.slow
def test_int8_is_smaller_and_near_to_torch(tmp_path, capsys, caplog):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("cat", "coffee", "rocket", "astronaut"):
        picture = (gray_sample(name) * 255).astype(np.uint8)
        Image.fromarray(picture).save(photos / f"{name}.png")
    (photos / "torn.png").write_bytes(b"no picture")
    plain, small = tmp_path / "plain.onnx", tmp_path / "small.onnx"
    assert export_onnx.main([str(plain)]) == 0
    assert export_onnx.main([str(small), "--int8", str(photos)]) == 0
    assert "root mean square" in capsys.readouterr().out
    assert "torn.png" in caplog.text
    assert small.stat().st_size < 0.7 * plain.stat().st_size
    L = shown(torch.from_numpy(gray_sample("cat") * 100).float()[None, None], 256)
    (exact,) = session(plain).run(["ab"], {"L": L.numpy()})
    (found,) = session(small).run(["ab"], {"L": L.numpy()})
    moved = float(np.sqrt(np.mean((found - exact) ** 2)))
    assert 0 < moved < 3
    assert moved < np.sqrt(np.mean(exact**2)) / 4


def test_int8_needs_a_readable_photo(tmp_path, capsys):
    (tmp_path / "torn.png").write_bytes(b"no picture")
    assert export_onnx.main([str(tmp_path / "a.onnx"), "--int8", str(tmp_path)]) == 1
    assert "error: none of the photos" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["torn.png"]


def test_what_cannot_be_exported_is_said_in_one_line(tmp_path, capsys, monkeypatch):
    assert export_onnx.main([str(tmp_path / "a.pt")]) == 1
    assert export_onnx.main([str(tmp_path / "a.onnx"), "--weights", "/none"]) == 1
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    assert export_onnx.main([str(tmp_path / "a.onnx")]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 3
    assert all(line.startswith("error: ") for line in errors)
    assert "onnxruntime" in errors[2]
    assert "[onnx]" in errors[2]
    assert not list(tmp_path.iterdir())
