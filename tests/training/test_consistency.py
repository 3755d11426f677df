from __future__ import annotations

import torch
from torch import Tensor, nn

from colorize_core.training.consistency import teacher_target
from colorize_core.training.degrade import RandomStream

CPU = torch.device("cpu")
SIZE, BETA = 96, 1.0


class Copying(nn.Module):
    """Colors each place by its own L."""

    def forward(self, L: Tensor, hints: Tensor | None) -> Tensor:
        return torch.cat([L, -L], 1)


class Leftward(nn.Module):
    """One answer, whatever the picture."""

    ab = torch.linspace(-1, 1, SIZE).expand(2, 2, SIZE, SIZE)

    def forward(self, L: Tensor, hints: Tensor | None) -> Tensor:
        return self.ab


def test_the_same_places_are_compared():
    L = torch.rand(2, 1, SIZE, SIZE)
    for seed in range(5):
        answer = teacher_target([Copying()], L, None, RandomStream(seed, CPU))
        assert answer.distance(Copying()(L, None), BETA) == 0
        assert answer.distance(Copying()(L.flip(-1), None), BETA) > 0.05


def test_mirror_images_are_looked_at_too():
    L = torch.zeros(2, 1, SIZE, SIZE)
    found = [
        float(
            teacher_target([Leftward()], L, None, RandomStream(seed, CPU)).distance(
                Leftward.ab, BETA
            )
        )
        for seed in range(20)
    ]
    assert min(found) < 0.1
    assert max(found) > 0.4
