"""What is written while training: checkpoints, log lines, curves, pages and exports."""

from __future__ import annotations

import csv
import io
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import lightning
import torch
from torch import Tensor, nn
from torch.utils.tensorboard.writer import SummaryWriter

from colorize_core.atomic import append_lines, publish, publish_bytes
from colorize_core.config import TrainConfig
from colorize_core.model.checkpoint import save_generator
from colorize_core.model.generator import FlagshipUNet
from colorize_core.training.checkpoint import save_state
from colorize_core.training.module import ColorizeModule
from colorize_core.training.pictures import draw_curves, draw_page, lab_of, read_folder
from colorize_core.training.schedule import Schedule

logger = logging.getLogger(__name__)

_BATCH = 8
_CURVES_SECONDS = 60.0  # drawing takes seconds
_LEAST_CHANGE = 1e-3  # of a feature from photo to photo, to count as alive; ImageNet's have .5
_LEAST_ALIVE = 0.5  # of the features
COLUMNS = (
    "step", "epoch", "stage", "lr", "color", "distribution", "perceptual", "style",
    "consistency", "recognition", "adversarial", "critic", "penalty", "adversarial_to_l1",
    "gradient", "photos_per_s", "waiting",
    "val_l1", "val_de76", "val_colorfulness", "val_alive", "val_real_above_fake",
)  # fmt: skip


class Reporter(Protocol):
    """The part of `run.WorkerContext` that this module needs."""

    rank: int
    world: int

    def report(self, metrics: Mapping[str, float]) -> None:
        """Pass an epoch's metrics on."""
        ...


class TrainingMonitor(lightning.Callback):
    """Saves and shows; only rank 0 writes.

    Args:
        folder: of the run.
        config: of the run.
        schedule: of the run.
        held_out: uint8 [N,side,side,3], never trained on; validation if there is no `val`.
        val: folder of color photos for validation.
        context: who runs the loop.
        resume: a checkpoint to go on from.
        on_saved: called after each checkpoint, and by `saved`.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        schedule: Schedule,
        held_out: Tensor,
        *,
        val: Path | None,
        context: Reporter,
        resume: dict[str, Any] | None = None,
        on_saved: Callable[[], None] | None = None,
    ) -> None:
        self.folder, self.config, self.schedule, self.context = folder, config, schedule, context
        size = config.saving.page_size
        photos = read_folder(val, size) if val else held_out
        self.truth = lab_of(photos, size)
        self.resume = resume
        self.saved = on_saved or (lambda: None)
        self.epoch = 0
        self._since = (time.perf_counter(), 0)
        self._drawn = time.perf_counter()
        self._board: SummaryWriter | None = None

    def on_fit_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Go on from the checkpoint."""
        module = _ours(pl_module)
        optimizers = trainer.optimizers
        self.restore(module, optimizers)
        self.epoch = self.schedule.epoch_of(module.steps_done)
        if self.context.rank == 0:
            self._trim_log(module.steps_done)
            # Events of steps that will be done again are hidden from here on.
            self._board = SummaryWriter(
                str(self.folder / "tensorboard"), purge_step=module.steps_done + 1
            )
        self._since = (time.perf_counter(), module.steps_done)

    def on_fit_end(
        self,
        trainer: lightning.Trainer,  # noqa: ARG002
        pl_module: lightning.LightningModule,  # noqa: ARG002
    ) -> None:
        """Close the log."""
        if self._board is not None:
            self._board.close()

    def restore(self, module: ColorizeModule, optimizers: list[torch.optim.Optimizer]) -> None:
        """Load the checkpoint found at the start, if any."""
        if self.resume is None:
            return
        module.load_state_dict(self.resume["module"])
        for optimizer, state in zip(optimizers, self.resume["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        module.steps_done = int(self.resume["step"])
        module.generator_steps = int(self.resume["generator_steps"])
        self.resume = None

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,  # noqa: ARG002
        batch: Any,  # noqa: ARG002
        batch_idx: int,  # noqa: ARG002
    ) -> None:
        """Log, save and show as often as the configuration says."""
        module = _ours(pl_module)
        step, saving = module.steps_done, self.config.saving
        epoch = self.schedule.epoch_of(step)
        ends_epoch = epoch > self.epoch
        self.epoch = epoch
        is_last = step == self.schedule.total_steps
        metrics: dict[str, float] = {}
        if ends_epoch or is_last:
            metrics = self._validate(module)
        if self.context.rank == 0:
            if ends_epoch or is_last or step % saving.log_every == 0:
                self._log(module, metrics)
            if (
                step % saving.every_steps == 0
                or (ends_epoch and epoch % saving.every_epochs == 0)
                or is_last
            ):
                self.save(module, trainer.optimizers)
                self.saved()
            if ends_epoch and epoch % saving.export_epochs == 0:
                self.export(module, f"generator-epoch-{epoch:04d}")
        if ends_epoch or is_last:
            self.context.report({"step": step, "epoch": epoch, **metrics})

    def save(self, module: ColorizeModule, optimizers: list[torch.optim.Optimizer]) -> None:
        """Write a checkpoint."""
        state = {
            "step": module.steps_done,
            "generator_steps": module.generator_steps,
            "module": module.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        }
        save_state(self.folder / "checkpoints", state, keep=self.config.saving.keep)

    def export(self, module: ColorizeModule, name: str) -> Path:
        """Publish the generator as it stands."""
        return export_generator(
            self.folder, name, module.best_generator, self.config, module.steps_done
        )

    @torch.no_grad()
    def _validate(self, module: ColorizeModule) -> dict[str, float]:
        """Metrics over the validation photos, and the page of the same first pictures each time."""
        if self.context.rank != 0:
            return {}
        device = next(module.generator.parameters()).device
        outputs, described = [], []
        generator = module.best_generator
        for truth in torch.split(self.truth, _BATCH):
            L = truth[:, :1].to(device)
            if isinstance(generator, FlagshipUNet):
                pyramid, features = generator.encoder.recognize(L)
                described.append(features.float().cpu())
                output = generator.color(pyramid, features)
            else:
                output = generator(L)
            outputs.append(output.float().cpu())
        ab = torch.cat(outputs)
        true_ab = self.truth[:, 1:]
        difference = (ab - true_ab).abs()
        metrics = {
            "val_l1": float(difference.mean()),
            "val_de76": float((ab - true_ab).norm(dim=1).mean() * 110),
            "val_colorfulness": float(ab.norm(dim=1).mean() / true_ab.norm(dim=1).mean()),
        }
        if described:
            metrics["val_alive"] = alive_share(torch.cat(described))
            pretrained = self.config.encoder_weights or self.config.init_weights
            if pretrained and metrics["val_alive"] < _LEAST_ALIVE:
                logger.warning(
                    "%.0f %% of the encoder's deepest features say the same of every photo, so the"
                    " generator does not know what is in it: lower encoder_lr and start again",
                    100 * (1 - metrics["val_alive"]),
                )
        if module.critic is not None:
            fake = module.critic(self.truth[:, :1].to(device), ab.to(device)).mean((1, 2, 3))
            real = module.critic(self.truth[:, :1].to(device), true_ab.to(device)).mean((1, 2, 3))
            metrics["val_real_above_fake"] = float((real > fake).float().mean())
        count = self.config.saving.page_pictures
        page = self.folder / "pages" / f"epoch-{self.epoch:04d}-step-{module.steps_done:07d}.png"
        draw_page(self.truth[:count], ab[:count], page)
        return metrics

    def _log(self, module: ColorizeModule, metrics: dict[str, float]) -> None:
        now, step = time.perf_counter(), module.steps_done
        at = self.schedule.at(step - 1)
        stage = self.config.stages[at.stage]
        steps = max(step - self._since[1], 1)
        seconds = max(now - self._since[0], 1e-9)
        self._since = (now, step)
        total = module.waited + module.worked
        row: dict[str, object] = {
            "step": step, "epoch": self.epoch, "stage": stage.name,
            "lr": f"{self.schedule.rate(at) * stage.lr:.3g}",
            "photos_per_s": f"{steps * stage.batch / seconds:.2f}",
            "waiting": f"{module.waited / max(total, 1e-9):.3f}",
        }  # fmt: skip
        values = {k: float(v) for k, v in module.latest.items()} | metrics
        row |= {k: f"{v:.5g}" for k, v in values.items()}
        self._append(row)
        left = sum(
            (length - max(0, min(length, step - sum(self.schedule.lengths[:i]))))
            * self.config.stages[i].batch * self.config.stages[i].size ** 2
            for i, length in enumerate(self.schedule.lengths)
        )  # fmt: skip
        rate = steps * stage.batch * stage.size**2 / seconds
        logger.info(
            "step %d/%d %s %s, about %d min left", step, self.schedule.total_steps, stage.name,
            " ".join(f"{k}={v}" for k, v in row.items() if k not in ("step", "stage")),
            left / rate / 60,
        )  # fmt: skip
        is_last = step == self.schedule.total_steps
        if is_last or (metrics and now - self._drawn > _CURVES_SECONDS):
            self._drawn = now
            draw_curves(self.folder / "metrics.csv", self.folder / "curves.png")

    def _append(self, row: Mapping[str, object]) -> None:
        path = self.folder / "metrics.csv"
        if not path.exists():
            append_lines(path, [",".join(COLUMNS)])
        text = io.StringIO()
        csv.DictWriter(text, COLUMNS, lineterminator="").writerow(dict(row))
        if self._board is not None:
            for name in [name for name in COLUMNS[3:] if name in row]:
                self._board.add_scalar(name, float(str(row[name])), int(str(row["step"])))
            self._board.flush()
        append_lines(path, [text.getvalue()])

    def _trim_log(self, step: int) -> None:
        """Drop the lines of steps that will be done again; an older version had other columns."""
        path = self.folder / "metrics.csv"
        if not path.exists():
            return
        text = io.StringIO()
        table = csv.DictWriter(text, COLUMNS, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if (row.get("step") or "").isdigit() and int(row["step"]) <= step:
                    table.writerow(row)
        publish_bytes(path, text.getvalue().encode())


def alive_share(described: Tensor) -> float:
    """The part of the features [photos,features] that change from photo to photo.

    ReLUs die for good when a rate is too high for a pretrained encoder, and no loss shows it: the
    decoder colors on from textures alone.
    """
    return float((described.std(0, unbiased=False) > _LEAST_CHANGE).float().mean())


def export_generator(
    folder: Path, name: str, generator: nn.Module, config: TrainConfig, step: int
) -> Path:
    """Publish .pt (float32 state) and .safetensors (fp16, self-describing) under a run's folder."""
    with publish(folder / "exports" / f"{name}.pt") as temporary:
        torch.save({k: v.cpu() for k, v in generator.state_dict().items()}, temporary)
    path = folder / "exports" / f"{name}.safetensors"
    save_generator(path, generator, config.generator, extra={"run": folder.name, "step": str(step)})
    return path


def _ours(module: lightning.LightningModule) -> ColorizeModule:
    assert isinstance(module, ColorizeModule)
    return module
