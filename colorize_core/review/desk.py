"""What all requests share: the review, the model, the job, the threads, and who listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from aiohttp import web

from colorize_core.review.access import Access
from colorize_core.review.job import Job
from colorize_core.review.live import Live
from colorize_core.review.shots import Shots
from colorize_core.review.state import Review

P = ParamSpec("P")
T = TypeVar("T")
_THREADS: Final = 4  # that read and decode
_WRITE_SECONDS: Final = 0.4  # several edits make one file


class Desk:
    """One server's desk.

    Args:
        review: what it is about.
        access: who may ask.
        device: see Live.
    """

    def __init__(self, review: Review, access: Access, device: str) -> None:
        self.review, self.access = review, access
        generator = ThreadPoolExecutor(1, "generator")  # one picture at a time
        self.job = Job(review.out, review.started)
        self.live = Live(review, device)
        self.shots = Shots(review, self.live, generator)
        self._threads = ThreadPoolExecutor(_THREADS, "review")
        self._generator = generator
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()
        self._writing: asyncio.Task[None] | None = None
        self._was_running = False
        self._told_shot = self.shots.state
        # Its errors are said when somebody asks for a picture.
        self._generator.submit(self.live.warm)

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something slow while others are answered."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: work(*args, **kwargs))

    async def by_generator(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with the generator, in the one thread that it has."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._generator, lambda: work(*args, **kwargs))

    def listen(self) -> asyncio.Queue[dict[str, Any]]:
        """What happens from now on, for one browser; give it back to `leave`."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._listeners.add(queue)
        return queue

    def leave(self, queue: asyncio.Queue[dict[str, Any]]) -> None:
        """That browser is gone."""
        self._listeners.discard(queue)

    def tell(self, news: dict[str, Any]) -> None:
        """Tell every browser."""
        for queue in self._listeners:
            queue.put_nowait(news)

    def tell_shot(self) -> None:
        """Tell how far the clip of a shot is, if that has changed."""
        if self._told_shot != self.shots.state:
            self._told_shot = self.shots.state
            self.tell({"shot": self._told_shot.tree()})

    def write_soon(self) -> None:
        """Write OUT/overrides.yaml when no further edit comes for a moment."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_later())

    async def write_now(self) -> None:
        """Write it, and say if it cannot be written."""
        before = self.review.problem
        await self.in_thread(self.review.write)
        if self.review.problem != before:
            self.tell({"problem": self.review.problem})

    async def look(self) -> None:
        """See what others did, and tell it."""
        changed = await self.in_thread(self.review.refresh)
        self.job.started = self.review.started
        if changed:
            self.tell({"items": sorted(changed) if len(changed) < 500 else "all"})
        self.tell_shot()
        state = await self.in_thread(self.job.state)
        if state["running"] or self._was_running:
            self.tell({"job": state})
        self._was_running = state["running"]

    async def close(self) -> None:
        """Write what is not written, stop the job, let go of files."""
        if self._writing is not None:
            await self._writing
        await self.job.close()
        await self.in_thread(self.shots.close)
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._generator.shutdown(wait=True, cancel_futures=True)
        self.review.pictures.close()

    async def _write_later(self) -> None:
        await asyncio.sleep(_WRITE_SECONDS)
        await self.write_now()


DESK: Final = web.AppKey("desk", Desk)
