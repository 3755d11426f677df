"""Losses of generator and critic. ab is ab/110 throughout; every loss is a mean over the batch."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_core.color.lab import rgb_to_lab
from colorize_core.config import LossConfig
from colorize_core.model.scale import ab_to_net
from colorize_core.training.data import PhotoCache
from colorize_core.training.degrade import RandomStream
from colorize_core.training.workers import mean_over_workers, rows_of_workers

BINS = 22  # per axis, each 10 Lab units wide
_CLIP = (0.3, 5.0)  # limits of the rebalancing weights
_UNIFORM_SHARE = 0.5  # lambda of Zhang et al. 2016, section 2.2
_SAMPLED_PHOTOS = 600
_DIRECTIONS = 8  # of the projections of the ab plane
_COARSER = 8  # chroma is smooth: every eighth pixel's neighborhood says enough


def color_loss(predicted: Tensor, target: Tensor, weights: Tensor, config: LossConfig) -> Tensor:
    """Weighted L1 (or smooth-L1) of ab [B,2,H,W]; `weights` [BINS,BINS] come from `bin_weights`."""
    wanted = (target * config.saturation).clamp(-1, 1)
    distance = color_distance(predicted, wanted, config.smooth_beta)
    if config.chroma_weight > 0:
        distance = distance * (1 + config.chroma_weight * target.norm(dim=1))
    if config.rebalance > 0:
        rare = weights[tuple(_bin(target).unbind(1))]
        distance = distance * (1 - config.rebalance + config.rebalance * rare)
    return distance.mean()


def color_distance(predicted: Tensor, wanted: Tensor, smooth_beta: float) -> Tensor:
    """L1 of ab [B,2,H,W] per pixel, or smooth-L1 of this width: [B,H,W]."""
    if smooth_beta > 0:
        distance = F.smooth_l1_loss(predicted, wanted, reduction="none", beta=smooth_beta)
    else:
        distance = (predicted - wanted).abs()
    return distance.mean(1)


def _bin(ab: Tensor) -> Tensor:
    return ((ab + 1) * (BINS / 2)).long().clamp(0, BINS - 1)


def distribution_loss(predicted: Tensor, target: Tensor, saturation: float) -> Tensor:
    """How far the batch's colors as a whole are from the truth's, wherever they stand.

    Sliced Wasserstein distance (Rabin et al. 2011) of the ab planes. Losses per pixel draw unknown
    things to the average color of all photos, a yellowish brown; this one asks for as much neutral
    gray, blue and red as there is.

    Args:
        predicted: [B,2,H,W], ab/110.
        target: the same; times `saturation` it is what is wanted.
        saturation: see `LossConfig`.
    """
    angles = torch.arange(_DIRECTIONS, device=predicted.device) * (math.pi / _DIRECTIONS)
    directions = torch.stack([angles.cos(), angles.sin()])

    def sorted_projections(ab: Tensor) -> Tensor:
        colors = F.avg_pool2d(ab, _COARSER).permute(0, 2, 3, 1).flatten(0, 2)
        return rows_of_workers(colors @ directions).sort(0).values

    wanted = (target * saturation).clamp(-1, 1)
    return (sorted_projections(predicted) - sorted_projections(wanted)).abs().mean()


def recognition_loss(found: list[Tensor], wanted: list[Tensor]) -> Tensor:
    """Mean squared distance of features, each over the variance of what is wanted: 1 knows nothing.

    The tensors are [B,...]. A pretrained encoder's deepest ReLUs die within a few hundred steps
    while the decoder does not need them yet, and no color loss brings them back; this one holds
    them, and teaches them to recognize in gray what ImageNet's network recognizes in color.
    """
    return torch.stack(
        [F.mse_loss(f, w) / _variance(w) for f, w in zip(found, wanted, strict=True)]
    ).mean()


def _variance(x: Tensor) -> Tensor:
    mean = mean_over_workers(x.mean())
    return mean_over_workers((x - mean).square().mean()).clamp_min(1e-6)


def bin_weights(cache: PhotoCache) -> Tensor:
    """Inverse frequency of the ab bins, mean 1 over pixels (Zhang et al. 2016, section 2.2)."""
    counts = torch.zeros(BINS, BINS)
    side = max(cache.arrays)
    photos = cache.arrays[side]
    for i in np.linspace(0, len(photos) - 1, min(_SAMPLED_PHOTOS, len(photos))).astype(int):
        rgb = torch.from_numpy(np.ascontiguousarray(photos[i, ::4, ::4])).permute(2, 0, 1)[None]
        bins = _bin(ab_to_net(rgb_to_lab(rgb.float() / 255)[:, 1:]))[0]
        counts.index_put_((bins[0].flatten(), bins[1].flatten()), torch.ones(1), accumulate=True)
    share = counts / counts.sum()
    smooth = F.avg_pool2d(share[None, None], 3, 1, 1)[0, 0]
    occupied = (smooth > 0).float()
    mixed = (1 - _UNIFORM_SHARE) * smooth + _UNIFORM_SHARE * occupied / occupied.sum()
    weights = torch.where(mixed > 0, 1 / mixed.clamp_min(1e-9), 0.0)
    weights = weights / (weights * share).sum()
    return weights.clamp(*_CLIP)


def critic_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Wasserstein loss of the critic (Arjovsky et al. 2017)."""
    return fake.mean() - real.mean()


def gradient_penalty(
    critic: nn.Module, L: Tensor, real: Tensor, fake: Tensor, stream: RandomStream
) -> Tensor:
    """Gulrajani et al. 2017, equation 3, on ab with L given; always in float32."""
    with torch.autocast(L.device.type, enabled=False):
        mix = stream.uniform(len(real), 1, 1, 1)
        between = (mix * real.float() + (1 - mix) * fake.float()).requires_grad_(True)
        scores = critic(L.float(), between).mean((1, 2, 3)).sum()
        (gradient,) = torch.autograd.grad(scores, between, create_graph=True)
        penalty: Tensor = ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()
        return penalty
