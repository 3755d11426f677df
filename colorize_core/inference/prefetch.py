"""Run an iterator in a thread of its own, a bounded number of items ahead."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
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
        depth: how many finished items may wait.
        name: of the thread.
    """

    def __init__(self, items: Iterable[T], depth: int, name: str) -> None:
        self._items = items
        self._queue: queue.Queue[T | _Raised | _End] = queue.Queue(depth)
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
            if isinstance(item, _End):
                return
            if isinstance(item, _Raised):
                raise item.error
            yield item

    def _run(self) -> None:
        iterator = iter(self._items)
        try:
            for item in iterator:
                if not self._put(item):
                    break
            else:
                self._put(_End())
        except BaseException as error:  # noqa: BLE001 - raised again where the items are taken
            self._put(_Raised(error))
        finally:
            close = cast(Callable[[], None] | None, getattr(iterator, "close", None))
            if close is not None:
                close()

    def _put(self, item: T | _Raised | _End) -> bool:
        while not self._stop.is_set():
            with suppress(queue.Full):
                self._queue.put(item, timeout=_POLL_SECONDS)
                return True
        return False
