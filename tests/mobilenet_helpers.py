"""Weights of encoders for tests."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from colorize_core.model.encoder import GROUPS


def random_state(generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Random weights, in the file's format, whose features differ from photo to photo."""
    state, i, width = {}, 0, 32

    def put(out: int, inputs: int, kernel: int) -> None:
        nonlocal i
        scale = (2 / (inputs * kernel * kernel)) ** 0.5
        state[f"conv{i}.weight"] = (
            torch.randn(out, inputs, kernel, kernel, generator=generator) * scale
        )
        state[f"conv{i}.bias"] = torch.randn(out, generator=generator) * 0.1
        i += 1

    put(32, 3, 3)
    for expansion, channels, repeats, _ in GROUPS:
        for _ in range(repeats):
            hidden = width * expansion
            if expansion > 1:
                put(hidden, width, 1)
            put(hidden, 1, 3)
            put(channels, hidden, 1)
            width = channels
    put(1280, width, 1)
    return state


# Kernel, expansion, channels, repeats, stride of EfficientNet-Lite2 as its authors list them.
LITE2 = (
    (3, 1, 16, 1, 1), (3, 6, 24, 3, 2), (5, 6, 48, 3, 2), (3, 6, 88, 4, 2),
    (5, 6, 120, 4, 1), (5, 6, 208, 5, 2), (3, 6, 352, 1, 1),
)  # fmt: skip


def random_lite2_state(generator: torch.Generator) -> dict[str, torch.Tensor]:
    """Random weights under the published names, batch normalization unfolded."""
    state: dict[str, torch.Tensor] = {}

    def put(name: str, norm: str, out: int, inputs: int, kernel: int) -> None:
        scale = (2 / (inputs * kernel * kernel)) ** 0.5
        weight = torch.randn(out, inputs, kernel, kernel, generator=generator) * scale
        state[f"{name}.weight"] = weight.half()
        state[f"{norm}.weight"] = torch.rand(out, generator=generator) + 0.5
        state[f"{norm}.bias"] = torch.randn(out, generator=generator) * 0.1
        state[f"{norm}.running_mean"] = torch.randn(out, generator=generator) * 0.1
        state[f"{norm}.running_var"] = torch.rand(out, generator=generator) + 0.5

    put("_conv_stem", "_bn0", 32, 3, 3)
    i, width = 0, 32
    for kernel, expansion, channels, repeats, _ in LITE2:
        for _ in range(repeats):
            hidden, at = width * expansion, f"_blocks.{i}."
            if expansion > 1:
                put(at + "_expand_conv", at + "_bn0", hidden, width, 1)
            put(at + "_depthwise_conv", at + "_bn1", hidden, 1, kernel)
            put(at + "_project_conv", at + "_bn2", channels, hidden, 1)
            i, width = i + 1, channels
    put("_conv_head", "_bn1", 1280, width, 1)
    return state


def averaged(weight: torch.Tensor) -> torch.Tensor:
    """Each row and column of the 4x4 kernels, whose first is empty, is the mean of two."""
    return F.avg_pool2d(F.pad(weight, (0, 1, 0, 1)), 2, stride=1)
