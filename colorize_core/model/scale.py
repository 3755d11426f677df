"""The scale of Lab at the network's border: L in [0,100], ab in about [-110,110], to [-1,1]."""

from __future__ import annotations

from typing import Final

from torch import Tensor

AB_SCALE: Final = 110.0
_L_HALF: Final = 50.0


def L_to_net(L: Tensor) -> Tensor:
    """Convert L in [0,100] to the network's [-1,1]."""
    return L / _L_HALF - 1.0


def net_to_L(t: Tensor) -> Tensor:
    """Convert the network's [-1,1] to L in [0,100]."""
    return (t + 1.0) * _L_HALF


def ab_to_net(ab: Tensor) -> Tensor:
    """Convert Lab's ab to the network's scale: 110 becomes 1."""
    return ab / AB_SCALE


def net_to_ab(t: Tensor) -> Tensor:
    """Convert the network's [-1,1] to Lab's ab in [-110,110]."""
    return t * AB_SCALE
