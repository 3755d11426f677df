"""Losses of the batch as a whole, where each worker holds a part of it.

DistributedDataParallel averages the workers' gradients: right for means over pixels, wrong for what
is not linear in the batch. Both functions give every worker the value for the whole batch and
a gradient through its own part, scaled so that the average is the whole batch's gradient.
Without a process group they return what they are given.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor


def mean_over_workers(x: Tensor) -> Tensor:
    """The mean of every worker's x; the parts of the batch are of one size."""
    if not dist.is_initialized():
        return x
    total = x.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size() + (x - x.detach())


def rows_of_workers(x: Tensor) -> Tensor:
    """[n,...] of every worker, one after another: [workers * n,...]."""
    if not dist.is_initialized():
        return x
    world = dist.get_world_size()
    parts = [torch.empty_like(x) for _ in range(world)]
    dist.all_gather(parts, x.detach().contiguous())
    parts[dist.get_rank()] = x * world - x.detach() * (world - 1)
    return torch.cat(parts)
