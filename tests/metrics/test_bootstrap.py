"""The bootstrap against the interval that theory gives."""

import pytest
import torch

from colorize_core.metrics.bootstrap import Bootstrap, means_of


def test_interval_of_a_mean_is_the_normal_one():
    values = torch.randn(400, generator=torch.Generator().manual_seed(0)) * 3 + 7
    figure = Bootstrap(400, resamples=4000, seed=1).mean(values)
    error = float(values.std() / 400**0.5)
    assert figure.value == pytest.approx(float(values.mean()))
    assert figure.low == pytest.approx(figure.value - 1.96 * error, abs=0.1 * error)
    assert figure.high == pytest.approx(figure.value + 1.96 * error, abs=0.1 * error)


def test_the_seed_decides_and_the_value_does_not_depend_on_it():
    values = torch.rand(30, generator=torch.Generator().manual_seed(2))
    figures = [Bootstrap(30, resamples=200, seed=s).median(values) for s in (1, 1, 2)]
    assert figures[0] == figures[1] != figures[2]
    assert figures[0].value == figures[2].value == pytest.approx(float(values.quantile(0.5)))


def test_one_picture_has_an_interval_of_no_width():
    assert Bootstrap(1, resamples=100, seed=0).mean(torch.tensor([4.0])).high == 4.0


def test_means_of_draws():
    rows = torch.rand(9, 5, dtype=torch.float64)
    index = torch.randint(9, (7, 9))
    torch.testing.assert_close(means_of(rows, index), rows[index].mean(1))
