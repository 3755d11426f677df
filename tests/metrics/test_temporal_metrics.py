import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from colorize_core.metrics.temporal import cdc, color_histograms, motions, warp_dis
from tests.moving_helpers import HEIGHT, WIDTH, pan, texture


def test_histograms_count_8_bit_levels():
    picture = np.zeros((3, 2, 2), np.float32)
    picture[0] = [[0.0, 1.0], [1.0, 128 / 255]]
    shares = color_histograms(picture)
    assert shares.shape == (3, 256)
    assert (shares[0, 0], shares[0, 255], shares[0, 128]) == (0.25, 0.5, 0.25)
    assert shares[1, 0] == 1.0
    out_of_range = np.array([[[-0.2, 1.7]]] * 3, np.float32)
    assert color_histograms(out_of_range)[0, [0, 255]].tolist() == [0.5, 0.5]


def test_cdc_equals_scipys_divergence():
    rng = np.random.default_rng(0)
    frames = rng.beta(2, 5, (9, 3, 40, 50)).astype(np.float32) ** rng.uniform(0.5, 2, (9, 1, 1, 1))
    shares = [color_histograms(frame) for frame in frames]
    means = []
    for t in (1, 2, 4):
        values = [
            jensenshannon(shares[i][c], shares[i + t][c]) ** 2
            for i in range(9 - t)
            for c in range(3)
        ]
        means.append(np.mean(values))
    assert cdc(iter(shares)) == pytest.approx(np.mean(means), rel=1e-9)


def test_cdc_of_still_and_of_disjoint_frames():
    black, white = (color_histograms(np.full((3, 4, 4), v, np.float32)) for v in (0, 1))
    assert cdc([black] * 6) == 0
    # Disjoint histograms are ln 2 apart: every pair at distance 1, none at 2 and 4.
    assert cdc([black, white] * 4) == pytest.approx(math.log(2) / 3)
    with pytest.raises(ValueError, match="found 4"):
        cdc([black] * 4)


def test_colors_that_follow_the_motion_have_no_error():
    L, ab = pan(1, 4, (2.0, 1.0))
    moved = list(motions(L))
    assert len(moved) == 3
    assert all(motion.visible.mean() > 0.8 for motion in moved)
    assert warp_dis(ab, moved) < 0.02
    standing = np.repeat(ab[:1], 4, 0)
    assert warp_dis(standing, moved) > 50 * warp_dis(ab, moved)


def test_the_error_is_the_mean_square_of_the_flicker():
    L = np.repeat(texture(2)[None, :HEIGHT, :WIDTH], 5, 0)
    ab = np.zeros((5, 2, HEIGHT, WIDTH), np.float32)
    ab[1::2, 0] = 4.0
    assert warp_dis(ab, list(motions(L))) == pytest.approx(8.0, rel=1e-3)  # (4^2 + 0) / 2 channels


def test_pairs_across_a_cut_do_not_count():
    first, second = pan(3, 3), pan(4, 3, color=(-60.0, 60.0))
    L, ab = (np.concatenate(parts) for parts in zip(first, second, strict=True))
    moved = list(motions(L))
    assert [motion is None for motion in moved] == [False, False, True, False, False]
    parts = [warp_dis(x[1], list(motions(x[0]))) for x in (first, second)]
    assert warp_dis(ab, moved) == pytest.approx(np.mean(parts))


def test_covered_places_do_not_count():
    back, front = texture(6)[:HEIGHT, :WIDTH], texture(7)
    L = np.repeat(back[None], 2, 0)
    ab = np.zeros((2, 2, HEIGHT, WIDTH), np.float32)
    for i, left in enumerate((40, 56)):
        L[i, 20:52, left : left + 30] = front[:32, :30]
        ab[i, :, 20:52, left : left + 30] = 40.0
    (motion,) = motions(L)
    hidden = ~motion.visible
    assert hidden[24:48, 72:84].mean() > 0.7
    assert warp_dis(ab, [motion]) < 0.1 * warp_dis(
        ab, [type(motion)(motion.flow, np.ones_like(hidden))]
    )


def test_frames_and_motions_must_fit():
    L, ab = pan(5, 4)
    moved = list(motions(L))
    with pytest.raises(ValueError, match="longer"):
        warp_dis(ab[:3], moved)
    with pytest.raises(ValueError, match="one shot"):
        warp_dis(ab, [None] * 3)
