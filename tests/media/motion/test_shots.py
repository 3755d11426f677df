import numpy as np
import pytest
from skimage import data
from skimage.color import rgb2lab

from colorize_core.media.motion.flow import FlowEstimator, flow_codes, resize
from colorize_core.media.motion.shots import CUT, shared_structure, small_luma
from tests.moving_helpers import pan, texture


def shared(first, second):
    small, other = small_luma(first), small_luma(second)
    return shared_structure(small, other, FlowEstimator()(flow_codes(small), flow_codes(other)))


def grainy(L, seed, sigma=5.0):
    noise = np.random.default_rng(seed).normal(0, sigma, L.shape)
    return np.clip(L + noise, 0, 100).astype(np.float32)


def photo(name):
    return resize(rgb2lab(getattr(data, name)())[..., 0].astype(np.float32), 144, 256)


def test_one_shot_in_motion():
    L, _ = pan(1, 3, (3.0, 1.5))
    assert shared(L[0], L[1]) > 0.9
    assert shared(L[0], L[2]) > 0.8
    assert shared(L[0], L[0]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(("gain", "offset"), [(0.6, 0), (1.3, -10), (0.7, 25)])
def test_pumping_exposure_and_grain_are_no_cut(gain, offset):
    L, _ = pan(2, 2, (2.0, 0.5))
    pumped = np.clip(L[1] * gain + offset, 0, 100)
    assert shared(L[0], pumped.astype(np.float32)) > 0.75
    assert shared(grainy(L[0], 1), grainy(pumped, 2)) > CUT


def test_other_pictures_are_cuts():
    names = ("astronaut", "cat", "coffee", "rocket", "camera")
    photos = [photo(name) if name != "camera" else _camera() for name in names]
    for i, first in enumerate(photos):
        for j, second in enumerate(photos):
            if i != j:
                assert shared(first, second) < CUT, (names[i], names[j])
    for seed in range(6):
        assert shared(texture(seed), texture(seed + 50)) < CUT


def _camera():
    return resize(data.camera().astype(np.float32) / 2.55, 144, 256)


def test_pictures_without_structure():
    flat = [np.full((72, 128), level, np.float32) for level in (2.0, 4.0, 60.0)]
    assert shared(flat[0], flat[1]) > 0.9
    assert shared(flat[0], flat[2]) < 0.05
    assert shared(texture(3), np.full_like(texture(3), 50.0)) < 0.1
    assert shared(np.full_like(texture(3), 50.0), texture(3)) < 0.1


def test_small_luma_keeps_the_aspect():
    assert small_luma(np.zeros((144, 256), np.float32)).shape == (72, 128)
    assert small_luma(np.zeros((300, 100), np.float32)).shape == (128, 43)
    assert small_luma(np.zeros((20, 30), np.float32)).shape == (20, 30)
    assert small_luma(np.zeros((1, 900), np.float32)).shape == (1, 128)
