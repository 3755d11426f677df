import numpy as np
import pytest

from colorize_core.metrics.drift import drift, follow
from colorize_core.metrics.temporal import motions
from tests.moving_helpers import pan

FRAMES, LAG = 12, 10


def test_drift_is_what_the_color_of_a_surface_changes_by_along_its_motion():
    L, truth = pan(1, FRAMES)
    tracks = follow(list(motions(L)), L.shape[1:])
    mine, real, count = drift(truth, truth, tracks, LAG)
    assert count > 20
    assert mine == pytest.approx(real)
    assert real < 0.5  # it moves, and holds its color
    turned = truth + np.linspace(0, 4, FRAMES, dtype=np.float32)[:, None, None, None]
    wandering, real, _ = drift(turned, truth, tracks, LAG)
    assert wandering == pytest.approx(np.sqrt(2) * 4 * LAG / (FRAMES - 1), abs=0.5)
    assert real < 0.5
    # A color that really changes is no surface that should hold still.
    assert drift(turned, turned, tracks, LAG)[2] == 0
