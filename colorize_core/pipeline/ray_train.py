"""Training workers on Ray Train: who they are, where they run, and what happens when one dies."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
import ray.train
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.lightning import RayDDPStrategy, RayLightningEnvironment
from ray.train.torch import TorchTrainer

from colorize_core.config import RunOptions
from colorize_core.errors import ResumableError, UsageError
from colorize_core.pipeline.ray_start import start_ray


class RayContext:
    """One worker of a Ray Train group."""

    def __init__(self) -> None:
        context = ray.train.get_context()
        self.rank: int = context.get_world_rank()
        self.world: int = context.get_world_size()
        self._uses_gpu = bool(ray.get_gpu_ids())

    def trainer_options(self) -> dict[str, Any]:
        """Arguments for Lightning's Trainer: Ray has already placed this process."""
        return {
            "accelerator": "gpu" if self._uses_gpu else "cpu",
            "devices": "auto",
            # A step moves the generator or the critic, never every parameter.
            "strategy": RayDDPStrategy(find_unused_parameters=True),  # type: ignore[no-untyped-call]
            "plugins": [RayLightningEnvironment()],  # type: ignore[no-untyped-call]
        }

    def report(self, metrics: Mapping[str, float]) -> None:
        """Pass an epoch's metrics to the controller. Every worker must call it."""
        ray.train.report(dict(metrics))


def train_on_ray(
    loop: Callable[[Any, Any], None],
    spec: Any,
    *,
    name: str,
    storage: Path,
    workers: int,
    device: str,
    threads: int = 0,
    max_failures: int = 3,
) -> None:
    """Run `loop(spec, context)` on `workers` workers and wait for its end.

    Checkpoints are the loop's own business, in a folder all workers see: when a worker dies, the
    whole group starts again and the loop goes on from the newest one.

    Args:
        loop: importable function, called once per worker.
        spec: its first argument; must pickle.
        name: of the run; carries the configuration's hash.
        storage: where Ray keeps its own small state.
        workers: processes; each asks for one CPU and, where it uses one, a GPU.
        device: "auto", "cpu" or "cuda".
        threads: CPUs that each worker asks for and uses; 0 is one.
        max_failures: how many times the group is started again.

    Raises:
        UsageError: the cluster can never give what the run asks for.
        ResumableError: the group failed more often than allowed.
    """
    cpus = max(1, threads)
    start_ray(RunOptions(workers=workers * cpus), show_logs=True)
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    use_gpu = device == "cuda" or (device == "auto" and resources.get("GPU", 0) >= workers)
    # What a worker uses, so that colorizing on the same cluster gets what is left, and no more.
    each = {"CPU": cpus, "GPU": 1} if use_gpu else {"CPU": cpus}
    for kind, count in each.items():
        if resources.get(kind, 0) < workers * count:
            raise UsageError(
                f"{workers} workers need {workers * count} {kind}s, there are "
                f"{resources.get(kind, 0):.0f}",
                remedy="lower --workers or --threads, or change --device",
            )
    trainer = TorchTrainer(
        _worker,
        train_loop_config={"loop": loop, "spec": spec, "folder": Path.cwd()},
        scaling_config=ScalingConfig(
            num_workers=workers, use_gpu=use_gpu, resources_per_worker=each
        ),
        run_config=RunConfig(
            name=name,
            storage_path=str(storage),
            failure_config=FailureConfig(max_failures=max_failures),
        ),
    )
    try:
        trainer.fit()
    except ray.train.TrainingFailedError as error:
        raise ResumableError(
            f"training failed: {' '.join(str(error).split())[:300]}",
            remedy="run the same command to go on from the last checkpoint",
        ) from error


def _worker(config: dict[str, Any]) -> None:
    # Ray gives each worker a folder of its own; a recipe's paths start where the job did.
    if config["folder"].is_dir():
        os.chdir(config["folder"])
    config["loop"](config["spec"], RayContext())
