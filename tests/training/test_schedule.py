from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from colorize_core.config import GroupWeight, LossConfig, StageConfig, TrainConfig
from colorize_core.errors import ConfigError
from colorize_core.training.data import PhotoCache
from colorize_core.training.sampler import StepData, hold_out, stage_sampler
from colorize_core.training.schedule import At, Schedule

PLAIN = StageConfig(name="plain", size=32, batch=4, samples=40)
GAN = StageConfig(
    name="gan", size=32, batch=4, samples=20, n_critic=5, critic_start=3,
    loss=LossConfig(adversarial=1.0),
)  # fmt: skip


@pytest.fixture
def cache(tmp_path):
    arrays = {s: np.zeros((12, s, s, 3), np.uint8) for s in (32, 64)}
    groups = {32: ("small",) * 12, 64: ("a",) * 8 + ("b",) * 4}
    for side, array in arrays.items():
        array[:] = np.arange(12, dtype=np.uint8)[:, None, None, None] + side
    return PhotoCache(tmp_path, arrays, groups, {})


def test_stages_follow_each_other():
    schedule = Schedule(TrainConfig(stages=(PLAIN, GAN)), photos=100)
    assert schedule.lengths == [10, 3 + 5 * 5]
    assert schedule.at(9) == At(0, 9, 10)
    assert schedule.at(10) == At(1, 0, 28)
    with pytest.raises(IndexError):
        schedule.at(38)


def test_skipped_stages_take_no_steps():
    schedule = Schedule(TrainConfig(stages=(PLAIN, GAN), skip_stages=1), photos=100)
    assert schedule.at(0) == At(1, 0, 28)


def test_the_generator_moves_once_per_n_critic_steps():
    schedule = Schedule(TrainConfig(stages=(GAN,)), photos=100)
    moves = [schedule.moves_generator(schedule.at(i)) for i in range(schedule.total_steps)]
    assert sum(moves) == 5
    assert [i for i, m in enumerate(moves) if m] == [7, 12, 17, 22, 27]


def test_epochs_are_passes_over_the_photos():
    stage = replace(PLAIN, samples=0, epochs=3)
    schedule = Schedule(TrainConfig(stages=(stage,)), photos=20)
    assert schedule.total_steps == 15
    assert [schedule.epoch_of(i) for i in (0, 4, 5, 15)] == [0, 0, 1, 3]


def test_learning_rates():
    def rates(**changes):
        stage = replace(PLAIN, samples=400, warmup=0.1, final_lr=0.1, **changes)
        schedule = Schedule(TrainConfig(stages=(stage,)), photos=100)
        return [schedule.rate(schedule.at(i)) for i in range(100)]

    cosine = rates()
    assert cosine[:10] == sorted(cosine[:10])
    assert cosine[10] == pytest.approx(1)
    assert cosine[10:] == sorted(cosine[10:], reverse=True)
    assert cosine[-1] == pytest.approx(0.1, abs=0.01)
    assert set(rates(schedule="constant")[10:]) == {1.0}
    falling = rates(schedule="constant-linear")
    assert falling[50] == 1
    assert falling[-1] == pytest.approx(0.1, abs=0.03)


def test_one_pass_shows_every_photo_once(cache):
    sampler = stage_sampler(cache, PLAIN, [])
    picks = np.concatenate([sampler.draw((0, 0), step, 4) for step in range(6)])
    assert len({tuple(p) for p in picks}) == 24
    second = np.concatenate([sampler.draw((0, 0), step, 4) for step in range(6, 12)])
    assert not np.array_equal(picks, second)
    assert len({tuple(p) for p in second}) == 24


def test_groups_are_drawn_by_weight(cache):
    stage = replace(PLAIN, groups=(GroupWeight("a", 3.0), GroupWeight("b", 1.0)))
    sampler = stage_sampler(cache, stage, [])
    picks = np.concatenate([sampler.draw((0, 0), step, 50) for step in range(40)])
    assert set(picks[:, 0]) == {64}
    assert np.mean(picks[:, 1] < 8) == pytest.approx(0.75, abs=0.04)


def test_small_sources_and_held_out_photos_are_never_drawn(cache):
    held_out = hold_out(cache, 3, seed=0)
    assert len(held_out) == 3
    sampler = stage_sampler(cache, replace(PLAIN, min_source=64), held_out)
    drawn = {tuple(p) for p in sampler.picks}
    assert len(drawn) == 9
    assert not drawn & set(held_out)


def test_a_group_that_does_not_exist_is_named(cache):
    with pytest.raises(ConfigError, match="cars"):
        stage_sampler(cache, replace(PLAIN, groups=(GroupWeight("cars"),)), [])


def step_data(cache, **changes):
    config = TrainConfig(stages=(replace(PLAIN, groups=(GroupWeight("a"), GroupWeight("small"))),))
    schedule = Schedule(config, 24)
    samplers = [stage_sampler(cache, s, []) for s in config.stages]
    options = {"seed": 5, "first": 0, "rank": 0, "world": 1, "on_device": False} | changes
    return StepData(cache, schedule, samplers, **options)


def shown(items):
    return [
        (item["step"], [tuple(p[:, 0, 0, 0].tolist()) for p in item["parts"]]) for item in items
    ]


def test_going_on_shows_what_would_have_come(cache):
    whole = shown(step_data(cache))
    assert len(whole) == 10
    assert shown(step_data(cache, first=6)) == whole[6:]
    assert len(step_data(cache, first=6)) == 4


def test_workers_share_each_batch(cache):
    whole = shown(step_data(cache))
    halves = [shown(step_data(cache, rank=r, world=2)) for r in (0, 1)]
    for step in range(10):
        together = sorted(v for half in halves for part in half[step][1] for v in part)
        assert together == sorted(v for part in whole[step][1] for v in part)


def test_indices_for_a_cache_on_the_device_name_the_same_photos(cache):
    for pixels, places in zip(step_data(cache), step_data(cache, on_device=True), strict=True):
        gathered = [cache.arrays[side][indices.numpy()] for side, indices in places["parts"]]
        for one, other in zip(pixels["parts"], gathered, strict=True):
            np.testing.assert_array_equal(one, other)
