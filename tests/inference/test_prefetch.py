from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from colorize_core.inference.prefetch import Prefetcher


def settled(made: list[int]) -> int:
    """How many items the thread has begun once it stops beginning new ones."""
    before = -1
    while before != len(made):
        before = len(made)
        time.sleep(0.1)
    return before


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_no_more_than_depth_items_are_ahead_and_order_is_kept(depth: int):
    made: list[int] = []

    def items() -> Iterator[int]:
        for i in range(8):
            made.append(i)
            yield i

    taken = []
    with Prefetcher(items(), depth, "test") as ahead:
        for item in ahead:
            taken.append(item)
            if item in (0, 4):
                assert settled(made) == item + 1 + depth
    assert taken == list(range(8))


def test_an_error_comes_after_the_items_before_it():
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("two")

    with Prefetcher(items(), 3, "test") as ahead:
        assert next(ahead) == 1
        with pytest.raises(KeyError, match="two"):
            next(ahead)


def test_leaving_early_closes_the_iterator_and_ends_the_thread():
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    with Prefetcher(items(), 2, "left early") as ahead:
        next(ahead)
    assert closed.is_set()
    assert "left early" not in [thread.name for thread in threading.enumerate()]
