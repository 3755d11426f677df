"""`model.precision: auto`, decided once per OUT, for it changes pixels and so every key."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Protocol

from msgspec.structs import replace

from colorize_core.atomic import publish_bytes
from colorize_core.config import ColorizeConfig
from colorize_core.errors import ResumableError
from colorize_core.pipeline.stop import StopRequest

_POLL_SECONDS = 0.25


class Starting(Protocol):
    """A pool whose workers say one after the other whether they have bf16."""

    def bf16_so_far(self) -> bool | None:
        """None as long as it is open."""
        ...

    def wait(self, timeout: float) -> Any:
        """Let them go on."""
        ...


def all_have_bf16(pool: Starting, stop: StopRequest) -> bool:
    """Whether all workers that start now have bf16; call it before the first unit.

    Raises:
        ResumableError: a stop came before the first worker.
    """
    while (found := pool.bf16_so_far()) is None:
        if stop.requested:
            raise ResumableError("stopped before a worker had started", remedy="run again")
        pool.wait(_POLL_SECONDS)
    return found


def with_precision(
    config: ColorizeConfig, record: Path, *, is_new: bool, has_bf16: Callable[[], bool]
) -> ColorizeConfig:
    """Settings whose precision is "fp32" or "bf16", which is recorded.

    An OUT keeps what it was begun with, on whatever machine it goes on: else a part of an archive
    would be made twice. What the user sets has the last word.

    Args:
        config: as the user gave it.
        record: the file in OUT; one with results and without it is fp32, as made by 0.1.0.
        is_new: OUT has no results.
        has_bf16: asks the workers; called only if nothing else decides.
    """
    recorded = recorded_precision(record, is_new=is_new)
    precision = config.model.precision
    if precision == "auto":
        precision = recorded or ("bf16" if has_bf16() else "fp32")
    if precision != recorded:
        publish_bytes(record, json.dumps({"precision": precision}).encode())
    return replace(config, model=replace(config.model, precision=precision))


def as_recorded(config: ColorizeConfig, record: Path, *, is_new: bool) -> ColorizeConfig:
    """As `with_precision`, for a look at OUT that writes nothing; `auto` stays where it is open."""
    if config.model.precision != "auto":
        return config
    precision = recorded_precision(record, is_new=is_new) or "auto"
    return replace(config, model=replace(config.model, precision=precision))


def recorded_precision(record: Path, *, is_new: bool) -> Literal["fp32", "bf16"] | None:
    """What OUT was begun with; None where that is still open."""
    try:
        found = json.loads(record.read_bytes())["precision"]
    except FileNotFoundError:
        return None if is_new else "fp32"
    except (ValueError, KeyError, TypeError, RecursionError):
        found = ""
    return "bf16" if found == "bf16" else "fp32"
