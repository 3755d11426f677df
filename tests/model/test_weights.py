from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest
import torch
from msgspec.structs import replace
from safetensors.torch import save_file
from skimage import data

from colorize_core.config import GeneratorConfig
from colorize_core.errors import ModelError
from colorize_core.model.checkpoint import load_generator, save_generator
from colorize_core.model.files import shipped_weights
from colorize_core.model.generator import build_generator
from colorize_core.training.monitor import alive_share
from colorize_core.training.pictures import lab_of

SMALL = GeneratorConfig(architecture="paper", base_channels=4, max_channels=8, depth=3)


@pytest.fixture
def saved(tmp_path):
    torch.manual_seed(0)
    module = build_generator(SMALL)
    path = tmp_path / "g.safetensors"
    return module, path, save_generator(path, module, SMALL, extra={"run": "r1"})


def test_what_was_saved_is_loaded(saved):
    module, path, sha256 = saved
    loaded = load_generator(path)
    assert loaded.config == SMALL
    assert loaded.extra == {"run": "r1"}
    assert loaded.sha256 == sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not loaded.module.training
    assert not any(p.requires_grad for p in loaded.module.parameters())
    L = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(loaded.module(L), module.half().float()(L))


def test_the_same_weights_give_the_same_file(saved, tmp_path):
    module, _, sha256 = saved
    assert (
        save_generator(tmp_path / "again.safetensors", module, SMALL, extra={"run": "r1"}) == sha256
    )


def test_weights_of_another_architecture_are_refused(saved):
    module, path, _ = saved
    other = replace(SMALL, base_channels=8)
    save_generator(path, module, other, extra={})
    with pytest.raises(ModelError, match="do not fit"):
        load_generator(path)


def test_damaged_foreign_and_missing_files_are_refused(saved, tmp_path):
    _, path, _ = saved
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ModelError, match="damaged"):
        load_generator(path)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(2)}, os.fspath(foreign))
    with pytest.raises(ModelError, match="not a generator"):
        load_generator(foreign)
    with pytest.raises(ModelError, match="cannot be read"):
        load_generator(tmp_path / "missing.safetensors")


def test_broken_weights_are_not_published(tmp_path):
    module = build_generator(SMALL)
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        save_generator(tmp_path / "g.safetensors", module, SMALL, extra={})
    assert list(tmp_path.iterdir()) == []


def test_the_shipped_generator_is_whole_and_small():
    path = shipped_weights()
    loaded = load_generator(path)
    assert loaded.config.architecture == "flagship"
    assert path.stat().st_size < 20e6
    with torch.no_grad():
        ab = loaded.module(torch.linspace(-1, 1, 64 * 64).reshape(1, 1, 64, 64))
    assert torch.isfinite(ab).all()
    assert ab.abs().max() > 0.02


def test_the_shipped_generator_knows_one_picture_from_another():
    photos = (data.astronaut(), data.chelsea(), data.coffee(), data.rocket(), data.colorwheel())
    crops = torch.from_numpy(np.stack([photo[:256, :256] for photo in photos]))
    L = lab_of(crops, 256)[:, :1]
    encoder = load_generator(shipped_weights()).module.encoder
    with torch.no_grad():
        _, described = encoder.recognize(L)
    assert alive_share(described) > 0.8
