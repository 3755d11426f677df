"""Workers that share GPUs, on a local Ray of several nodes whose GPUs are only resources."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from colorize_core.config import RunOptions
from colorize_core.pipeline import ray_pool
from colorize_core.pipeline.stop import StopRequest
from tests.pipeline.workers import Scripted, shard

import ray  # isort: skip
from ray.cluster_utils import Cluster  # isort: skip
from ray.util.placement_group import placement_group, remove_placement_group  # isort: skip

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 300  # machines are busy
ROOT = Path(__file__).parents[2]


class HasBf16(Scripted):
    has_bf16 = True


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A head without GPUs, and two nodes with two cores beside one GPU each."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "num_gpus": 0})
    for _ in range(2):
        made.add_node(num_cpus=2, num_gpus=1)
    environment = {"env_vars": {"PYTHONPATH": str(ROOT)}}
    ray.init(made.address, runtime_env=environment, log_to_driver=False, logging_level="warning")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def turn_until(monkeypatch) -> Callable:
    monkeypatch.setattr(ray_pool, "SHARE_SECONDS", 0.2)

    def turn(pool: ray_pool.RayPool, condition: Callable[[], bool]) -> list:
        outcomes = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline
            outcomes += pool.wait(0.2)
        return outcomes

    return turn


def workers_by_gpu() -> Counter[float]:
    """How much of each node's GPU is in use, as Ray says it, in tenths."""
    from ray._private.state import available_resources_per_node

    left = available_resources_per_node()
    gpus = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("GPU")]
    return sorted(round(1 - left[n["NodeID"]].get("GPU", 0.0), 1) for n in gpus)


def run_all(pool: ray_pool.RayPool) -> list:
    """Outcomes until every unit is finished; those whose worker was lost run again."""
    outcomes, again = [], []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while pool.in_flight or again:
        assert time.monotonic() < deadline
        while again and pool.free:
            pool.submit(again.pop())
        found = pool.wait(0.2)
        again += [outcome.unit for outcome in found if isinstance(outcome, ray_pool.Lost)]
        outcomes += found
    return outcomes


def test_two_workers_share_each_gpu_and_a_training_gets_a_whole_one(cluster, turn_until, tmp_path):
    pool = ray_pool.RayPool(partial(HasBf16, tmp_path), RunOptions())
    assert pool.workers == 4
    assert pool.has_bf16(StopRequest())
    turn_until(pool, lambda: pool.free == 2 * 4)
    assert workers_by_gpu() == [1.0, 1.0]
    for i in range(8):
        pool.submit(shard(f"slow {i}"))
    group = placement_group([{"CPU": 1, "GPU": 1}])
    ready = group.ready()
    outcomes = turn_until(pool, lambda: bool(ray.wait([ready], timeout=0)[0]))
    outcomes += turn_until(pool, lambda: not pool.in_flight)
    finished = [outcome.unit.photos[0].item.path for outcome in outcomes]
    assert sorted(finished) == [f"slow {i}" for i in range(8)]
    assert pool.free == 2 * 2
    remove_placement_group(group)
    turn_until(pool, lambda: pool.free == 2 * 4)
    pool.close()


def test_what_ran_on_a_lost_node_runs_on_the_other(cluster, turn_until, tmp_path):
    pool = ray_pool.RayPool(partial(Scripted, tmp_path), RunOptions())
    assert not pool.has_bf16(StopRequest())
    turn_until(pool, lambda: pool.free == 2 * 4)
    for i in range(8):
        pool.submit(shard(f"slow {i}"))
    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
    outcomes = run_all(pool)
    assert any(isinstance(outcome, ray_pool.Lost) for outcome in outcomes)
    done = {o.unit.id for o in outcomes if isinstance(o, ray_pool.Finished)}
    assert len(done) == 8
    cluster.add_node(num_cpus=2, num_gpus=1)
    turn_until(pool, lambda: pool.free == 2 * 4)
    assert workers_by_gpu() == [1.0, 1.0]
    pool.close()
