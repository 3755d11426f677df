import numpy as np
import pytest

from colorize_core.config import TemporalSettings
from colorize_core.inference.temporal import stabilize
from colorize_core.media.motion.flow import resize
from colorize_core.metrics.temporal import motions, warp_dis
from tests.moving_helpers import HEIGHT, WIDTH, flicker, pan, texture


def steady(L, ab, **settings):
    return np.stack(list(stabilize(zip(L, ab, strict=True), TemporalSettings(**settings))))


def error(x, truth):
    return float(np.square(x - truth).mean())


def film():
    """A pan, fast motion, a still shot of 3 frames, a flash, a shot of one frame, a pan."""
    shots = [
        pan(1, 13),
        pan(2, 14, (9.0, -4.0), (-20.0, 20.0)),
        pan(3, 3, (0.0, 0.0), (30.0, 30.0)),
        pan(4, 10, (0.4, -2.0), (0.0, -30.0)),
        pan(5, 1),
        pan(6, 7, (-2.0, 0.0), (10.0, 40.0)),
    ]
    L, ab = (np.concatenate(parts) for parts in zip(*shots, strict=True))
    L[34] = 97 + 0.02 * L[34]
    return L, flicker(ab, 7)


@pytest.mark.parametrize("radius", [1, 3, 7, 15])
def test_segments_with_a_halo_equal_the_whole_run(radius):
    L, ab = film()
    whole = steady(L, ab, radius=radius)
    for start in range(0, len(L), 9):
        stop = min(len(L), start + 9)
        low, high = max(0, start - radius), min(len(L), stop + radius)
        part = steady(L[low:high], ab[low:high], radius=radius)
        assert np.array_equal(part[start - low : stop - low], whole[start:stop]), (start, radius)


def test_the_reach_is_used():
    L, ab = pan(1, 15, (0.5, 0.0))
    changed = ab.copy()
    changed[14] += 30
    difference = np.abs(steady(L, changed) - steady(L, ab)).max((1, 2, 3))
    assert np.all(difference[:7] == 0)
    assert difference[7] > 0.1


def test_nothing_crosses_a_hard_cut():
    L, ab = film()
    whole = steady(L, ab)
    for start, stop in ((0, 13), (13, 27), (27, 30), (40, 41), (41, 48)):
        alone = steady(L[start:stop], ab[start:stop])
        assert np.array_equal(whole[start:stop], alone), (start, stop)


def test_a_shot_of_one_frame_keeps_its_colors():
    L, ab = film()
    assert np.array_equal(steady(L, ab)[40], ab[40])


def test_a_white_frame_keeps_its_own_color_and_does_not_end_the_shot():
    L, truth = pan(8, 16, (1.0, 0.0))
    ab = flicker(truth, 1)
    L[8] = 99.0
    wild = ab.copy()
    wild[8] = 80
    flashed = steady(L, wild)
    assert np.all(flashed[8] == 80)
    assert np.array_equal(np.delete(flashed, 8, 0), np.delete(steady(L, ab), 8, 0))
    halves = np.concatenate([steady(L[:8], ab[:8]), steady(L[9:], ab[9:])])
    joined = np.delete(flashed, 8, 0)
    jump = np.abs(joined[8].mean((1, 2)) - joined[7].mean((1, 2))).max()
    assert jump < 0.5 * np.abs(halves[8].mean((1, 2)) - halves[7].mean((1, 2))).max()


@pytest.mark.parametrize("step", [(0.0, 0.0), (1.3, 0.6), (5.0, -2.0)])
def test_flicker_is_removed_along_the_motion(step):
    L, truth = pan(9, 24, step)
    ab = flicker(truth, 2)
    out = steady(L, ab)
    moved = list(motions(L))
    before, after, goal = (warp_dis(x, moved) for x in (ab, out, truth))
    assert after - goal < 0.1 * (before - goal)
    assert error(out, truth) < 0.25 * error(ab, truth)
    mean_of_5 = np.stack([ab[max(0, i - 2) : i + 3].mean(0) for i in range(len(ab))])
    assert error(out, truth) < 0.8 * error(mean_of_5, truth)


def test_a_still_picture_gets_the_triangle_of_weights():
    L = np.repeat(texture(1)[None, :HEIGHT, :WIDTH], 29, 0)
    ab = np.full((29, 2, HEIGHT, WIDTH), 12.5, np.float32)
    assert np.allclose(steady(L, ab), 12.5, atol=1e-4)
    ab[14] += 64.0
    weights = steady(L, ab)[7:22, 0, 36, 64] - 12.5
    assert np.allclose(weights, [*range(1, 8), 8, *range(7, 0, -1)], atol=0.1)


def test_the_ends_of_a_shot_take_what_there_is():
    L = np.repeat(texture(1)[None, :HEIGHT, :WIDTH], 15, 0)
    ab = np.zeros((15, 2, HEIGHT, WIDTH), np.float32)
    ab[0], ab[14] = 64.0, 32.0
    out = steady(L, ab)
    assert np.allclose(out[0], 8.0, atol=0.05)  # of frames 0 to 7, an eighth each
    assert np.allclose(out[14], 4.0, atol=0.05)


def test_what_comes_into_view_is_not_smeared_from_the_border():
    L, _ = pan(16, 16, (4.0, 0.0))
    faint = 50 + 0.1 * (L - 50)  # luma alone would not object
    across = np.tile(np.arange(WIDTH, dtype=np.float32), (16, 2, HEIGHT, 1))
    ab = 0.7 * (across + 4.0 * np.arange(16, dtype=np.float32)[:, None, None, None]) - 60
    off = np.abs(steady(faint, ab) - ab)[7]
    assert off[..., -4:].mean() < 0.8


def test_held_frames_are_no_cut():
    L, truth = pan(10, 12)
    twice = np.repeat(np.arange(12), 2)
    ab = flicker(truth[twice], 3)
    assert error(steady(L[twice], ab), truth[twice]) < 0.2 * error(ab, truth[twice])


def moving_square():
    """A blue square crosses a brown background, both textured."""
    back, front = texture(11)[:HEIGHT, :WIDTH], texture(12)
    L, ab = np.empty((20, HEIGHT, WIDTH), np.float32), np.empty((20, 2, HEIGHT, WIDTH), np.float32)
    L[:] = back
    ab[:, 0], ab[:, 1] = 12.0, 25.0
    inside = np.zeros(L.shape, bool)
    for i in range(20):
        left = 10 + 4 * i
        L[i, 20:50, left : left + 30] = front[:30, :30] * 0.6
        ab[i, 0, 20:50, left : left + 30] = 15.0
        ab[i, 1, 20:50, left : left + 30] = -50.0
        inside[i, 20:50, left : left + 30] = True
    return L, ab, inside


def test_moving_things_leave_no_trail():
    L, ab, inside = moving_square()
    off = np.abs(steady(L, ab) - ab).max(1)
    naive = np.abs(np.stack([ab[max(0, i - 2) : i + 3].mean(0) for i in range(20)]) - ab).max(1)
    assert off.mean() < 0.1 * naive.mean()
    trail = np.roll(inside, 12, 2) | np.roll(inside, -12, 2)
    assert off[trail & ~inside].mean() < 1.5
    assert off[inside].mean() < 1.5


def test_a_flickering_cast_goes_from_uncovered_background_too():
    L, truth, inside = moving_square()
    rng = np.random.default_rng(4)
    cast = rng.normal(0, 5, (20, 2, 1, 1)).astype(np.float32)
    out = steady(L, truth + cast)
    uncovered = np.zeros_like(inside)
    uncovered[1:] = inside[:-1] & ~inside[1:]
    uncovered[:4] = uncovered[-4:] = False  # the ends of a film have fewer neighbors
    for where in (uncovered, ~inside):
        where = np.broadcast_to(where[:, None], truth.shape)
        left = np.square((out - truth)[where]).mean()
        assert left < 0.35 * np.square(np.broadcast_to(cast, truth.shape)[where]).mean()


def old_film(L, *, pumping=0.0, breathing=0.0, grain=0.0):
    """Exposure that changes as a whole, light that changes from place to place, and grain."""
    rng = np.random.default_rng(6)
    out = []
    for frame in L:
        light = resize(rng.normal(0, breathing, (2, 3)).astype(np.float32), HEIGHT, WIDTH)
        gain, offset = 1 + pumping * rng.uniform(-1, 0.5), 20 * pumping * rng.uniform(-1, 1)
        worn = frame * gain + offset + light + rng.normal(0, grain, frame.shape)
        out.append(np.clip(worn, 0, 100).astype(np.float32))
    return np.stack(out)


@pytest.mark.parametrize(
    ("wear", "limit"), [({"pumping": 0.5}, 1.08), ({"breathing": 9.0}, 1.5), ({"grain": 5.0}, 1.5)]
)
def test_old_film_is_steadied_like_clean_film(wear, limit):
    L, truth = pan(13, 20)
    ab = flicker(truth, 5, cast=0.0, blotch=0.0, noise=5.0)  # what only neighbors can cure
    clean, old = (error(steady(x, ab), truth) for x in (L, old_film(L, **wear)))
    assert clean < 0.06 * error(ab, truth)
    assert old < limit * clean


def test_fading_to_black_is_no_cut_and_stays_finite():
    L, truth = pan(14, 24, (0.5, 0.0))
    fade = np.clip(1.1 - np.arange(24) / 18, 0, 1).astype(np.float32)[:, None, None]
    ab = flicker(truth, 8, blotch=0, noise=0)
    out = steady(L * fade, ab)
    assert np.isfinite(out).all()
    jumps = [np.abs(np.diff(x.mean((2, 3)), axis=0)).mean() for x in (ab, out)]
    assert jumps[1] < 0.2 * jumps[0]


def test_it_reads_no_further_ahead_than_its_radius():
    L, ab = pan(15, 30)
    read = 0

    def frames():
        nonlocal read
        for pair in zip(L, ab, strict=True):
            read += 1
            yield pair

    for number, _ in enumerate(stabilize(frames(), TemporalSettings())):
        assert read <= min(30, number + 1 + 7)
    assert number == 29


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (5, 7), (144, 256)])
def test_any_size_and_short_streams(size):
    assert list(stabilize([], TemporalSettings())) == []
    rng = np.random.default_rng(0)
    for count in (1, 2, 3):
        L = rng.uniform(0, 100, (count, *size)).astype(np.float32)
        ab = rng.uniform(-50, 50, (count, 2, *size)).astype(np.float32)
        given = (L.copy(), ab.copy())
        out = steady(L, ab)
        assert out.shape == ab.shape
        assert out.dtype == np.float32
        assert np.isfinite(out).all()
        assert np.array_equal(L, given[0])
        assert np.array_equal(ab, given[1])
