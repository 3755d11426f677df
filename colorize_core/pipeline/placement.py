"""How many workers there are, and which share of a GPU each takes."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from colorize_core.config import RunOptions
from colorize_core.errors import ColorizeError

WORKER_MEMORY_BYTES: Final = 1_500_000_000
# Of a GPU: a CUDA context, the generator, a batch at working size.
GPU_WORKER_BYTES: Final = 1_500_000_000
_ASK_SECONDS: Final = 60.0
_GRAIN: Final = 10_000  # Ray counts shares of a resource in ten-thousandths


@dataclass(frozen=True)
class Node:
    """What one machine of the cluster offers; bytes of memory. `gpu_memory` 0: unknown."""

    cpus: float
    gpus: float
    memory: float
    gpu_memory: int = 0


@dataclass(frozen=True)
class Placement:
    """Where workers go: how many, and how many of them share a GPU (0: they run on CPUs)."""

    workers: int
    per_gpu: int

    @property
    def gpu_share(self) -> float:
        """What a worker asks of Ray."""
        return _GRAIN // self.per_gpu / _GRAIN if self.per_gpu else 0.0


def place(nodes: Sequence[Node], options: RunOptions) -> Placement:
    """Decide how many workers there are.

    Film and large photos cost a CPU ten times what the generator costs a GPU, so a GPU gets as many
    workers as there are cores for it and as its memory holds; each has one core. All workers ask
    for the same share of a GPU, so the smallest GPU's memory limits them.

    Args:
        nodes: of the cluster.
        options: device, workers, workers_per_gpu.

    Raises:
        ColorizeError: a GPU is asked for, and there is none.
    """
    with_gpu = [node for node in nodes if node.gpus >= 1]
    if options.device == "cuda" and not with_gpu:
        raise ColorizeError(
            "--device cuda: the Ray cluster has no GPU",
            remedy="use --device cpu, or add a GPU node",
        )
    if not with_gpu or options.device in ("cpu", "mps"):
        return Placement(options.workers or _most(nodes, per_gpu=0), per_gpu=0)
    per_gpu = options.workers_per_gpu or _per_gpu(with_gpu)
    if options.workers is None:
        return Placement(_most(with_gpu, per_gpu), per_gpu)
    # Few workers are spread over the GPUs; Ray would fill one after the other.
    gpus = int(sum(node.gpus for node in with_gpu))
    return Placement(options.workers, options.workers_per_gpu or -(-options.workers // gpus))


def _per_gpu(nodes: Sequence[Node]) -> int:
    cores = max(node.cpus // node.gpus for node in nodes)
    memory = min((node.gpu_memory for node in nodes if node.gpu_memory), default=0)
    fitting = memory // GPU_WORKER_BYTES if memory else cores
    return max(1, int(min(cores, fitting)))


def _most(nodes: Sequence[Node], per_gpu: int) -> int:
    return max(1, sum(_on(node, per_gpu) for node in nodes))


def _on(node: Node, per_gpu: int) -> int:
    units = [node.cpus, node.memory // WORKER_MEMORY_BYTES]
    return int(min(units + ([node.gpus * per_gpu] if per_gpu else [])))


def cluster_nodes(options: RunOptions) -> list[Node]:
    """The machines of the cluster; the memory of their GPUs is asked of them if it is needed."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [node for node in nodes if node["Alive"]]
    is_asked = options.device in ("auto", "cuda") and options.workers_per_gpu is None
    with_gpu = [n["NodeID"] for n in alive if is_asked and n["Resources"].get("GPU", 0.0) >= 1]
    memory = _gpu_memory(with_gpu)
    return [_node(n["Resources"], memory.get(n["NodeID"], 0)) for n in alive]


def _node(resources: dict[str, float], gpu_memory: int) -> Node:
    cpus, gpus = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    return Node(cpus, gpus, resources.get("memory", 0.0), gpu_memory)


def _gpu_memory(node_ids: Sequence[str]) -> dict[str, int]:
    # Asked on the machine itself, without a CUDA context: one would take memory of the GPU.
    ask: Any = ray.remote(free_gpu_memory)
    asked = {
        ask.options(
            num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=True)
        ).remote(): node_id
        for node_id in node_ids
    }
    if not asked:
        return {}
    done, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_ASK_SECONDS)
    return {asked[answer]: ray.get(answer) for answer in done}


def free_gpu_memory() -> int:
    """Bytes that are free on this machine's smallest GPU; 0 where nvidia-smi does not say."""
    command = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        return min(int(line) for line in said.stdout.split()) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError):
        return 0
