"""Simulated color hints, after Zhang et al. 2017 (Real-Time User-Guided Image Colorization)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.training.degrade import RandomStream

_PATCHES = (1, 3, 5, 7, 9)
_MOST_POINTS = 40


def simulate_hints(ab: Tensor, stream: RandomStream) -> Tensor:
    """Reveal the true color of some points and patches: ab/110 [B,2,H,W] -> hints [B,3,H,W].

    Each picture gets 1 to 40 points (log-uniform), each the mean ab of a square around it, written
    on a square of the same or another side.
    """
    count, _, height, width = ab.shape
    seen = _PATCHES[int(stream.number(1, len(_PATCHES)))]
    written = _PATCHES[int(stream.number(0, len(_PATCHES)))]
    means = F.avg_pool2d(ab, seen, 1, seen // 2, count_include_pad=False)
    points = torch.exp(stream.uniform(count, 1, low=0.0, high=math.log(_MOST_POINTS)))
    rank = torch.arange(_MOST_POINTS, device=ab.device)[None]
    shown = (rank < points).to(ab.dtype)
    where = (stream.uniform(count, _MOST_POINTS) * height * width).long()
    mask = torch.zeros(count, height * width, device=ab.device, dtype=ab.dtype)
    mask = mask.scatter_reduce(1, where, shown, "amax").view(count, 1, height, width)
    near = F.avg_pool2d(mask, written, 1, written // 2)
    color = F.avg_pool2d(means * mask, written, 1, written // 2) / near.clamp_min(1e-6)
    known = (near > 0).to(ab.dtype)
    return torch.cat([color * known, known], 1)
