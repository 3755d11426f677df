from __future__ import annotations

import math

import lightning
import pytest
import torch
from msgspec.structs import replace

from colorize_core.config import (
    CriticConfig,
    GeneratorConfig,
    LossConfig,
    OptimizerConfig,
    StageConfig,
    TrainConfig,
)
from colorize_core.errors import ConfigError, ModelError
from colorize_core.model.checkpoint import save_generator
from colorize_core.training.degrade import Sample
from colorize_core.training.losses import BINS
from colorize_core.training.module import ColorizeModule
from colorize_core.training.schedule import Schedule

SMALL = GeneratorConfig(architecture="paper", base_channels=8, max_channels=16, depth=3)
FLAGSHIP = GeneratorConfig(architecture="flagship")
STAGE = StageConfig(
    name="gan", size=32, batch=2, samples=20, n_critic=2, lr=1e-3,
    loss=LossConfig(l1=100.0, adversarial=1.0),
)  # fmt: skip


def make(stage: StageConfig = STAGE, generator: GeneratorConfig = SMALL) -> ColorizeModule:
    config = TrainConfig(
        stages=(stage,), generator=generator, critic=CriticConfig(channels=8, layers=2)
    )
    return ColorizeModule(config, Schedule(config, 10), torch.ones(BINS, BINS))


def train(module: ColorizeModule, steps: int) -> None:
    torch.manual_seed(0)
    photos = torch.randint(0, 255, (2, 32, 32, 3), dtype=torch.uint8)
    batches = [{"step": i, "parts": [photos]} for i in range(steps)]
    trainer = lightning.Trainer(
        max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(module, torch.utils.data.DataLoader(batches, batch_size=None))


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings("ignore:.*in eval mode.*"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
]


@pytest.mark.parametrize("generator", [SMALL, FLAGSHIP], ids=["paper", "flagship"])
def test_the_critics_gradient_reaches_the_first_encoder_layer(generator):
    only_critic = replace(STAGE, loss=LossConfig(l1=0.0, adversarial=1.0))
    module = make(only_critic, generator)
    sample = Sample(torch.rand(2, 1, 64, 64), torch.rand(2, 2, 64, 64))
    loss = module._generator_loss(module.predict(sample.L), sample, only_critic)
    loss.backward()
    assert module.generator.first_encoder_weight.grad.abs().sum() > 0
    assert all(p.grad is None for p in module.critic.parameters())


def test_each_network_moves_in_its_own_turn():
    module = make()
    start = {k: v.clone() for k, v in module.state_dict().items()}
    train(module, 1)
    moved = {
        k.split(".")[0] for k, v in module.state_dict().items() if not torch.equal(v, start[k])
    }
    assert moved == {"critic"}
    assert module.generator_steps == 0
    module = make()
    train(module, 2)
    moved = {
        k.split(".")[0] for k, v in module.state_dict().items() if not torch.equal(v, start[k])
    }
    assert moved == {"critic", "generator"}
    assert module.generator_steps == 1
    assert module.latest["adversarial_to_l1"] > 0


def test_a_plain_stage_learns_to_copy_one_color():
    stage = StageConfig(name="plain", size=32, batch=2, samples=200, lr=3e-3)
    module = make(stage)
    assert module.critic is None
    train(module, 2)
    first = float(module.latest["color"])
    module = make(stage)
    train(module, 60)
    assert float(module.latest["color"]) < 0.8 * first


def test_the_average_follows_the_generator():
    stage = StageConfig(name="plain", size=32, batch=2, samples=100, lr=3e-3)
    config = TrainConfig(stages=(stage,), generator=SMALL)
    config = replace(config, optimizer=replace(config.optimizer, ema=0.9))
    module = ColorizeModule(config, Schedule(config, 10), torch.ones(BINS, BINS))
    start = module.average.first_encoder_weight.clone()
    train(module, 10)
    now = module.generator.first_encoder_weight
    average = module.average.first_encoder_weight
    assert 0 < (average - now).abs().mean() < (start - now).abs().mean()
    assert module.best_generator is module.average


def test_the_pretrained_encoder_has_its_own_rate_and_frozen_blocks_none():
    stage = StageConfig(name="p", size=32, batch=2, samples=20, lr=1e-3, encoder_lr=1e-4)
    config = TrainConfig(
        stages=(stage,), generator=GeneratorConfig(architecture="flagship"), frozen_blocks=2
    )
    module = ColorizeModule(config, Schedule(config, 10), torch.ones(BINS, BINS))
    frozen = module.generator.encoder.blocks[1].depthwise.weight.clone()
    free = module.generator.encoder.blocks[2].depthwise.weight.clone()
    train(module, 3)
    assert torch.equal(module.generator.encoder.blocks[1].depthwise.weight, frozen)
    assert not torch.equal(module.generator.encoder.blocks[2].depthwise.weight, free)
    (optimizer,) = [module.optimizers()]
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates[0] == pytest.approx(rates[1] / 10)


def test_most_batches_carry_no_hints():
    with pytest.raises(ConfigError, match="hints"):
        StageConfig(name="h", size=32, batch=2, samples=20, hints=0.6)


def test_a_gradient_that_is_not_finite_moves_nothing(monkeypatch):
    broken = iter([False, True, False])

    def loss(predicted, *others):
        distance = predicted.abs().mean()
        return distance * math.nan if next(broken) else distance

    monkeypatch.setattr("colorize_core.training.module.color_loss", loss)
    module = make(StageConfig(name="p", size=32, batch=2, samples=20))
    train(module, 3)
    assert module.steps_done == 3
    assert all(x.isfinite().all() for x in module.state_dict().values())


def test_gradients_that_are_never_finite_end_the_run(monkeypatch):
    monkeypatch.setattr(
        "colorize_core.training.module.color_loss",
        lambda predicted, *others: predicted.mean() * math.nan,
    )
    module = make(StageConfig(name="p", size=32, batch=2, samples=80))
    with pytest.raises(ModelError, match="not finite 20 times"):
        train(module, 30)


def test_consistency_draws_the_generator_to_the_mean_of_its_teachers(tmp_path):
    stage = StageConfig(
        name="p", size=64, batch=2, samples=60, lr=1e-2, loss=LossConfig(l1=0.0, consistency=10.0)
    )
    weights = [tmp_path / "warm.safetensors", tmp_path / "cool.safetensors"]
    teachers = [make(), make()]
    for teacher, file, bias in zip(teachers, weights, (0.5, -0.1), strict=True):
        teacher.generator.head.bias.data.fill_(bias)
        save_generator(file, teacher.generator, SMALL, extra={})
    config = TrainConfig(stages=(stage,), generator=SMALL, teacher_weights=tuple(map(str, weights)))
    module = ColorizeModule(config, Schedule(config, 10), torch.ones(BINS, BINS))
    L = torch.rand(2, 1, 64, 64)

    def distance() -> float:
        with torch.no_grad():
            mean = (teachers[0].predict(L) + teachers[1].predict(L)) / 2
            return float((module.predict(L) - mean).abs().mean())

    before = distance()
    train(module, 30)
    assert distance() < before / 2


def test_a_stage_may_follow_its_own_average_in_spite_of_teachers(tmp_path):
    teacher = make()
    teacher.generator.head.bias.data.fill_(0.5)
    weights = tmp_path / "warm.safetensors"
    save_generator(weights, teacher.generator, SMALL, extra={})
    said = []
    for own in (False, True):
        loss = LossConfig(l1=0.0, consistency=1.0, own_teacher=own)
        stage = StageConfig(name="p", size=64, batch=2, samples=4, loss=loss)
        config = TrainConfig(
            stages=(stage,),
            generator=SMALL,
            teacher_weights=(str(weights),),
            optimizer=OptimizerConfig(ema=0.9),
        )
        module = ColorizeModule(config, Schedule(config, 10), torch.ones(BINS, BINS))
        train(module, 1)
        said.append(float(module.latest["consistency"]))
    assert said[0] > 0.2 > said[1]
    with pytest.raises(ConfigError, match="ema"):
        TrainConfig(stages=(stage,), generator=SMALL, teacher_weights=(str(weights),))


def test_consistency_needs_a_moving_average():
    stage = StageConfig(name="p", size=64, batch=2, samples=20, loss=LossConfig(consistency=1.0))
    TrainConfig(stages=(stage,), optimizer=OptimizerConfig(ema=0.9))
    with pytest.raises(ConfigError, match="teacher_weights"):
        TrainConfig(stages=(stage,), optimizer=OptimizerConfig())


def test_the_encoder_is_taught_to_recognize_in_gray(mobilenet):
    stage = StageConfig(
        name="r", size=32, batch=2, samples=80, encoder_lr=1e-3,
        loss=LossConfig(l1=0.0, recognition=1.0),
    )  # fmt: skip
    config = TrainConfig(stages=(stage,), generator=FLAGSHIP, encoder_weights=str(mobilenet))
    module = ColorizeModule(config, Schedule(config, 10), torch.ones(BINS, BINS))
    train(module, 1)
    before = float(module.latest["recognition"])
    train(module, 30)
    assert float(module.latest["recognition"]) < 0.7 * before


def test_recognition_needs_a_network_and_an_encoder():
    stage = StageConfig(name="r", size=32, batch=2, samples=20, loss=LossConfig(recognition=1.0))
    with pytest.raises(ConfigError, match="encoder_weights"):
        TrainConfig(stages=(stage,), generator=FLAGSHIP)
    with pytest.raises(ConfigError, match="architecture"):
        TrainConfig(stages=(stage,), generator=SMALL, encoder_weights="net.pt")


def test_bf16_generator_gives_float32_colors():
    config = TrainConfig(stages=(STAGE,), generator=SMALL)
    config = replace(config, optimizer=replace(config.optimizer, precision="bf16"))
    module = ColorizeModule(config, Schedule(config, 10), torch.ones(BINS, BINS))
    L = torch.rand(1, 1, 32, 32)
    out = module.predict(L)
    assert out.dtype == torch.float32
    assert not torch.equal(out, make().predict(L))
