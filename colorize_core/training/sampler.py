"""Which photos each step sees: a pure function of seed, step and rank, so resuming is exact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from colorize_core.config import GroupWeight, StageConfig
from colorize_core.errors import ConfigError
from colorize_core.training.data import PhotoCache
from colorize_core.training.schedule import Schedule

PhotoIndex = tuple[int, int]  # stored side, index
_SHUFFLE, _DRAW = 1, 2  # salts of the seed


@dataclass(frozen=True)
class StageSampler:
    """The photos of one stage, grouped for weighted drawing."""

    picks: npt.NDArray[np.int64]  # [N,2] of PhotoIndex
    starts: npt.NDArray[np.int64]  # of each weighted group in `picks`
    sizes: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64] | None  # None: every photo once per pass

    def draw(self, rng_seed: tuple[int, ...], step: int, batch: int) -> npt.NDArray[np.int64]:
        """The photos of one step, [batch,2]."""
        if self.weights is None:
            positions = np.arange(step * batch, (step + 1) * batch)
            total = len(self.picks)
            return np.stack([self._pass(rng_seed, int(p // total))[p % total] for p in positions])
        rng = np.random.default_rng((*rng_seed, _DRAW, step))
        group = rng.choice(len(self.sizes), size=batch, p=self.weights)
        offset = (rng.random(batch) * self.sizes[group]).astype(np.int64)
        drawn: npt.NDArray[np.int64] = self.picks[self.starts[group] + offset]
        return drawn

    def _pass(self, rng_seed: tuple[int, ...], number: int) -> npt.NDArray[np.int64]:
        cached = getattr(self, "_order", None)
        if cached is None or cached[0] != (rng_seed, number):
            rng = np.random.default_rng((*rng_seed, _SHUFFLE, number))
            cached = ((rng_seed, number), self.picks[rng.permutation(len(self.picks))])
            object.__setattr__(self, "_order", cached)
        order: npt.NDArray[np.int64] = cached[1]
        return order


def hold_out(cache: PhotoCache, count: int, seed: int) -> list[PhotoIndex]:
    """Large photos that training never sees, by a seeded draw."""
    side = max(cache.arrays)
    total = len(cache.groups[side])
    order = np.random.default_rng((seed, 0)).permutation(total)
    return [(side, int(i)) for i in order[: min(count, total // 4)]]


def stage_sampler(
    cache: PhotoCache, stage: StageConfig, held_out: list[PhotoIndex]
) -> StageSampler:
    """Collect the photos that `stage` draws from.

    Raises:
        ConfigError: a named group does not exist, or nothing is left to draw from.
    """
    excluded = set(held_out)
    everything = [
        (name, side, i)
        for side, names in cache.groups.items()
        if side >= stage.min_source
        for i, name in enumerate(names)
        if (side, i) not in excluded
    ]
    wanted = stage.groups or (GroupWeight("", 1.0),)
    picks: list[PhotoIndex] = []
    starts, sizes = [], []
    for group in wanted:
        found = [(s, i) for name, s, i in everything if not stage.groups or name == group.name]
        if not found:
            raise ConfigError(
                f"stage {stage.name}: no photos in group {group.name!r}",
                remedy=f"groups here: {', '.join(sorted({e[0] or '(none)' for e in everything}))}",
            )
        starts.append(len(picks))
        sizes.append(len(found))
        picks.extend(found)
    weights = None
    if stage.groups:
        weights = np.array([g.weight for g in wanted])
        weights = weights / weights.sum()
    return StageSampler(np.array(picks), np.array(starts), np.array(sizes), weights)


class StepData(IterableDataset[dict[str, Any]]):
    """Batches of uint8 photos for steps `first`.. end; one item per step, already batched.

    Each item: {"step": int, "parts": [uint8 [n,side,side,3], ...]}; with `on_device`, "parts" holds
    (side, indices) pairs instead, to be gathered where the cache lies.
    """

    def __init__(
        self,
        cache: PhotoCache,
        schedule: Schedule,
        samplers: list[StageSampler],
        *,
        seed: int,
        first: int,
        rank: int,
        world: int,
        on_device: bool,
    ) -> None:
        super().__init__()
        self.cache, self.schedule, self.samplers = cache, schedule, samplers
        self.seed, self.first = seed, first
        self.rank, self.world, self.on_device = rank, world, on_device

    def __len__(self) -> int:
        return self.schedule.total_steps - self.first

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = torch.utils.data.get_worker_info()
        start, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in range(self.first + start, self.schedule.total_steps, stride):
            yield self._item(step)

    def _item(self, step: int) -> dict[str, Any]:
        at = self.schedule.at(step)
        batch = self.schedule.config.stages[at.stage].batch
        drawn = self.samplers[at.stage].draw((self.seed, at.stage), at.step, batch)
        mine = drawn[self.rank :: self.world]
        parts: list[Any] = []
        for side in sorted(set(mine[:, 0].tolist())):
            indices = np.sort(mine[mine[:, 0] == side, 1])
            parts.append(
                (side, torch.from_numpy(indices))
                if self.on_device
                else torch.from_numpy(np.ascontiguousarray(self.cache.arrays[side][indices]))
            )
        return {"step": step, "parts": parts}


def read_photos(cache: PhotoCache, picks: list[PhotoIndex]) -> Tensor:
    """The photos `picks` (of one stored side) as uint8 [N,side,side,3]."""
    return torch.from_numpy(np.stack([cache.arrays[side][i] for side, i in picks]))
