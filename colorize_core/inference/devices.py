"""Where a generator runs, and in which precision it computes best there."""

from __future__ import annotations

from typing import Literal

import torch

from colorize_core.errors import ConfigError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "fp32", "bf16"]


def resolve_device(device: Device) -> torch.device:
    """The torch device for a setting.

    Raises:
        ConfigError: "cuda" without a CUDA device, "mps" without Apple's GPU.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda: torch sees no CUDA device", remedy="use --device cpu")
    if device == "mps" and not torch.backends.mps.is_available():
        raise ConfigError("device mps: torch sees no Apple GPU", remedy="use --device cpu")
    return torch.device(device)


def has_bf16(device: torch.device) -> bool:
    """Whether the device computes bf16 itself; one that does not takes longer than with fp32."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))
    return False


def best_precision(device: torch.device) -> Literal["fp32", "bf16"]:
    """What `auto` means on one device."""
    return "bf16" if has_bf16(device) else "fp32"
