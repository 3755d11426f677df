"""Steps: which stage one belongs to, its learning rate, whether the generator moves in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from colorize_core.config import StageConfig, TrainConfig


@dataclass(frozen=True)
class At:
    """Where a global step lies."""

    stage: int
    step: int  # within the stage
    stage_steps: int

    @property
    def progress(self) -> float:
        """Part of the stage that is done before this step, 0..1."""
        return self.step / self.stage_steps


class Schedule:
    """The plan of a run. One step is one batch: a critic step where the stage has a critic."""

    def __init__(self, config: TrainConfig, photos: int) -> None:
        self.config = config
        self.photos = photos
        self.lengths = [
            0 if index < config.skip_stages else self._stage_steps(stage)
            for index, stage in enumerate(config.stages)
        ]
        self.total_steps = sum(self.lengths)

    def _stage_steps(self, stage: StageConfig) -> int:
        samples = stage.samples or stage.epochs * self.photos
        generator_steps = max(1, samples // stage.batch)
        # Epochs are passes over the photos, which critic steps use up too.
        per_generator_step = stage.n_critic if stage.n_critic and stage.samples else 1
        return stage.critic_start + generator_steps * per_generator_step

    def at(self, step: int) -> At:
        """Find a global step's stage."""
        for index, length in enumerate(self.lengths):
            if step < length:
                return At(index, step, length)
            step -= length
        raise IndexError("step beyond the end of the schedule")

    def moves_generator(self, at: At) -> bool:
        """Whether the generator takes a step too."""
        stage = self.config.stages[at.stage]
        if stage.n_critic == 0:
            return True
        after = at.step - stage.critic_start
        return after >= 0 and (after + 1) % stage.n_critic == 0

    def rate(self, at: At) -> float:
        """Factor of the stage's learning rates at this step."""
        stage = self.config.stages[at.stage]
        warmup = stage.warmup * at.stage_steps
        if at.step < warmup:
            return (at.step + 1) / (warmup + 1)
        done = (at.step - warmup) / max(at.stage_steps - warmup, 1)
        if stage.schedule == "cosine":
            falling = 0.5 * (1 + math.cos(math.pi * done))
        elif stage.schedule == "constant-linear":
            falling = min(1.0, 2 * (1 - done))
        else:
            return 1.0
        return stage.final_lr + (1 - stage.final_lr) * falling

    def epoch_of(self, step: int) -> int:
        """Epochs finished once `step` steps are done."""
        seen = 0
        for stage, length in zip(self.config.stages, self.lengths, strict=True):
            seen += min(step, length) * stage.batch
            step -= min(step, length)
        return seen // (self.config.saving.epoch_samples or self.photos)
