"""A whole training run: open the data, resume, fit, save, and show how it goes."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import lightning
import numpy as np
import torch
from torch.utils.data import DataLoader

from colorize_core.atomic import publish_bytes
from colorize_core.config import TrainConfig, as_tree
from colorize_core.errors import ConfigError, UsageError
from colorize_core.memory import keep_freed_memory
from colorize_core.model.checkpoint import LoadedGenerator, load_generator
from colorize_core.model.generator import FlagshipUNet, build_generator
from colorize_core.model.strides import check_sharp, soften_strides
from colorize_core.model.transplant import fits_but_for_encoder, transplant
from colorize_core.training.checkpoint import load_newest
from colorize_core.training.data import PhotoCache, open_cache
from colorize_core.training.degrade import whole_sample
from colorize_core.training.losses import bin_weights
from colorize_core.training.module import ColorizeModule
from colorize_core.training.monitor import TrainingMonitor, export_generator
from colorize_core.training.sampler import (
    PhotoIndex,
    StageSampler,
    StepData,
    hold_out,
    read_photos,
    stage_sampler,
)
from colorize_core.training.schedule import Schedule
from colorize_core.training.spec import RunSpec

logger = logging.getLogger(__name__)

_SOFTENED_ON, _SOFTENED_AT = 256, 128  # photos, and their side in pixels
_TRANSPLANTED_ON = 1024  # photos of that side
_CHUNK = 64  # photos that become samples at once
_EXPECTED_WARNINGS = (
    ".*does not have many workers.*",
    ".*`IterableDataset` has `__len__` defined.*",
    ".*module\\(s\\) in eval mode.*",
    ".*isinstance\\(treespec, LeafSpec\\).*",
    ".*GPU available but not used.*",
)


class WorkerContext(Protocol):
    """Whoever runs the loop: this process alone, or one worker of a group."""

    rank: int
    world: int

    def trainer_options(self) -> dict[str, Any]:
        """Arguments for Lightning's Trainer that place the run."""
        ...

    def report(self, metrics: Mapping[str, float]) -> None:
        """Pass an epoch's metrics on."""
        ...


class LocalContext:
    """One process, one device, no Ray."""

    rank, world = 0, 1

    def __init__(self, device: str) -> None:
        self.device = device

    def trainer_options(self) -> dict[str, Any]:
        """See `WorkerContext`."""
        accelerator = {"cpu": "cpu", "cuda": "gpu"}.get(self.device, "auto")
        return {"accelerator": accelerator, "devices": 1}

    def report(self, metrics: Mapping[str, float]) -> None:
        """See `WorkerContext`: nobody else is listening."""


def prepare(spec: RunSpec, *, workers: int) -> None:
    """Decode the photos and find the mistakes of a configuration before workers start.

    Raises:
        ColorizeError: as `fit` would.
    """
    _load(spec, rank=0, world=workers)


@dataclass(frozen=True)
class _Loaded:
    cache: PhotoCache
    held_out: list[PhotoIndex]
    schedule: Schedule
    samplers: list[StageSampler]
    module: ColorizeModule
    donor: LoadedGenerator | None  # of the decoder, where `init_weights` has another encoder


def _load(spec: RunSpec, *, rank: int, world: int) -> _Loaded:
    config = spec.config
    _check_batches(config, world)
    cache = open_cache(spec.source, spec.cache, config.data)
    held_out = hold_out(cache, 2 * config.saving.page_pictures, config.seed)
    schedule = Schedule(config, cache.count - len(held_out))
    samplers = [stage_sampler(cache, stage, held_out) for stage in config.stages]
    module = ColorizeModule(config, schedule, bin_weights(cache), rank=rank)
    donor = None
    if config.init_weights:
        donor = _start_from(module, Path(config.init_weights))
    if isinstance(module.generator, FlagshipUNet):
        check_sharp(module.generator.encoder, config.soften_strides)
    return _Loaded(cache, held_out, schedule, samplers, module, donor)


def fit(spec: RunSpec, context: WorkerContext) -> None:
    """Train to the end of the schedule, from the newest checkpoint, and export the generator.

    Raises:
        ColorizeError: no usable photos, unreadable weights or checkpoint, a group that does not
            exist.
        KeyboardInterrupt: stopped; calling it again goes on.
    """
    config = spec.config
    keep_freed_memory()
    if spec.threads:
        torch.set_num_threads(spec.threads)
    run = _load(spec, rank=context.rank, world=context.world)
    total = run.schedule.total_steps
    mirror = spec.mirror()
    if mirror is not None:
        mirror.fetch()
    resume = load_newest(spec.folder / "checkpoints", device=torch.device("cpu"))
    first = int(resume["step"]) if resume is not None else 0
    logger.info(
        "%s: %d photos, left out: %s; step %d of %d",
        spec.name_of(spec.folder), run.cache.count, run.cache.dropped, first, total,
    )  # fmt: skip
    if resume is None and config.soften_strides:
        _soften(run, config)
    if resume is None and run.donor is not None:
        _transplant(run, config)
    if context.rank == 0:
        settings = json.dumps(as_tree(config), indent=1)
        publish_bytes(spec.folder / "config.json", settings.encode())
    monitor = TrainingMonitor(
        spec.folder, config, run.schedule, read_photos(run.cache, run.held_out),
        val=spec.val, context=context, resume=resume,
        on_saved=mirror.keep if mirror is not None else None,
    )  # fmt: skip
    if first < total:
        data = StepData(
            run.cache, run.schedule, run.samplers,
            seed=config.seed, first=first, rank=context.rank, world=context.world,
            on_device=config.data.on_device,
        )  # fmt: skip
        _train(run, data, monitor, spec, context)
    else:
        monitor.restore(run.module, run.module.configure_optimizers())
    if context.rank == 0:
        monitor.export(run.module, spec.exported.stem)
        monitor.saved()


def export_newest(spec: RunSpec) -> Path:
    """Export the generator of the run's newest checkpoint as it stands, without training.

    Raises:
        ColorizeError: there is no checkpoint, or it cannot be read.
    """
    mirror = spec.mirror()
    if mirror is not None:
        mirror.fetch()
    state = load_newest(spec.folder / "checkpoints", device=torch.device("cpu"))
    if state is None:
        raise UsageError(
            f"{spec.name_of(spec.folder)}: no checkpoint to export", remedy="check --out and --set"
        )
    module = build_generator(spec.config.generator)
    prefix = "average." if spec.config.optimizer.ema > 0 else "generator."
    weights = {
        key.removeprefix(prefix): value
        for key, value in state["module"].items()
        if key.startswith(prefix)
    }
    module.load_state_dict(weights)
    path = export_generator(spec.folder, spec.exported.stem, module, spec.config, state["step"])
    if mirror is not None:
        mirror.keep()
    return path


def _train(
    run: _Loaded, data: StepData, monitor: TrainingMonitor, spec: RunSpec, context: WorkerContext
) -> None:
    # Lightning's advertisements and device lists.
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    workers = 0 if spec.config.data.on_device else spec.config.data.loader_workers
    loader = DataLoader(data, batch_size=None, num_workers=workers)
    trainer = lightning.Trainer(
        max_epochs=1,  # our epochs are counted in samples, by the schedule
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[monitor],
        **context.trainer_options(),
    )
    if spec.config.data.on_device:
        device = trainer.strategy.root_device
        run.module.photos = {
            side: torch.from_numpy(np.array(photos)).to(device)
            for side, photos in run.cache.arrays.items()
        }
    with warnings.catch_warnings():
        # One core per process: loader workers would take it from the training itself. The moving
        # average is in eval mode on purpose, and the data is divided among workers by rank.
        for message in _EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        try:
            trainer.fit(run.module, loader)
        except SystemExit as stop:  # Lightning's answer to SIGINT and SIGTERM
            raise KeyboardInterrupt from stop


def _check_batches(config: TrainConfig, world: int) -> None:
    for stage in config.stages:
        if stage.batch % world:
            raise ConfigError(
                f"stage {stage.name}: batch {stage.batch} does not divide among {world} workers"
            )


def _soften(run: _Loaded, config: TrainConfig) -> None:
    """Before the first step; the same on every worker, and the moving average starts with it."""
    photos = read_photos(run.cache, hold_out(run.cache, _SOFTENED_ON, config.seed))
    generator = run.module.generator
    assert isinstance(generator, FlagshipUNet)
    soften_strides(generator.encoder, whole_sample(photos, _SOFTENED_AT).L, config.soften_strides)
    run.module.average.load_state_dict(generator.state_dict())
    logger.info("strides %s of the encoder averaged", list(config.soften_strides))


def _transplant(run: _Loaded, config: TrainConfig) -> None:
    """Before the first step, as `_soften`."""
    photos = read_photos(run.cache, hold_out(run.cache, _TRANSPLANTED_ON, config.seed))
    generator = run.module.generator
    assert run.donor is not None
    assert isinstance(run.donor.module, FlagshipUNet)
    assert isinstance(generator, FlagshipUNet)
    L = torch.cat([whole_sample(p, _SOFTENED_AT).L for p in torch.split(photos, _CHUNK)])
    explained = transplant(run.donor.module, generator, L)
    run.module.average.load_state_dict(generator.state_dict())
    shares = ", ".join(f"{name} {share:.2f}" for name, share in explained.items())
    logger.info("decoder of %s transplanted; explained: %s", config.init_weights, shares)


def _start_from(module: ColorizeModule, path: Path) -> LoadedGenerator | None:
    """Take over the weights, or return the generator whose decoder is to be transplanted."""
    loaded = load_generator(path)
    wanted = module.config.generator
    if fits_but_for_encoder(loaded.config, wanted) and module.config.encoder_weights:
        return loaded
    if loaded.config != wanted:
        raise ConfigError(
            f"init_weights {path}: another generator than the configuration's",
            remedy="use the same generator settings; the encoder may be another one with"
            " encoder_weights",
        )
    state = loaded.module.state_dict()
    module.generator.load_state_dict(state)
    module.average.load_state_dict(state)
    return None
