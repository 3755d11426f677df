"""Strides that look at every pixel, so that a film does not flicker where the picture moves."""

from __future__ import annotations

import copy
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.errors import ModelError
from colorize_core.model.encoder import Encoder, InvertedResidual, SameConv

_RIDGE = 1e-4  # of each input's own energy: two inputs that say the same must not cancel


@torch.no_grad()
def soften_strides(encoder: Encoder, L: Tensor, which: Collection[int]) -> None:
    """Average strided kernels over their four places, and make up for it behind them.

    A stride that looks at every other pixel gives another answer when the picture moves by one.
    The mean over both places is the cure of Zhang 2019 ("Making convolutional networks
    shift-invariant again") inside a kernel that is there anyway, and it centers what "SAME" padding
    puts half a pixel aside. Alone it costs a pretrained encoder most of what it tells. So the
    projection behind each averaged kernel is fitted again, by ridge regression on pictures, to what
    its block said before (decision 0008).

    Args:
        encoder: changed in place.
        L: [B,1,H,W] some hundred gray pictures in [-1,1].
        which: strided layers to average, from 0 (the stem) to 4 (at 1/32).

    Raises:
        ModelError: see `check_sharp`; nothing has been changed.
    """
    averaged = check_sharp(encoder, which)
    original = copy.deepcopy(encoder)
    if encoder.stem in averaged:
        _average(encoder.stem)
    ours, theirs = (F.relu6(net.stem(L)) for net in (encoder, original))
    for block, known in zip(encoder.blocks, original.blocks, strict=True):
        assert isinstance(block, InvertedResidual)
        theirs = known(theirs)
        if block.depthwise in averaged:
            _average(block.depthwise)
            _refit(block, ours, theirs)
        ours = block(ours)


def check_sharp(encoder: Encoder, which: Collection[int]) -> list[SameConv]:
    """The strided layers `which` of `soften_strides`.

    Raises:
        ModelError: one of them has no empty row and column anymore: averaged before, or trained.
    """
    strided = [m for m in encoder.modules() if isinstance(m, SameConv) and m.stride == (2, 2)]
    found = [strided[i] for i in which]
    if any(layer.weight[..., 0, :].any() or layer.weight[..., 0].any() for layer in found):
        raise ModelError(
            "a strided kernel to average has been averaged or trained before",
            remedy="leave it out of soften_strides",
        )
    return found


def _average(layer: SameConv) -> None:
    moved = layer.weight
    for dim in (2, 3):
        moved = (moved + moved.roll(-1, dim)) / 2
    layer.weight.copy_(moved)


def _refit(block: InvertedResidual, x: Tensor, wanted: Tensor) -> None:
    """Make `block` of x what is wanted, as far as its projection can."""
    inputs = block.hidden(x).permute(0, 2, 3, 1).flatten(0, 2).double()
    inputs = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
    outputs = wanted.permute(0, 2, 3, 1).flatten(0, 2).double()
    gram = inputs.T @ inputs
    # A dead input has no energy, and must keep the system solvable.
    energy = gram.diagonal().clamp_min(1e-6 * len(inputs))
    solution = torch.linalg.solve(gram + _RIDGE * energy.diag(), inputs.T @ outputs)
    block.project.weight.copy_(solution[:-1].T[..., None, None])
    assert block.project.bias is not None
    block.project.bias.copy_(solution[-1])
