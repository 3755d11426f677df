from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from colorize_core.config import GeneratorConfig
from colorize_core.errors import ModelError
from colorize_core.model.encoder import load_imagenet
from colorize_core.model.generator import build_generator
from colorize_core.model.transplant import fits_but_for_encoder, transplant
from tests.copying import replace
from tests.mobilenet_helpers import random_lite2_state, random_state

FIRST = GeneratorConfig(decoder_channels=(32, 24, 16, 16, 8), hint_channels=(8, 8, 8, 8))
SECOND = replace(FIRST, encoder="efficientnet_lite2")


@pytest.fixture(scope="module")
def pictures() -> torch.Tensor:
    coarse = torch.rand(96, 1, 12, 12, generator=torch.Generator().manual_seed(3)) * 2 - 1
    return F.interpolate(coarse, (64, 64), mode="bicubic").clamp(-1, 1)


def pretrained(config, state, folder):
    torch.manual_seed(0)
    torch.save(state(torch.Generator().manual_seed(1)), folder / "net.pt")
    module = build_generator(config).eval().requires_grad_(False)
    load_imagenet(module.encoder, folder / "net.pt")
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if not name.startswith("encoder.") and not parameter.any():
                parameter.normal_(0, 0.05)
        module.head.weight.mul_(50)
    return module


def test_a_decoder_says_nearly_the_same_on_another_encoder(tmp_path, pictures):
    source = pretrained(FIRST, random_state, tmp_path)
    target = pretrained(SECOND, random_lite2_state, tmp_path)
    with torch.no_grad():
        wanted, before = source(pictures), target(pictures)
        encoder = {name: p.clone() for name, p in target.encoder.state_dict().items()}
        explained = transplant(source, target, pictures)
        after = target(pictures)
    assert (after - wanted).square().mean() < 0.5 * (before - wanted).square().mean()
    assert set(explained) == {"enter", "context", "skip2", "skip4", "skip8", "skip16"}
    assert all(0 < share <= 1 for share in explained.values())
    assert all(torch.equal(p, encoder[name]) for name, p in target.encoder.state_dict().items())
    hints = torch.zeros(2, 3, 64, 64)
    hints[:, :, 8:15, 8:15] = torch.tensor([0.5, -0.4, 1.0])[None, :, None, None]
    with torch.no_grad():
        assert not torch.equal(target(pictures[:2], hints), after[:2])
        for name in ("head.weight", "hints.context.weight", "global32.0.qkv.weight"):
            assert torch.equal(target.state_dict()[name], source.state_dict()[name])


def test_on_its_own_encoder_nothing_is_lost(tmp_path, pictures):
    """A level whose inputs are those of before is fitted to what it was, as far as it was seen."""
    source = pretrained(FIRST, random_state, tmp_path)
    target = pretrained(FIRST, random_state, tmp_path)
    with torch.no_grad():
        target.skip8.weight.zero_()
        explained = transplant(source, target, pictures)
    assert all(share > 0.9 for share in explained.values())


def test_only_the_encoder_may_differ(tmp_path, pictures):
    assert fits_but_for_encoder(FIRST, SECOND)
    assert not fits_but_for_encoder(FIRST, FIRST)
    wider = replace(SECOND, decoder_channels=(64, 24, 16, 16, 8))
    assert not fits_but_for_encoder(FIRST, wider)
    assert not fits_but_for_encoder(replace(FIRST, architecture="paper"), SECOND)
    with pytest.raises(ModelError, match="another size"):
        transplant(build_generator(FIRST), build_generator(wider), pictures)
