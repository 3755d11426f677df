from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.errors import ModelError
from colorize_core.model.encoder import EfficientNetLite2, MobileNetV2, load_imagenet
from colorize_core.model.strides import soften_strides
from tests.mobilenet_helpers import averaged, random_lite2_state, random_state

STRIDED = (
    "stem", "blocks.1.depthwise", "blocks.3.depthwise", "blocks.6.depthwise", "blocks.13.depthwise",
)  # fmt: skip


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    """Smooth random pictures, as photos are."""
    coarse = torch.rand(64, 1, 24, 24, generator=torch.Generator().manual_seed(3)) * 2 - 1
    return F.interpolate(coarse, (96, 96), mode="bicubic").clamp(-1, 1)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> MobileNetV2:
    path: Path = tmp_path_factory.mktemp("mobilenet") / "net.pt"
    torch.save(random_state(torch.Generator().manual_seed(1)), path)
    net = MobileNetV2()
    load_imagenet(net, path)
    return net


@pytest.mark.parametrize("which", [(), (1,), (0, 4), (0, 1, 2, 3, 4)])
def test_only_the_named_kernels_are_averaged(encoder, pictures, which):
    soft = copy.deepcopy(encoder)
    soften_strides(soft, pictures, which)
    for i, name in enumerate(STRIDED):
        before, after = (net.get_submodule(name).weight for net in (encoder, soft))
        torch.testing.assert_close(after, averaged(before) if i in which else before)


def test_a_moved_picture_changes_less(encoder, pictures):
    soft = copy.deepcopy(encoder)
    soften_strides(soft, pictures, range(5))

    noise = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(2)) * 2 - 1

    def restlessness(net: MobileNetV2) -> float:
        here, there = (net.stem(noise.roll(by, 3))[..., 2:-2, 2:-2] for by in (0, 1))
        return float((there - here).norm() / here.std())

    with torch.no_grad():
        assert restlessness(soft) < 0.8 * restlessness(encoder)


def test_a_kernel_is_averaged_once(encoder, pictures):
    soft = copy.deepcopy(encoder)
    soften_strides(soft, pictures, (1,))
    soften_strides(soft, pictures, (2,))
    with pytest.raises(ModelError, match="soften_strides"):
        soften_strides(soft, pictures, (1,))


@pytest.mark.parametrize(("which", "last"), [(1, 1), (2, 3)])
def test_the_projection_makes_up_for_it(encoder, pictures, which, last):
    """On other pictures than those it was fitted on."""
    fitted, plain = copy.deepcopy(encoder), copy.deepcopy(encoder)
    soften_strides(fitted, pictures[:48], (which,))
    with torch.no_grad():
        layer = plain.get_submodule(STRIDED[which])
        layer.weight.copy_(averaged(layer.weight))
        wanted, far, near = (
            torch.nn.Sequential(*net.blocks[: last + 1])(F.relu6(net.stem(pictures[48:])))
            for net in (encoder, plain, fitted)
        )
        assert (near - wanted).square().mean() < 0.75 * (far - wanted).square().mean()


def test_larger_kernels_are_averaged_too(tmp_path, pictures):
    torch.save(random_lite2_state(torch.Generator().manual_seed(1)), tmp_path / "net.pt")
    sharp = EfficientNetLite2()
    load_imagenet(sharp, tmp_path / "net.pt")
    soft = copy.deepcopy(sharp)
    soften_strides(soft, pictures[:16], (2, 3))
    for name, changes in (("blocks.4.depthwise", True), ("blocks.15.depthwise", False)):
        before, after = (net.get_submodule(name).weight for net in (sharp, soft))
        assert before.shape[-1] == 6
        torch.testing.assert_close(after, averaged(before) if changes else before)
