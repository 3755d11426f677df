"""Distances between sets of pictures, from features that a network gave for each."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

_DIRECTIONS: Final = 64
_KID_SUBSETS: Final = 100
_KID_SUBSET_SIZE: Final = 1000
_IS_SPLITS: Final = 10


class _AsGiven(nn.Module):
    """Stands where torchmetrics expects a network: features were computed once, beforehand."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def fid(output: Tensor, truth: Tensor) -> float:
    """Frechet distance of Gaussians fitted to Inception features (Heusel et al. 2017).

    Biased upward for small sets; with fewer than about 5,000 pictures use `kid`.

    Args:
        output: [N,d] features, N >= 2.
        truth: [M,d] features, M >= 2.
    """
    metric = FrechetInceptionDistance(feature=_AsGiven(truth.shape[1]))
    metric.update(truth, real=True)
    metric.update(output, real=False)
    return float(metric.compute())


def kid(output: Tensor, truth: Tensor, *, seed: int) -> tuple[float, float]:
    """Kernel Inception distance (Binkowski et al. 2018): mean and deviation over 100 subsets.

    Args:
        output: [N,d] features, N >= 2.
        truth: [M,d] features, M >= 2.
        seed: of the subsets.
    """
    size = min(_KID_SUBSET_SIZE, len(output), len(truth))
    with _buffering():
        metric = KernelInceptionDistance(
            _AsGiven(truth.shape[1]), subsets=_KID_SUBSETS, subset_size=size
        )
    metric.update(truth, real=True)
    metric.update(output, real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


def inception_score(probabilities: Tensor, *, seed: int) -> tuple[float, float]:
    """Inception score (Salimans et al. 2016): mean and deviation over 10 splits.

    Args:
        probabilities: [N, classes] per picture, N >= 20.
        seed: of the splits.
    """
    with _buffering():
        metric = InceptionScore(_AsGiven(probabilities.shape[1]), splits=_IS_SPLITS)
    # torchmetrics takes logits; the logarithm of a distribution is one set of them.
    metric.update(probabilities.clamp(min=1e-12).log())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


@contextmanager
def _buffering() -> Iterator[None]:
    """Without torchmetrics' warning that features are kept in memory: that is intended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def leading_frechet(output: Tensor, truth: Tensor, *, directions: int = _DIRECTIONS) -> float:
    """Frechet distance within the leading directions of the truth's features.

    For sets too small for a full covariance. Its value depends on the network and on the set: give
    it the network's name, never "FID", and compare with the gray copy's value on the same set.

    Args:
        output: [N,d] features, N >= 2.
        truth: [M,d] features, M >= 2.
        directions: principal directions of `truth` that are kept.
    """
    truth, output = truth.double(), output.double()
    center = truth.mean(0)
    _, _, axes = torch.linalg.svd(truth - center, full_matrices=False)
    axes = axes[:directions].T
    return _frechet((output - center) @ axes, (truth - center) @ axes)


def _frechet(a: Tensor, b: Tensor) -> float:
    cov_a, cov_b = (torch.cov(x.T).reshape(x.shape[1], x.shape[1]) for x in (a, b))
    values, vectors = torch.linalg.eigh(cov_b)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    # trace((A B)^1/2) through a symmetric product, whose eigenvalues are real.
    shared = torch.linalg.eigvalsh(root @ cov_a @ root).clamp(min=0).sqrt().sum()
    apart = (a.mean(0) - b.mean(0)).square().sum()
    return float(apart + cov_a.trace() + cov_b.trace() - 2 * shared)
