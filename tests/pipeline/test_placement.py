"""How many workers share a GPU, on machines that are only described here."""

from __future__ import annotations

import pytest

from colorize_core.config import RunOptions
from colorize_core.errors import ColorizeError
from colorize_core.pipeline.placement import Node, place

GB = 10**9


def machine(cpus: int, gpus: int = 0, *, memory: float = 256, gpu: float = 0) -> Node:
    return Node(cpus, gpus, memory * GB, int(gpu * GB))


@pytest.mark.parametrize(
    ("nodes", "workers", "per_gpu"),
    [
        ([machine(2, 1, memory=12, gpu=15)], 2, 2),  # a notebook with a T4
        ([machine(8, 1, gpu=24)], 8, 8),  # an L4
        ([machine(16, 1, gpu=141)], 16, 16),
        ([machine(16, 1, gpu=8)], 5, 5),  # the GPU's memory ends first
        ([machine(16, 1, memory=6, gpu=24)], 4, 16),  # the machine's memory ends first
        ([machine(16, 1)], 16, 16),  # nobody knows how much memory the GPU has
        ([machine(96, 8, gpu=80)], 96, 12),
        ([machine(2, 4, gpu=80)], 2, 1),  # fewer cores than GPUs
        ([machine(16, 1, gpu=24), machine(8, 1, gpu=24), machine(64)], 24, 16),
        ([machine(16, 1, gpu=80), machine(16, 1, gpu=8)], 10, 5),  # the smaller GPU limits all
        ([machine(4, memory=64)], 4, 0),
        ([machine(4, memory=1)], 1, 0),
    ],
)
def test_workers_follow_cores_and_memory(nodes, workers, per_gpu):
    placement = place(nodes, RunOptions())
    assert (placement.workers, placement.per_gpu) == (workers, per_gpu)
    assert placement.gpu_share * per_gpu <= 1


@pytest.mark.parametrize(
    ("options", "workers", "per_gpu"),
    [
        (RunOptions(workers=3), 3, 2),  # over both GPUs, not three on the first
        (RunOptions(workers_per_gpu=3), 6, 3),
        (RunOptions(workers=5, workers_per_gpu=4), 5, 4),
        (RunOptions(device="cpu"), 32, 0),
        (RunOptions(device="mps"), 32, 0),
    ],
)
def test_the_user_has_the_last_word(options, workers, per_gpu):
    placement = place([machine(32, 2, gpu=80)], options)
    assert (placement.workers, placement.per_gpu) == (workers, per_gpu)


def test_a_gpu_that_is_not_there_is_said():
    with pytest.raises(ColorizeError, match="no GPU"):
        place([machine(8)], RunOptions(device="cuda"))


@pytest.mark.parametrize("per_gpu", [1, 3, 7, 12, 16])
def test_so_many_shares_fit_on_a_gpu_and_no_more(per_gpu):
    share = place([machine(per_gpu, 1)], RunOptions()).gpu_share
    assert per_gpu * share <= 1 < (per_gpu + 1) * share
