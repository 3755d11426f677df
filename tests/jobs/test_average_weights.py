"""The mean of several stages of one training."""

import pytest
import torch

from colorize_core.config import GeneratorConfig
from colorize_core.model.checkpoint import load_generator, save_generator
from colorize_core.model.generator import build_generator
from jobs import average_weights


@pytest.fixture
def stage(tmp_path):
    def write(name, value, depth=2):
        config = GeneratorConfig(
            architecture="paper", base_channels=4, max_channels=8, depth=depth, residual_blocks=1
        )
        module = build_generator(config)
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.fill_(value)
        path = tmp_path / f"{name}.safetensors"
        save_generator(path, module, config, extra={})
        return str(path)

    return write


def test_a_file_named_twice_counts_twice(stage, tmp_path, capsys):
    early, late, out = stage("early", 1.0), stage("late", 4.0), tmp_path / "mean.safetensors"
    assert average_weights.main([str(out), early, late, late]) == 0
    mean = load_generator(out)
    assert mean.sha256 in capsys.readouterr().out
    assert all((p == 3.0).all() for p in mean.module.parameters())
    sources = [
        load_generator(tmp_path / f"{name}.safetensors").sha256[:12] for name in ("early", "late")
    ]
    assert mean.extra["average"] == "+".join([sources[0], sources[1], sources[1]])


def test_chroma_multiplies_the_last_layer_alone(stage, tmp_path):
    out = tmp_path / "mean.safetensors"
    assert average_weights.main([str(out), stage("one", 1.0), "--chroma", "1.5"]) == 0
    for name, parameter in load_generator(out).module.named_parameters():
        assert (parameter == (1.5 if name.startswith("head.") else 1.0)).all(), name


def test_contrast_is_the_means_own(tmp_path):
    config = GeneratorConfig(decoder_channels=(8, 8, 8, 8, 8), hint_channels=(4, 4, 4, 4))
    one, raised, kept = (str(tmp_path / f"{n}.safetensors") for n in ("one", "raised", "kept"))
    save_generator(tmp_path / "one.safetensors", build_generator(config), config, extra={})
    assert average_weights.main([raised, one, "--contrast", "1.25"]) == 0
    assert average_weights.main([kept, raised]) == 0
    assert load_generator(tmp_path / "raised.safetensors").config.chroma_contrast == 1.25
    assert load_generator(tmp_path / "kept.safetensors").config.chroma_contrast == 1.25
    assert average_weights.main([raised, one, "--contrast", "3"]) == 1


def test_what_cannot_be_averaged_is_said_in_one_line(stage, tmp_path, capsys):
    one, other, out = stage("one", 1.0), stage("other", 1.0, depth=3), tmp_path / "mean.safetensors"
    assert average_weights.main([str(out), one, other]) == 1
    assert average_weights.main([str(out), one, str(tmp_path / "none.safetensors")]) == 1
    assert average_weights.main([str(tmp_path / "mean.pt"), one]) == 1
    assert average_weights.main([str(out), one, "--chroma", "0"]) == 1
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 4
    assert all(line.startswith("error: ") for line in errors)
    assert not out.exists()
