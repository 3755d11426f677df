"""The review's web server: one process, on this machine, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from aiohttp import web

from colorize_core.errors import UsageError
from colorize_core.review.access import Access, guard
from colorize_core.review.desk import DESK, Desk
from colorize_core.review.routes import ROUTES
from colorize_core.review.state import Review

_MOST_BYTES: Final = 64 * 2**20  # of a reference picture
_WATCH_SECONDS: Final = 1.0


def make_app(review: Review, access: Access, *, device: str = "auto") -> web.Application:
    """The app over one review.

    Args:
        review: what it shows.
        access: who may ask.
        device: where the live colors are made, see Colorizer.
    """
    app = web.Application(middlewares=[guard(access)], client_max_size=_MOST_BYTES)
    app[DESK] = Desk(review, access, device)
    app.add_routes(ROUTES)
    app.cleanup_ctx.append(_running)
    return app


async def _running(app: web.Application) -> AsyncIterator[None]:
    desk = app[DESK]
    watching = asyncio.create_task(_watch(desk))
    yield
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    await desk.close()


async def _watch(desk: Desk) -> None:
    """See what runs and other servers do, and tell every browser."""
    while True:
        await asyncio.sleep(_WATCH_SECONDS)
        await desk.look()


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket on a free port, or on the one that was asked for.

    Raises:
        UsageError: it is taken, or there is no such host.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}", remedy="choose another --port"
        ) from error
    return found


def serve(out: Path, *, host: str, port: int, device: str, ready: Callable[[str], None]) -> None:
    """Serve until Ctrl-C or SIGTERM.

    Args:
        out: output folder of a run.
        host: to listen on.
        port: 0 takes a free one.
        device: see `make_app`.
        ready: gets the address when the server listens.

    Raises:
        UsageError: no run has written to `out`, or nothing can listen there.
    """
    review = Review(out)
    with listening_socket(host, port) as found:
        access = Access(host, found.getsockname()[1])
        asyncio.run(_serve(make_app(review, access, device=device), found, access, ready))


async def _serve(
    app: web.Application, found: socket.socket, access: Access, ready: Callable[[str], None]
) -> None:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    await web.SockSite(runner, found).start()
    ready(access.address)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await runner.cleanup()
