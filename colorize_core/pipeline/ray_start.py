"""Joins a Ray cluster, or starts a local Ray that only this machine and this user reach."""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

# Ray reads these when it is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
if not os.environ.get("RAY_ADDRESS"):
    # Its name says for whom it was made; what it does, on Linux too, is to keep all of Ray's ports
    # on 127.0.0.1, whatever address the machine has.
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    # Where its control process gets no processor time, Ray's core ends this one with 1 after 60 s.
    # Whether that process lives, `RayWatch` looks itself.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "600")

import ray
from ray._raylet import AuthenticationTokenLoader  # type: ignore[attr-defined]

from colorize_core.archive.source.remote import FOLLOW_REDIRECTS
from colorize_core.config import RunOptions
from colorize_core.errors import ColorizeError, ResumableError, UsageError, is_transient
from colorize_core.pipeline.ray_folder import RayFolder
from colorize_core.pipeline.ray_parts import PARTS, RayParts
from colorize_core.pipeline.stop import keep_handlers

OBJECT_STORE_BYTES = 100 * 2**20
# To a cluster that answers; a local Ray gives up by itself.
JOIN_SECONDS = 50.0
# How long a cluster may be away; at 60 s Ray itself would end this process with 1.
AWAY_SECONDS = 40.0
_CONNECT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.1
_BLINK_SECONDS: Final = 0.01
parts: Final = RayParts()  # of the local Ray that this process starts
_folder: RayFolder | None = None
_over = threading.Event()


def start_ray(options: RunOptions, *, show_logs: bool = False) -> bool:
    """Join the cluster of RAY_ADDRESS, or start a local Ray.

    Args:
        options: the number of workers a local Ray must have room for.
        show_logs: print what workers log.

    Returns:
        True if this call started a local Ray.

    Raises:
        UsageError: nobody answers at RAY_ADDRESS.
        ColorizeError: Ray cannot start here.
        ResumableError: it did not start in time.
    """
    if ray.is_initialized():
        return False
    address = os.environ.get("RAY_ADDRESS")
    if address:
        _require_answer(address)
        _init(lambda: _join(address, show_logs=show_logs), JOIN_SECONDS)
        return False
    _init(lambda: _start_local(options, show_logs=show_logs), float("inf"))
    return True


def stop_ray(*, at_once: bool = False) -> None:
    """End the local Ray and remove its folder; `at_once` where it does not answer any more."""
    if at_once:
        node: Any = ray._private.worker._global_node
        with suppress(Exception):  # what is dead already
            node.kill_all_processes(check_alive=False, allow_graceful=False)
    else:
        _shut_down()
    _over.set()
    if _folder is not None:
        _folder.remove()
        os.environ.pop("RAY_AUTH_TOKEN_PATH", None)


def _shut_down() -> None:
    """In a thread: Ray's core gives SIGTERM its default action while it ends, which is death."""
    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(ray.shutdown)
        while not ending.done():
            wait([ending], timeout=_BLINK_SECONDS)
            keep_handlers()
    ending.result()


class RayWatch:
    """Looks whether Ray still runs: without its own processes, answers never come.

    Attributes:
        is_lost: it does not. Calls of Ray would hang then.
    """

    def __init__(self) -> None:
        self.is_lost = False
        node: Any = ray._private.worker._global_node
        # Of a cluster that others started, this process sees the address only.
        self._node = node if node is not None and node.all_processes else None
        self._address = str(ray.get_runtime_context().gcs_address)
        self._next_look = 0.0
        self._answered = time.monotonic()

    def require_alive(self) -> None:
        """Look once a second.

        Raises:
            ResumableError: it is dead.
        """
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + (_LOOK_SECONDS if self._node else _CONNECT_SECONDS)
        if reason := self._died() if self._node else self._away(now):
            self.is_lost = True
            raise ResumableError(reason, remedy="run the same command again")

    def _died(self) -> str:
        assert self._node is not None
        dead = [kind for kind, _ in self._node.dead_processes() if kind in PARTS]
        return f"{PARTS[dead[0]]} ({dead[0]}) died" if dead else ""

    def _away(self, now: float) -> str:
        if _answers(self._address, _CONNECT_SECONDS):
            self._answered = now
        away = time.monotonic() - self._answered
        return f"the cluster at {self._address} is gone" if away > AWAY_SECONDS else ""


def _require_answer(address: str) -> None:
    """Raise where nobody listens; names such as "auto", and clients' addresses, Ray looks up."""
    if ":" not in address or "://" in address or _answers(address, JOIN_SECONDS / 2):
        return
    raise UsageError(
        f"RAY_ADDRESS={address}: no Ray answers there",
        remedy="start the cluster's head, correct the address, or unset it for a local Ray",
    )


def _answers(address: str, seconds: float) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=seconds).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _init(start: Callable[[], None], seconds: float) -> None:
    """Call it in a thread: there Ray leaves this process' signal handlers alone, and can be left.

    Raises:
        ResumableError: the time is over.
    """
    results: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
    _over.clear()

    def run() -> None:
        try:
            start()
        except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
            results.put(error)
        else:
            results.put(None)
            # Ray has the kernel end its processes with the thread that started them.
            _over.wait()

    threading.Thread(target=run, name="ray-start", daemon=True).start()
    deadline = time.monotonic() + seconds
    while True:
        with suppress(queue.Empty):
            error = results.get(timeout=_POLL_SECONDS)
            keep_handlers()
            if error:
                raise error
            return
        if time.monotonic() > deadline:
            raise ResumableError(
                f"RAY_ADDRESS={os.environ.get('RAY_ADDRESS')}: Ray does not let this run in",
                remedy="look at the cluster's head, or unset it for a local Ray",
            )


def _quiet() -> None:
    """Leave out Ray's own news: of its token, and that it leaves signal handlers alone."""
    for name in ("authentication.authentication_token_setup", "worker"):
        logging.getLogger(f"ray._private.{name}").setLevel("ERROR")


def _join(address: str, *, show_logs: bool) -> None:
    _quiet()
    # Workers of another machine need the code.
    modules = [str(Path(__file__).resolve().parents[2] / "colorize_core")]
    wished = os.environ.get(FOLLOW_REDIRECTS)
    passed_on = {"env_vars": {FOLLOW_REDIRECTS: wished}} if wished else {}
    try:
        ray.init(
            address=address,
            runtime_env={"py_modules": modules, **passed_on},
            log_to_driver=show_logs,
            logging_level=logging.WARNING,
        )
    except ConnectionError as error:
        raise UsageError(
            f"RAY_ADDRESS={address}: {first_line(error)}",
            remedy="start the cluster's head, correct the address, or unset it for a local Ray",
        ) from error


def _start_local(options: RunOptions, *, show_logs: bool) -> None:
    global _folder
    _quiet()
    paths = [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]
    for tries_left in (1, 0):
        _folder = RayFolder()
        os.environ["RAY_AUTH_TOKEN_PATH"] = str(_folder.token_file)
        AuthenticationTokenLoader.instance().reset_cache()
        try:
            ray.init(
                address="local",
                num_cpus=max(os.cpu_count() or 1, options.workers or 1),
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}},
                log_to_driver=show_logs,
                logging_level=logging.WARNING,
                _temp_dir=str(_folder.session),
            )
            return
        # A node that is not up after 30 s, on a busy machine, is a bare Exception of Ray's.
        except Exception as error:
            parts.forget()
            stop_ray()
            parts.end()
            if isinstance(error, OSError) and not is_transient(error):
                raise ColorizeError(
                    f"Ray cannot start on this machine: {first_line(error)}",
                    remedy="check TMPDIR and /dev/shm, or use --runner serial",
                ) from error
            if not tries_left:
                raise ResumableError(
                    f"Ray did not start: {first_line(error)}",
                    remedy="run again when the machine is less busy, or use --runner serial",
                ) from error


def first_line(error: BaseException) -> str:
    """Of an error's text, of which Ray writes pages; the name of its class where it has none."""
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
