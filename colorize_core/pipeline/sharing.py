"""What other jobs of a Ray cluster wait for."""

from __future__ import annotations

from typing import Any

import ray

_WAITING = ("PENDING", "RESCHEDULING")


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
