"""Run an iterator in a thread of its own, a bounded number of items ahead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

T = TypeVar("T")

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class _Raised:
    error: BaseException


class _End:
    pass


class Prefetcher(Generic[T]):
    """Iterates over `items` in a thread; iterate over this object, inside a `with`, to get them.

    An exception of `items` is raised here in its place. Leaving the `with` stops the thread and
    closes the iterator, so that no file stays open.

    Args:
        items: consumed in the thread only.
        depth: how many items may be in the making or wait to be taken; the next one is begun when
            an earlier one is taken.
        name: of the thread.
    """

    def __init__(self, items: Iterable[T], depth: int, name: str) -> None:
        self._items = items
        self._queue: queue.SimpleQueue[T | _Raised | _End] = queue.SimpleQueue()
        self._room = threading.Semaphore(depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def __enter__(self) -> Iterator[T]:
        self._thread.start()
        return self._take()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _take(self) -> Iterator[T]:
        while True:
            item = self._queue.get()
            self._room.release()
            if isinstance(item, _End):
                return
            if isinstance(item, _Raised):
                raise item.error
            yield item

    def _run(self) -> None:
        iterator = iter(self._items)
        try:
            while self._has_room():
                try:
                    self._queue.put(next(iterator))
                except StopIteration:
                    self._queue.put(_End())
                    return
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            self._queue.put(_Raised(error))
        finally:
            close = cast(Callable[[], None] | None, getattr(iterator, "close", None))
            if close is not None:
                close()

    def _has_room(self) -> bool:
        """Wait until an item may be begun; False when nobody wants one any more."""
        while not self._stop.is_set():
            if self._room.acquire(timeout=_POLL_SECONDS):
                return not self._stop.is_set()
        return False
