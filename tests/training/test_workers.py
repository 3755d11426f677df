"""Two workers with half a batch each must learn what one with the whole batch learns."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor

from colorize_core.training.losses import distribution_loss, recognition_loss
from colorize_core.training.perceptual import PerceptualLoss


def _losses(part: slice, weights: Path) -> tuple[Tensor, Tensor]:
    """Every loss that is not a mean over pixels, and the gradient of their sum."""
    torch.manual_seed(1)
    L, ab, truth = (torch.rand(4, n, 64, 64) * 0.4 - 0.2 for n in (1, 2, 2))
    gain = torch.ones(2, 1, 1, requires_grad=True)
    L, ab, truth = L[part], ab[part] * gain, truth[part]
    losses = torch.stack(
        [
            distribution_loss(ab, truth, 1.0),
            recognition_loss([ab], [truth + L]),
            *PerceptualLoss(weights)(L, ab, truth),
        ]
    )
    losses.sum().backward()
    return losses.detach(), gain.grad


def _worker(rank: int, folder: Path, weights: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    losses, gradient = _losses(slice(2 * rank, 2 * rank + 2), weights)
    for x in (losses, gradient):  # as DistributedDataParallel does with gradients
        dist.all_reduce(x)
    torch.save((losses / 2, gradient / 2), folder / f"{rank}.pt")
    dist.destroy_process_group()


def test_two_halves_of_a_batch_teach_what_the_whole_one_teaches(tmp_path, mobilenet):
    whole, gradient = _losses(slice(None), mobilenet)
    mp.spawn(_worker, (tmp_path, mobilenet), nprocs=2)
    for rank in range(2):
        losses, halves = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        torch.testing.assert_close(losses, whole, rtol=1e-4, atol=1e-6)
        torch.testing.assert_close(halves, gradient, rtol=1e-4, atol=1e-6)
