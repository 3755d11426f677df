"""What other jobs of a Ray cluster wait for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray

_WAITING = ("PENDING", "RESCHEDULING")


@dataclass(frozen=True)
class Place:
    """Where a worker stands: its GPU ("" on CPUs), whether it waits for a place, units it has."""

    gpu: str
    is_starting: bool
    load: int


def leaving(places: Sequence[Place], *, gpus: int | None, cpus: int | None) -> list[int]:
    """Which workers end so that others find room; at least one stays.

    Those without a place go first: they would take the one that is made free. GPUs are left as a
    whole, those with the least to do first: a training cannot use half of one.

    Args:
        places: of the workers.
        gpus: how many GPUs may be kept; None: all.
        cpus: how many workers may be kept; None: all.

    Returns:
        Indexes into `places`.
    """
    loads = Counter[str]()
    for place in places:
        if not place.is_starting:
            loads[place.gpu] += 1 + place.load
    ranked = [gpu for gpu, _ in loads.most_common()]
    kept = ranked if gpus is None else ranked[: max(1, gpus)]

    def order(i: int) -> tuple[int, int]:
        return ranked.index(places[i].gpu) if is_placed(i) else len(ranked), -places[i].load

    def is_placed(i: int) -> bool:
        return not places[i].is_starting

    in_order = sorted(range(len(places)), key=order)
    staying = [i for i in in_order if gpus is None or (is_placed(i) and places[i].gpu in kept)]
    staying = staying[: len(places) if cpus is None else max(1, cpus)] or in_order[:1]
    return sorted(set(range(len(places))) - set(staying))


def allowed_units(kind: str) -> int | None:
    """How many CPUs or GPUs this job may keep so that the others' worker groups can start.

    A training asks for all its workers at once, as a placement group; Ray keeps it waiting while
    single actors hold the places. For groups that would leave this job nothing, nothing ends.

    Args:
        kind: "CPU" or "GPU".

    Returns:
        None when nothing waits for this kind.
    """
    groups = list(ray.util.placement_group_table().values())
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    free = resources.get(kind, 0.0) - sum(
        _units(group, kind) for group in groups if group["state"] == "CREATED"
    )
    left = free
    for group in groups:
        if group["state"] in _WAITING and _units(group, kind) <= left - 1:
            left -= _units(group, kind)
    return int(left) if left < free else None


def _units(group: dict[str, Any], kind: str) -> float:
    return sum(float(bundle.get(kind, 0.0)) for bundle in group["bundles"].values())
