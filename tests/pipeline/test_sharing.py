"""Who makes room for others, and that a GPU is left as a whole."""

from __future__ import annotations

import pytest

from colorize_core.pipeline.sharing import Place, leaving


def on(gpu: str, *loads: int) -> list[Place]:
    return [Place(gpu, is_starting=False, load=load) for load in loads]


WAITING = Place("", is_starting=True, load=0)


@pytest.mark.parametrize(
    ("places", "gpus", "cpus", "expected"),
    [
        # The GPU with less to do is left, by all of its workers.
        (on("a", 1, 1, 0) + on("b", 2, 2, 2), 1, 3, [0, 1, 2]),
        # One without a place goes even so; the GPU that is left has more workers.
        ([WAITING, *on("a", 2, 2), *on("b", 1, 1, 0)], 1, 5, [0, 3, 4, 5]),
        # GPUs that nobody uses are there for the others already.
        (on("a", 1, 1), 1, 15, []),
        # Only CPUs are wanted.
        (on("a", 2, 2) + on("b", 1, 1), None, 3, [3]),
        (on("", 0, 2, 1), None, 2, [0]),
        ([WAITING, *on("", 0, 0)], None, 2, [0]),
        # One stays in any case.
        ([WAITING, WAITING], 1, 1, [1]),
        (on("a", 0, 0), 0, 0, [1]),
    ],
)
def test_who_leaves(places, gpus, cpus, expected):
    assert leaving(places, gpus=gpus, cpus=cpus) == expected
