"""A trained decoder on another encoder."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from msgspec.structs import replace
from torch import Tensor, nn

from colorize_core.config import GeneratorConfig
from colorize_core.errors import ModelError
from colorize_core.model.generator import FlagshipUNet

_RIDGE = 3e-2  # of the inputs' mean energy: two that say the same must not cancel
_BATCH = 32
_PLACES = 8  # along each side, of a level that is larger
_LEVELS = ("skip2", "skip4", "skip8", "skip16", "enter")  # what reads each level of the pyramid


def fits_but_for_encoder(source: GeneratorConfig, target: GeneratorConfig) -> bool:
    """Whether `transplant` can make one from the other."""
    return (
        source.architecture == "flagship"
        and source.encoder != target.encoder
        and replace(source, encoder=target.encoder) == target
    )


@torch.no_grad()
def transplant(source: FlagshipUNet, target: FlagshipUNet, L: Tensor) -> dict[str, float]:
    """Give `target` the decoder of `source`, and fit what reads its own encoder to it.

    The encoder of `target` stays as it is. The layers between it and the decoder are fitted by
    ridge regression to what those of `source` say of the same pictures, so that training starts
    from a generator that colors, and not from noise (decision 0008).

    Args:
        source: a trained generator.
        target: one with the same decoder and a pretrained encoder; changed in place.
        L: [B,1,H,W] in [-1,1], a thousand gray pictures or more.

    Returns:
        For each fitted layer the share of variance that it explains.

    Raises:
        ModelError: the decoders differ.
    """
    state = {
        name: value
        for name, value in source.state_dict().items()
        if not name.startswith("encoder.") and name.split(".")[0] not in (*_LEVELS, "context")
    }
    wanted = {name: value.shape for name, value in target.state_dict().items() if name in state}
    if wanted != {name: value.shape for name, value in state.items()}:
        raise ModelError(
            "the decoder to transplant is of another size", remedy="use the same decoder_channels"
        )
    fits = {name: _Fit(target.get_submodule(name)) for name in (*_LEVELS, "context")}
    for pictures in torch.split(L, _BATCH):
        ours, known = target.encoder.recognize(pictures)
        theirs, described = source.encoder.recognize(pictures)
        for name, x, y in zip(_LEVELS, ours, theirs, strict=True):
            fits[name].see(x, source.get_submodule(name)(y))
        fits["context"].see(known[..., None, None], source.context(described)[..., None, None])
    target.load_state_dict({**target.state_dict(), **state})
    return {name: fit.solve() for name, fit in fits.items()}


class _Fit:
    """The layer that comes nearest to outputs [B,C,h,w] from inputs [B,K,h,w], place by place."""

    def __init__(self, layer: nn.Module) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        self.layer = layer
        inputs, outputs = layer.weight.flatten(1).shape[1], len(layer.weight)
        self.gram = torch.zeros(inputs + 1, inputs + 1, dtype=torch.float64)
        self.cross = torch.zeros(inputs + 1, outputs, dtype=torch.float64)
        self.squares = torch.zeros(outputs, dtype=torch.float64)

    def see(self, inputs: Tensor, outputs: Tensor) -> None:
        step = max(1, inputs.shape[-1] // _PLACES)
        x, y = (
            t[..., ::step, ::step].permute(0, 2, 3, 1).flatten(0, 2).double()
            for t in (inputs, outputs)
        )
        x = F.pad(x, (0, 1), value=1.0)
        self.gram += x.T @ x
        self.cross += x.T @ y
        self.squares += y.square().sum(0)

    def solve(self) -> float:
        count = self.gram[-1, -1]
        # Centered, so that the bias is free.
        mean_x, mean_y = self.gram[-1, :-1] / count, self.cross[-1] / count
        gram = self.gram[:-1, :-1] - count * mean_x.outer(mean_x)
        cross = self.cross[:-1] - count * mean_x.outer(mean_y)
        ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=torch.float64)
        weight = torch.linalg.solve(gram + ridge, cross)
        self.layer.weight.copy_(weight.T.reshape(self.layer.weight.shape))
        assert self.layer.bias is not None
        self.layer.bias.copy_(mean_y - mean_x @ weight)
        variance = (self.squares - count * mean_y.square()).sum()
        rest = variance - 2 * (weight * cross).sum() + (weight * (gram @ weight)).sum()
        return float(1 - rest / variance)
