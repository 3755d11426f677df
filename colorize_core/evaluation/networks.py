"""The pretrained networks by which pictures are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from colorize_core.config import EvaluateConfig, NetworkFile
from colorize_core.metrics.features import Inception, SqueezeNet
from colorize_core.metrics.networks import fetch_network
from colorize_core.metrics.perceptual import Lpips


@dataclass
class Networks:
    """Pretrained networks of the user, and their sha256 by setting."""

    squeezenet: SqueezeNet | None = None
    inception: Inception | None = None
    lpips: Lpips | None = None
    sha256: dict[str, str] = field(default_factory=dict)


def load_networks(config: EvaluateConfig, device: torch.device) -> Networks:
    """Load the networks that the configuration names.

    Raises:
        ModelError: a file is not there, is not what its sha256 says, or is another network.
    """
    networks = Networks()

    def path_of(setting: str, file: NetworkFile) -> Path:
        path, networks.sha256[setting] = fetch_network(file.file, file.sha256)
        return path

    if config.squeezenet.file:
        networks.squeezenet = SqueezeNet(path_of("squeezenet", config.squeezenet), device)
    if config.inception.file:
        networks.inception = Inception(path_of("inception", config.inception), device)
    if config.lpips.file:
        networks.lpips = Lpips(config.lpips_net, path_of("lpips", config.lpips), device)
    return networks
