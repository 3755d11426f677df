"""The training step: generator and critic, each with its own Adam, optimized by hand."""

from __future__ import annotations

import contextlib
import copy
import logging
import math
import time
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from colorize_core.config import StageConfig, TrainConfig
from colorize_core.errors import ModelError
from colorize_core.model.checkpoint import load_generator
from colorize_core.model.critic import PatchCritic
from colorize_core.model.encoder import Encoder, build_encoder, load_imagenet
from colorize_core.model.generator import FlagshipUNet, build_generator
from colorize_core.training.consistency import teacher_target
from colorize_core.training.degrade import RandomStream, Sample, make_sample
from colorize_core.training.hints import simulate_hints
from colorize_core.training.losses import (
    color_loss,
    critic_loss,
    distribution_loss,
    gradient_penalty,
    recognition_loss,
)
from colorize_core.training.perceptual import PerceptualLoss, net_rgb
from colorize_core.training.schedule import At, Schedule

_SEED_STRIDE = 1_000_003
logger = logging.getLogger(__name__)

_MOST_SKIPPED = 20
_MOST_GRAIN = 0.03  # in the network's L: what the pupil must look through, and its teacher not


class ColorizeModule(lightning.LightningModule):
    """Generator, its moving average, and critic.

    Args:
        config: the run.
        schedule: of the same run.
        bin_weights: [BINS,BINS], see `losses.bin_weights`.
        rank: of this worker.
    """

    bin_weights: Tensor

    def __init__(
        self, config: TrainConfig, schedule: Schedule, bin_weights: Tensor, *, rank: int = 0
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.config, self.schedule, self.rank = config, schedule, rank
        torch.manual_seed(config.seed)
        self.generator = build_generator(config.generator)
        if isinstance(self.generator, FlagshipUNet):
            if config.encoder_weights:
                load_imagenet(self.generator.encoder, Path(config.encoder_weights))
            if config.frozen_blocks:
                self.generator.encoder.freeze(config.frozen_blocks)
        has_critic = any(stage.n_critic for stage in config.stages)
        self.critic = PatchCritic(config.critic) if has_critic else None
        # In a tuple, so that the fixed network is in no checkpoint and no optimizer.
        self._perceptual: tuple[PerceptualLoss, ...] = ()
        if any(s.loss.perceptual > 0 or s.loss.style > 0 for s in config.stages):
            self._perceptual = (PerceptualLoss(Path(config.perceptual_weights)),)
        self._recognizer: tuple[Encoder, ...] = ()
        if any(s.loss.recognition > 0 for s in config.stages):
            recognizer = build_encoder(config.generator.encoder, in_channels=3)
            recognizer.requires_grad_(False).eval()
            load_imagenet(recognizer, Path(config.encoder_weights))
            self._recognizer = (recognizer,)
        self._teachers = tuple(load_generator(Path(x)).module for x in config.teacher_weights)
        self.average = copy.deepcopy(self.generator).requires_grad_(False).eval()
        self.register_buffer("bin_weights", bin_weights, persistent=False)
        self.photos: dict[int, Tensor] = {}
        self.steps_done = 0
        self.generator_steps = 0
        self._skipped = 0  # steps in a row
        self.latest: dict[str, float] = {}
        self.waited, self.worked = 0.0, 0.0
        self._idle_since = time.perf_counter()

    @property
    def best_generator(self) -> nn.Module:
        """The weights to export: the moving average if there is one."""
        return self.average if self.config.optimizer.ema > 0 else self.generator

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for the generator (pretrained encoder in its own group), Adam for the critic."""
        settings = self.config.optimizer
        encoder = self.generator.encoder_parameters()  # type: ignore[operator]
        known = {id(p) for p in encoder}
        rest = [p for p in self.generator.parameters() if p.requires_grad and id(p) not in known]
        groups = [{"params": encoder, "pretrained": True}] if encoder else []
        groups.append({"params": rest, "pretrained": False})
        betas = (settings.beta1, settings.beta2)
        optimizers: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, betas=betas, weight_decay=settings.weight_decay)
        ]
        if self.critic is not None:
            optimizers.append(torch.optim.Adam(self.critic.parameters(), betas=betas))
        return optimizers

    def training_step(self, batch: dict[str, Any], _: int) -> None:
        """One batch: a critic step, and the generator's step when its turn comes."""
        started = time.perf_counter()
        self.waited += started - self._idle_since
        step = int(batch["step"])
        at = self.schedule.at(step)
        stage = self.config.stages[at.stage]
        stream = RandomStream(
            (self.config.seed * _SEED_STRIDE + step) * 1024 + self.rank, torch.device(self.device)
        )
        sample = make_sample(self._gather(batch["parts"]), stage.size, stage.degrade, stream)
        self._set_rates(at, stage)
        if stage.n_critic:
            self._critic_step(sample, stage, stream)
        if self.schedule.moves_generator(at):
            self._generator_step(sample, stage, stream)
        self.steps_done = step + 1
        self._idle_since = time.perf_counter()
        self.worked += self._idle_since - started

    def _gather(self, parts: list[Any]) -> list[Tensor]:
        if not self.photos:
            return parts
        return [self.photos[int(side)][indices] for side, indices in parts]

    def _set_rates(self, at: At, stage: StageConfig) -> None:
        factor = self.schedule.rate(at)
        optimizers = self.optimizers()
        generator, *critics = optimizers if isinstance(optimizers, list) else [optimizers]
        for group in generator.param_groups:
            group["lr"] = factor * (stage.encoder_lr if group["pretrained"] else stage.lr)
        for optimizer in critics:
            for group in optimizer.param_groups:
                group["lr"] = factor * stage.critic_lr

    def _autocast(self) -> contextlib.AbstractContextManager[Any]:
        if self.config.optimizer.precision == "bf16":
            return torch.autocast(self.device.type, torch.bfloat16)
        return contextlib.nullcontext()

    def predict(self, L: Tensor, hints: Tensor | None = None) -> Tensor:
        """ab/110 [B,2,H,W] in float32 from the generator in training."""
        with self._autocast():
            predicted: Tensor = self.generator(
                L.contiguous(memory_format=torch.channels_last), hints
            )
        return predicted.float()

    def _predict_and_recognize(
        self, seen: Tensor, sample: Sample, hints: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """What `predict` says of L as `seen`, and how well the encoder recognizes the photo."""
        generator = self.generator
        assert isinstance(generator, FlagshipUNet)
        recognizer = self._recognizer[0].to(self.device)
        with self._autocast():
            pyramid, described = generator.encoder.recognize(seen)
            predicted = generator.color(pyramid, described, hints)
            with torch.no_grad():
                levels, known = recognizer.recognize(net_rgb(sample.L, sample.ab) * 2 - 1)
        loss = recognition_loss(
            [pyramid[-1].float(), described.float()], [levels[-1].float(), known.float()]
        )
        return predicted.float(), loss

    def _critic_step(self, sample: Sample, stage: StageConfig, stream: RandomStream) -> None:
        assert self.critic is not None
        optimizer = self.optimizers()[1]  # type: ignore[index]
        with torch.no_grad():
            fake = self.predict(sample.L)
        real_score = self.critic(sample.L, sample.ab)
        fake_score = self.critic(sample.L, fake)
        distance = critic_loss(real_score, fake_score)
        penalty = gradient_penalty(self.critic, sample.L, sample.ab, fake, stream)
        optimizer.zero_grad()
        self.manual_backward(distance + stage.loss.gradient_penalty * penalty)
        self._step(optimizer, self.critic, limit=0.0)
        self._note(critic=distance, penalty=penalty)

    def _generator_step(self, sample: Sample, stage: StageConfig, stream: RandomStream) -> None:
        optimizers = self.optimizers()
        optimizer = optimizers[0] if isinstance(optimizers, list) else optimizers
        hints = simulate_hints(sample.ab, stream) if stream.number(0, 1) < stage.hints else None
        seen = sample.L
        if stage.loss.consistency > 0:
            amount = stream.uniform(len(seen), 1, 1, 1, high=_MOST_GRAIN)
            seen = (seen + amount * stream.normal(*seen.shape)).clamp(-1, 1)
        recognition = torch.zeros((), device=self.device)
        if stage.loss.recognition > 0:
            predicted, recognition = self._predict_and_recognize(seen, sample, hints)
            self._note(recognition=recognition)
        else:
            predicted = self.predict(seen, hints)
        loss = self._generator_loss(predicted, sample, stage)
        loss = loss + stage.loss.recognition * recognition
        if stage.loss.consistency > 0:
            given = () if stage.loss.own_teacher else self._teachers
            teachers = [teacher.to(self.device) for teacher in given or (self.average,)]
            with self._autocast():
                there = teacher_target(teachers, sample.L, hints, stream)
            inconsistency = there.distance(predicted, stage.loss.smooth_beta)
            self._note(consistency=inconsistency)
            loss = loss + stage.loss.consistency * inconsistency
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.critic is not None:
            self.critic.requires_grad_(True)
        norm = self._step(optimizer, self.generator, limit=self.config.optimizer.clip_norm)
        self._note(gradient=norm)
        self.generator_steps += 1
        self._update_average()

    def _step(self, optimizer: Any, network: nn.Module, *, limit: float) -> Tensor:
        """Move the network, its gradient's norm at most `limit` (0: any), and return the norm.

        One gradient that is not finite would end in every weight and then in every checkpoint, so
        nothing moves by it. It is the same on every worker, for it has been averaged.

        Raises:
            ModelError: it happens again and again.
        """
        norm = nn.utils.clip_grad_norm_(network.parameters(), limit or math.inf)
        if norm.isfinite():
            optimizer.step()
            self._skipped = 0
            return norm
        self._skipped += 1
        logger.warning("a step was left out: its gradient is not finite")
        if self._skipped >= _MOST_SKIPPED:
            raise ModelError(
                f"the gradient was not finite {self._skipped} times in a row",
                remedy="lower the rates, or look for a broken photo",
            )
        return norm

    def _generator_loss(self, predicted: Tensor, sample: Sample, stage: StageConfig) -> Tensor:
        weights = stage.loss
        color = color_loss(predicted, sample.ab, self.bin_weights, weights)
        self._note(color=color)
        loss = weights.l1 * color
        if weights.distribution > 0:
            distribution = distribution_loss(predicted, sample.ab, weights.saturation)
            self._note(distribution=distribution)
            loss = loss + weights.distribution * distribution
        if weights.perceptual > 0 or weights.style > 0:
            with self._autocast():
                perceptual, style = self._perceptual[0].to(self.device)(
                    sample.L, predicted, sample.ab * weights.saturation
                )
            self._note(perceptual=perceptual, style=style)
            loss = loss + weights.perceptual * perceptual + weights.style * style
        if self.critic is not None and weights.adversarial > 0:
            # The critic only passes the gradient on; it has its own steps.
            self.critic.requires_grad_(False)
            adversarial = -self.critic(sample.L, predicted).mean()
            self._note_gradients(predicted, weights.l1 * color, weights.adversarial * adversarial)
            self._note(adversarial=adversarial)
            loss = loss + weights.adversarial * adversarial
        return loss

    def _note_gradients(self, predicted: Tensor, color: Tensor, adversarial: Tensor) -> None:
        """Norms of both losses' gradients where they meet, on the predicted ab."""
        if self.generator_steps % self.config.saving.log_every:
            return
        by_color, by_critic = (
            torch.autograd.grad(loss, predicted, retain_graph=True)[0].norm()
            for loss in (color, adversarial)
        )
        self._note(adversarial_to_l1=by_critic / by_color.clamp_min(1e-12))

    def _note(self, **values: Tensor) -> None:
        for name, value in values.items():
            self.latest[name] = value.detach()  # type: ignore[assignment]

    @torch.no_grad()
    def _update_average(self) -> None:
        target = self.config.optimizer.ema
        if target <= 0:
            return
        # A young average covers the last quarter of the steps: a longer one would remember the
        # start, a shorter one keeps the noise of single steps (decision 0008).
        decay = min(target, (1 + self.generator_steps) / (4 + self.generator_steps))
        torch._foreach_lerp_(
            list(self.average.parameters()), list(self.generator.parameters()), 1 - decay
        )
