"""One pass of a generator over pictures: their color, and what its encoder recognizes in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from colorize_core.errors import InputError
from colorize_core.model.generator import FlagshipUNet
from colorize_core.model.scale import L_to_net, net_to_ab

# Of the encoder's pyramid, what frames are compared by: 1/8 and 1/16.
COMPARED: Final = (2, 3)


@dataclass(frozen=True)
class Recognized:
    """What the generator says of n pictures, and what its encoder recognized in the same pass.

    Attributes:
        ab: (n, 2, S, T) float32 on the CPU.
        levels: features (n, C, s, t) at 1/8 and 1/16, likewise.
    """

    ab: Tensor
    levels: tuple[Tensor, ...]

    def chunk(self, count: int) -> list[Recognized]:
        """In `count` equal parts."""
        parts = zip(self.ab.chunk(count), *(x.chunk(count) for x in self.levels), strict=True)
        return [Recognized(ab, tuple(levels)) for ab, *levels in parts]


def in_chunks(
    L: Tensor,
    hints: Tensor | None,
    levels: Sequence[int],
    is_bf16: bool,
    module: torch.nn.Module,
    device: torch.device,
    size: int,
) -> list[Tensor]:
    """The ab of pictures, and these levels of what is recognized in them, `size` at a time.

    The last ones are filled up: kernels may round differently for other sizes.
    """
    parts = []
    for start in range(0, L.shape[0], size):
        chunk = _pad_batch(L[start : start + size], size)
        clues = None if hints is None else _pad_batch(hints[start : start + size], size)
        parts.append(forward(chunk, clues, levels, is_bf16, module, device))
    return [torch.cat(x)[: L.shape[0]] for x in zip(*parts, strict=True)]


@torch.inference_mode()
def forward(
    L: Tensor,
    hints: Tensor | None,
    levels: Sequence[int],
    is_bf16: bool,
    module: torch.nn.Module,
    device: torch.device,
) -> list[Tensor]:
    """One batch.

    Raises:
        InputError: the generator gave values that are not numbers.
    """
    L = L_to_net(L).to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)
    clues = None if hints is None else hints.to(device)
    pyramid: list[Tensor] = []
    with torch.autocast(device.type, torch.bfloat16, enabled=is_bf16):
        if levels:
            assert isinstance(module, FlagshipUNet)
            pyramid, described = module.encoder.recognize(L)
            ab = module.color(pyramid, described, clues)
        else:
            ab = module(L, clues)
    ab = net_to_ab(ab.float()).cpu()
    if not torch.isfinite(ab).all():
        raise InputError(
            "the generator gave values that are not numbers",
            remedy="use precision fp32, or other weights",
        )
    return [ab, *(pyramid[level].float().cpu() for level in levels)]


@torch.inference_mode()
def recognized(L: Tensor, module: torch.nn.Module, device: torch.device, size: int) -> list[Tensor]:
    """What is recognized in pictures, all levels of the pyramid, `size` at a time."""
    assert isinstance(module, FlagshipUNet)
    parts = [
        [level.float().cpu() for level in module.encoder.pyramid(L_to_net(chunk).to(device))]
        for chunk in torch.split(L, size)
    ]
    return [torch.cat(levels) for levels in zip(*parts, strict=True)]


def _pad_batch(x: Tensor, size: int) -> Tensor:
    missing = size - x.shape[0]
    return x if missing <= 0 else torch.cat([x, x[-1:].expand(missing, -1, -1, -1)])
