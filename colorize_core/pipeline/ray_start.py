"""Joins a Ray cluster, or starts a local Ray."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Ray reads these when it is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

import ray

from colorize_core.archive.source.remote import FOLLOW_REDIRECTS
from colorize_core.config import RunOptions
from colorize_core.errors import ColorizeError, ResumableError, is_transient
from colorize_core.pipeline.ray_folder import short_folder

OBJECT_STORE_BYTES = 100 * 2**20


def start_ray(options: RunOptions, *, show_logs: bool = False) -> bool:
    """Join the cluster of RAY_ADDRESS, or start a local Ray.

    Args:
        options: the number of workers a local Ray must have room for.
        show_logs: print what workers log.

    Returns:
        True if this call started a local Ray.
    """
    if ray.is_initialized():
        return False
    with _own_signal_handlers():
        return _init_ray(options, show_logs=show_logs)


@contextmanager
def _own_signal_handlers() -> Iterator[None]:
    """Undo what ray.init does to SIGTERM: it would end the driver without draining."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _init_ray(options: RunOptions, *, show_logs: bool) -> bool:
    root = Path(__file__).resolve().parents[2]
    address = os.environ.get("RAY_ADDRESS")
    common: dict[str, Any] = {"log_to_driver": show_logs, "logging_level": "warning"}
    if address:
        # Workers of another machine need the code.
        modules = [str(root / "colorize_core")]
        wished = os.environ.get(FOLLOW_REDIRECTS)
        passed_on = {"env_vars": {FOLLOW_REDIRECTS: wished}} if wished else {}
        ray.init(address=address, runtime_env={"py_modules": modules, **passed_on}, **common)
        return False
    # A token for a Ray that only this machine reaches is no news for the user.
    logging.getLogger("ray._private.authentication.authentication_token_setup").setLevel("ERROR")
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    local: dict[str, Any] = {
        "address": "local",
        "num_cpus": max(os.cpu_count() or 1, options.workers or 1),
        "include_dashboard": False,
        "object_store_memory": OBJECT_STORE_BYTES,
        "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}},
    }
    if folder := short_folder():
        local["_temp_dir"] = folder
    for tries_left in (1, 0):
        try:
            ray.init(**local, **common)
            break
        # A node that is not up after 30 s, on a busy machine, is a bare Exception of Ray's.
        except Exception as error:
            ray.shutdown()
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
    return True


def first_line(error: BaseException) -> str:
    """Of an error's text, of which Ray writes pages; the name of its class where it has none."""
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
