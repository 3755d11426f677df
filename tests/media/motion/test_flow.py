import cv2
import numpy as np
import pytest

from colorize_core.media.motion.flow import (
    FlowEstimator,
    box_mean,
    compose,
    flow_codes,
    resize,
    return_error,
    stays_inside,
    warp,
)
from tests.moving_helpers import HEIGHT, WIDTH, pan, texture


def constant(dx, dy, high=HEIGHT, wide=WIDTH):
    flow = np.empty((high, wide, 2), np.float32)
    flow[:] = dx, dy
    return flow


def inner(x, margin=12):
    return x[margin:-margin, margin:-margin]


@pytest.mark.parametrize("preset", ["fast", "accurate"])
@pytest.mark.parametrize("step", [(1.3, 0.6), (-5.5, 2.25), (0.0, 0.0)])
def test_a_known_motion_is_found(preset, step):
    L, _ = pan(1, 2, step)
    flow = FlowEstimator(preset)(flow_codes(L[0]), flow_codes(L[1]))
    assert flow.shape == (HEIGHT, WIDTH, 2)
    assert flow.dtype == np.float32
    # The view moves over the scene, so what it shows moves the other way.
    assert np.abs(inner(flow) + np.array(step)).mean() < 0.12
    assert np.abs(inner(warp(L[1], flow)) - inner(L[0])).mean() < 0.4


def test_exposure_does_not_disturb_the_motion():
    L, _ = pan(2, 2, (2.5, 1.0))
    dark = (L[1] * 0.5 + 8).astype(np.float32)
    estimate = FlowEstimator()
    plain = estimate(flow_codes(L[0]), flow_codes(L[1]))
    dimmed = estimate(flow_codes(L[0]), flow_codes(dark))
    assert np.abs(plain - dimmed).mean() < 0.1


def test_a_flow_depends_on_its_two_pictures_only():
    codes = [flow_codes(x) for x in pan(3, 3, (3.0, 0.0))[0]]
    used = FlowEstimator()
    used(codes[0], codes[2])
    fresh = FlowEstimator()(codes[0], codes[1])
    assert np.array_equal(used(codes[0], codes[1]), fresh)
    threads = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        assert np.array_equal(FlowEstimator()(codes[0], codes[1]), fresh)
    finally:
        cv2.setNumThreads(threads)


@pytest.mark.parametrize("preset", ["fast", "accurate"])
@pytest.mark.parametrize("size", [(1, 1), (1, 128), (4, 128), (8, 128), (128, 8), (31, 33)])
def test_small_and_thin_pictures(preset, size):
    # OpenCV refuses some of these sizes and crashes on others.
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 256, (2, *size), dtype=np.uint8)
    flow = FlowEstimator(preset)(first, second)
    assert flow.shape == (*size, 2)
    assert np.isfinite(flow).all()


def test_pictures_of_two_sizes_are_refused():
    first, second = np.zeros((40, 40), np.uint8), np.zeros((40, 41), np.uint8)
    with pytest.raises(ValueError, match="41"):
        FlowEstimator()(first, second)


def test_codes_have_one_mean_and_contrast():
    L = texture(4)
    for picture in (L, L * 0.2, L * 0.5 + 40):
        codes = flow_codes(picture.astype(np.float32))
        assert codes.mean() == pytest.approx(128, abs=1)
        assert codes.std() == pytest.approx(32, abs=1)
    assert np.all(flow_codes(np.full((9, 9), 7.0, np.float32)) == 128)


def test_faint_noise_is_not_stretched_to_full_contrast():
    noise = np.random.default_rng(5).normal(50, 0.1, (64, 64)).astype(np.float32)
    assert flow_codes(noise).std() < 4


def test_composing_adds_motions():
    two = compose(constant(1.5, 0.0), constant(2.0, -1.0))
    assert np.allclose(inner(two), (3.5, -1.0), atol=1e-5)
    # The second flow is read where the first one leads.
    second = constant(0, 0)
    second[:, 64:] = 7
    jump = compose(constant(10, 0), second)
    assert np.all(jump[:, :54, 0] == 10)
    assert np.all(jump[:, 54:110, 0] == 17)


def test_warp_fetches_and_repeats_the_border():
    ramp = np.tile(np.arange(WIDTH, dtype=np.float32), (HEIGHT, 1))
    moved = warp(ramp, constant(2.5, 0))
    assert np.allclose(moved[:, :100], ramp[:, :100] + 2.5, atol=1e-2)
    assert np.all(moved[:, -1] == WIDTH - 1)
    pair = np.stack([ramp, -ramp], -1)
    assert np.array_equal(warp(pair, constant(2.5, 0))[..., 1], -moved)


def test_what_leaves_the_picture_is_known():
    inside = stays_inside(constant(3, 0))
    assert inside[:, : WIDTH - 3].all()
    assert not inside[:, WIDTH - 3 :].any()
    assert stays_inside(constant(0, 0)).all()


def test_there_and_back():
    gap, length = return_error(constant(3, 4), constant(-3, -4))
    assert np.all(gap == 0)
    assert np.all(length == 50)
    gap, _ = return_error(constant(3, 0), constant(-1, 0))
    assert np.all(gap == 4)


def test_covered_background_does_not_return():
    back, front = texture(6)[:HEIGHT, :WIDTH], texture(7)
    frames = [back.copy() for _ in range(2)]
    for frame, left in zip(frames, (40, 50), strict=True):
        frame[20:52, left : left + 30] = front[:32, :30]
    codes = [flow_codes(frame) for frame in frames]
    estimate = FlowEstimator("accurate")
    gap, length = return_error(estimate(*codes), estimate(*reversed(codes)))
    hidden = gap > 0.01 * length + 0.5
    assert hidden[24:48, 71:79].mean() > 0.7  # covered by the square in the second frame
    assert hidden[24:48, 10:30].mean() < 0.05
    assert hidden[26:46, 46:64].mean() < 0.1


def test_shrinking_averages():
    picture = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert np.allclose(resize(picture, 2, 2), [[2.5, 4.5], [10.5, 12.5]])
    assert np.allclose(box_mean(np.full((9, 9), 3.0, np.float32), 5), 3.0)
