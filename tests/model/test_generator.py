from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from msgspec.structs import replace

from colorize_core.config import GeneratorConfig
from colorize_core.errors import ConfigError, ModelError
from colorize_core.model.encoder import (
    GROUPS,
    EfficientNetLite2,
    MobileNetV2,
    build_encoder,
    load_imagenet,
)
from colorize_core.model.generator import build_generator, raise_chroma
from tests.mobilenet_helpers import LITE2, random_lite2_state, random_state

PAPER = GeneratorConfig(architecture="paper", base_channels=4, max_channels=16, depth=4)
FLAGSHIP = GeneratorConfig(architecture="flagship")
WIDE = GeneratorConfig(
    encoder="efficientnet_lite2", decoder_channels=(64, 48, 32, 24, 16), attention_heads=8
)


def make(config: GeneratorConfig) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_generator(config).eval()


def with_trained_hints(config: GeneratorConfig) -> torch.nn.Module:
    """The hint path starts at zero; give it and the residual branches weights as training does."""
    module = make(config)
    with torch.no_grad():
        for parameter in module.parameters():
            if not parameter.any():
                parameter.normal_(0, 0.05)
    return module


@pytest.mark.parametrize("config", [PAPER, FLAGSHIP, WIDE], ids=["paper", "flagship", "lite2"])
@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_ab_has_the_size_of_L_and_stays_in_range(config, size):
    with torch.no_grad():
        ab = make(config)(torch.rand(2, 1, *size) * 2 - 1)
    assert ab.shape == (2, 2, *size)
    assert ab.dtype == torch.float32
    assert ab.abs().max() <= 1


@pytest.mark.parametrize("config", [PAPER, FLAGSHIP, WIDE], ids=["paper", "flagship", "lite2"])
def test_a_picture_does_not_depend_on_the_others_in_its_batch(config):
    module = with_trained_hints(config)
    pictures = torch.rand(4, 1, 64, 64) * 2 - 1
    others = torch.cat([pictures[:1], torch.rand(3, 1, 64, 64) * 2 - 1])
    with torch.no_grad():
        torch.testing.assert_close(module(pictures)[0], module(others)[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("config", [FLAGSHIP, WIDE], ids=["flagship", "lite2"])
def test_training_and_evaluation_mode_agree(config):
    module = with_trained_hints(config)
    L = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(module.eval()(L), module.train()(L))


def test_attention_is_the_same_with_and_without_gradients():
    module = with_trained_hints(FLAGSHIP)
    L = torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        fused = module(L)
    torch.testing.assert_close(module(L), fused)


def test_empty_hints_change_nothing_and_real_ones_reach_near_and_far():
    module = with_trained_hints(FLAGSHIP)
    L = torch.rand(1, 1, 128, 128) * 2 - 1
    empty = torch.zeros(1, 3, 128, 128)
    one = empty.clone()
    one[:, :, 12:19, 12:19] = torch.tensor([0.5, -0.4, 1.0])[None, :, None, None]
    with torch.no_grad():
        plain, same, changed = module(L), module(L, empty), module(L, one)
    torch.testing.assert_close(same, plain, rtol=0, atol=0)
    difference = (changed - plain).abs().sum(1)[0]
    assert difference[8:24, 8:24].mean() > 0
    assert difference[96:, 96:].mean() > 0


def test_an_untrained_hint_path_changes_nothing_but_learns():
    module = make(FLAGSHIP).train()
    L, hints = torch.rand(1, 1, 64, 64), torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(module(L, hints), module(L))
    module(L, hints).abs().sum().backward()
    assert all(side.weight.grad.abs().sum() > 0 for side in module.hints.sides)


def test_raised_chroma_keeps_hue_and_one_chroma_and_stays_in_range():
    angles = torch.arange(8) * 0.7
    hues = torch.stack([angles.cos(), angles.sin()])[None, :, :, None]
    timid, kept, sure = (hues * c / 110 for c in (5.0, 20.0, 60.0))
    torch.testing.assert_close(raise_chroma(kept, 1.5), kept)
    for ab, factor in ((timid, 0.5), (sure, 3**0.5)):
        torch.testing.assert_close(raise_chroma(ab, 1.5), ab * factor)
        assert raise_chroma(ab, 1.0) is ab
    assert not raise_chroma(torch.zeros(1, 2, 4, 4), 1.5).any()
    assert raise_chroma(hues, 2.0).abs().max() <= 1


def test_chroma_contrast_is_the_last_step():
    plain, raised = make(FLAGSHIP), make(replace(FLAGSHIP, chroma_contrast=1.5))
    L = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(raised(L), raise_chroma(plain(L), 1.5))


def test_the_papers_generator_refuses_hints():
    with pytest.raises(ModelError, match="hints"):
        make(PAPER)(torch.zeros(1, 1, 32, 32), torch.zeros(1, 3, 32, 32))


def test_the_paper_to_the_letter():
    module = make(GeneratorConfig(architecture="paper", base_channels=8, max_channels=64))
    kinds = [type(m).__name__ for m in module.modules()]
    assert kinds.count("LeakyReLU") == 5
    assert kinds.count("ConvTranspose2d") == 5
    assert kinds.count("ResidualBlock") == 2
    assert "InstanceNorm2d" not in kinds
    normed = make(GeneratorConfig(architecture="paper", base_channels=8, instance_norm=True))
    assert "InstanceNorm2d" in [type(m).__name__ for m in normed.modules()]


@pytest.mark.parametrize(
    "wrong",
    [
        {"depth": 6},
        {"decoder_channels": (8, 8)},
        {"attention_heads": 7},
        {"residual_blocks": -1},
        {"chroma_contrast": 0.5},
        {"chroma_contrast": 1.25, "architecture": "paper"},
    ],
)
def test_impossible_generators_are_refused(wrong):
    with pytest.raises(ConfigError):
        GeneratorConfig(**wrong)


def reference_mobilenet(state, x):
    """MobileNetV2's features written down as plain function calls, with TensorFlow's padding."""

    def conv(x, i, stride=1, groups=1):
        weight, bias = state[f"conv{i}.weight"], state[f"conv{i}.bias"]
        if weight.shape[-1] == 3:
            x = F.pad(x, (0, 1, 0, 1) if stride == 2 else (1, 1, 1, 1))
        return F.conv2d(x, weight, bias, stride, groups=groups)

    x, i = F.relu6(conv(x, 0, 2)), 1
    for expansion, channels, repeats, stride in GROUPS:
        for block in range(repeats):
            y, step = x, stride if block == 0 else 1
            if expansion > 1:
                y, i = F.relu6(conv(y, i)), i + 1
            y = F.relu6(conv(y, i, step, groups=y.shape[1]))
            y = conv(y, i + 1)
            i += 2
            x = x + y if step == 1 and x.shape[1] == channels else y
    return x


def test_the_encoder_computes_mobilenet(tmp_path):
    state = random_state(torch.Generator().manual_seed(1))
    torch.save(state, tmp_path / "net.pt")
    rgb = torch.rand(1, 3, 64, 64) * 2 - 1
    gray = torch.rand(1, 1, 64, 64) * 2 - 1
    color_net, gray_net = MobileNetV2(in_channels=3), MobileNetV2()
    load_imagenet(color_net, tmp_path / "net.pt")
    load_imagenet(gray_net, tmp_path / "net.pt")
    with torch.no_grad():
        torch.testing.assert_close(
            color_net.pyramid(rgb)[-1], reference_mobilenet(state, rgb), rtol=1e-3, atol=1e-4
        )
        torch.testing.assert_close(
            gray_net.pyramid(gray)[-1],
            reference_mobilenet(state, gray.expand(-1, 3, -1, -1)),
            rtol=1e-3,
            atol=1e-4,
        )
        assert [f.shape[-1] for f in gray_net.pyramid(gray)] == [32, 16, 8, 4, 2]


def reference_lite2(state, rgb):
    """EfficientNet-Lite2 as its authors run it: own input scale, "SAME" padding, batch norm.

    But around the picture is the gray that our scale calls 0, which is .004 of theirs.
    """

    def conv(x, name, stride=1, groups=1, around=0.0):
        weight = state[f"{name}.weight"].float()
        kernel, side = weight.shape[-1], x.shape[-1]
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        x = F.pad(x, (total // 2, total - total // 2) * 2, value=around)
        return F.conv2d(x, weight, None, stride, groups=groups)

    def norm(x, name):
        parts = (state[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, *parts, training=False, eps=1e-3)

    x = (255 * (rgb + 1) / 2 - 127) / 128
    x = F.relu6(norm(conv(x, "_conv_stem", 2, around=0.5 / 128), "_bn0"))
    i = 0
    for _, expansion, channels, repeats, stride in LITE2:
        for block in range(repeats):
            y, at, step = x, f"_blocks.{i}.", stride if block == 0 else 1
            if expansion > 1:
                y = F.relu6(norm(conv(y, at + "_expand_conv"), at + "_bn0"))
            y = conv(y, at + "_depthwise_conv", step, groups=y.shape[1])
            y = norm(conv(F.relu6(norm(y, at + "_bn1")), at + "_project_conv"), at + "_bn2")
            x = x + y if step == 1 and x.shape[1] == channels else y
            i += 1
    return x, F.relu6(norm(conv(x, "_conv_head"), "_bn1")).mean((2, 3))


def test_the_encoder_computes_efficientnet_lite2(tmp_path):
    state = random_lite2_state(torch.Generator().manual_seed(1))
    torch.save(state, tmp_path / "net.pt")
    rgb = torch.rand(1, 3, 64, 64) * 2 - 1
    gray = torch.rand(1, 1, 64, 64) * 2 - 1
    color_net, gray_net = EfficientNetLite2(in_channels=3), EfficientNetLite2()
    for net, picture in ((color_net, rgb), (gray_net, gray)):
        load_imagenet(net, tmp_path / "net.pt")
        with torch.no_grad():
            found, described = net.recognize(picture)
            deepest, features = reference_lite2(state, picture.expand(-1, 3, -1, -1))
        assert (found[-1] - deepest).norm() < 1e-3 * deepest.norm()
        assert (described - features).norm() < 1e-3 * features.norm()
        assert [f.shape[-1] for f in found] == [32, 16, 8, 4, 2]
        assert tuple(f.shape[1] for f in found) == net.channels


def test_generators_of_before_had_mobilenet():
    assert GeneratorConfig().encoder == "mobilenet_v2"
    assert isinstance(make(FLAGSHIP).encoder, MobileNetV2)
    assert isinstance(make(WIDE).encoder, EfficientNetLite2)


def test_weights_of_another_encoder_are_refused(tmp_path):
    torch.save(random_state(torch.Generator().manual_seed(1)), tmp_path / "net.pt")
    with pytest.raises(ModelError, match="EfficientNetLite2"):
        load_imagenet(build_encoder("efficientnet_lite2"), tmp_path / "net.pt")


def test_foreign_encoder_weights_are_refused(tmp_path):
    torch.save({"conv0.weight": torch.zeros(8, 3, 3, 3)}, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=r"conv0\.bias"):
        load_imagenet(MobileNetV2(), tmp_path / "net.pt")
    with pytest.raises(ModelError, match="cannot be read"):
        load_imagenet(MobileNetV2(), tmp_path / "missing.pt")
