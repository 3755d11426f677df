"""Confidence intervals by resampling pictures with replacement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

Statistic = Callable[[Tensor], Tensor]

_AT_ONCE: Final = 50


@dataclass(frozen=True)
class Figure:
    """A value; `low` and `high` bound its 95 % confidence interval, None where there is none."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Bootstrap:
    """Percentile bootstrap (Efron 1979) over pictures. The same draws serve every statistic.

    Attributes:
        pictures: how many there are.
        resamples: how often they are drawn anew.
        seed: of the draws.
    """

    pictures: int
    resamples: int
    seed: int

    def figure(self, statistic: Statistic) -> Figure:
        """Evaluate a statistic on all pictures and on the resamples.

        Args:
            statistic: from picture indices [K, pictures] to values [K].
        """
        value = float(statistic(torch.arange(self.pictures)[None])[0])
        generator = torch.Generator().manual_seed(self.seed)
        drawn = []
        for start in range(0, self.resamples, _AT_ONCE):
            shape = (min(_AT_ONCE, self.resamples - start), self.pictures)
            drawn.append(statistic(torch.randint(self.pictures, shape, generator=generator)))
        low, high = torch.cat(drawn).double().quantile(torch.tensor([0.025, 0.975]).double())
        return Figure(value, float(low), float(high))

    def mean(self, values: Tensor) -> Figure:
        """Mean of values [pictures]."""
        return self.figure(lambda index: values[index].mean(1))

    def median(self, values: Tensor) -> Figure:
        """Median of values [pictures]; of an even number the mean of the middle two."""
        return self.figure(lambda index: values[index].quantile(0.5, dim=1))


def means_of(rows: Tensor, index: Tensor) -> Tensor:
    """Mean of rows [pictures, D] over each of K draws, [K, D], without copying the rows."""
    weights = torch.zeros(index.shape, dtype=rows.dtype)
    weights.scatter_add_(1, index, torch.ones(index.shape, dtype=rows.dtype))
    return weights @ rows / index.shape[1]
