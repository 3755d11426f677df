"""MobileNetV2 weights for tests."""

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


def averaged(weight: torch.Tensor) -> torch.Tensor:
    """Each row and column of the 4x4 kernels, whose first is empty, is the mean of two."""
    return F.avg_pool2d(F.pad(weight, (0, 1, 0, 1)), 2, stride=1)
