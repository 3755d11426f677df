"""Training state on disk: written whole or not at all, the last few kept."""

from __future__ import annotations

import re
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from colorize_core.atomic import publish
from colorize_core.errors import ModelError

_NAME = re.compile(r"step-(\d{9})\.pt")


def save_state(folder: Path, state: dict[str, Any], *, keep: int) -> Path:
    """Publish `state` (its "step" names the file) and drop all but the newest `keep`."""
    path = folder / f"step-{state['step']:09d}.pt"
    with publish(path) as temporary:
        torch.save(state, temporary)
    for old in list_states(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return path


def list_states(folder: Path) -> list[Path]:
    """Checkpoints in `folder`, oldest first."""
    return sorted(p for p in folder.glob("step-*.pt") if _NAME.fullmatch(p.name))


def load_newest(folder: Path, *, device: torch.device) -> dict[str, Any] | None:
    """The newest checkpoint, or None where there is none.

    Raises:
        ModelError: it cannot be read. Publishing is atomic, so this is disk damage, not a crash.
    """
    states = list_states(folder)
    if not states:
        return None
    try:
        state: dict[str, Any] = torch.load(states[-1], map_location=device, weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, UnpicklingError) as error:
        raise ModelError(
            f"{states[-1]}: checkpoint cannot be read: {error}", remedy="delete it and run again"
        ) from error
    return state
