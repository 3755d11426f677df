"""`colorize-archive status OUT`: how far a run is, from its records alone."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.storage.opening import opened, user_out
from colorize_core.archive.storage.storage import Storage
from colorize_core.cli.command import Parser, command
from colorize_core.errors import EXIT_DONE, UsageError
from colorize_core.pipeline.progress import PHASES, format_seconds


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(prog="colorize-archive status", description="Done, failed, left and ETA of a run.")
    p.add_argument("out", type=user_out, metavar="OUT")
    p.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return p


def run(args: argparse.Namespace) -> int:
    """Print the state of OUT."""
    with opened(args.out) as storage:
        state = status(storage)
    if args.json:
        print(json.dumps(state))
        return EXIT_DONE
    print(f"{'state':9} {state['phase']}")
    for name in ("running", "done", "degraded", "skipped", "failed", "segments", "left"):
        print(f"{name:9} {'unknown' if state[name] is None else state[name]}")
    if state["current"]:
        print(f"{'current':9} {state['current']}")
    eta = state["eta_seconds"]
    print(f"{'eta':9} {'unknown' if eta is None else format_seconds(eta)}")
    return EXIT_DONE


def status(storage: Storage) -> dict[str, Any]:
    """Counts by status, segments finished, items left, what is in work and ETA.

    `phase` is "reading SRC", "starting", "working" or "finishing" while a run is at work here, else
    "ended", or "stopped" where it left something to do.

    Raises:
        UsageError: no run has written there.
    """
    storage.open_records()
    folder = RunFolder(storage.folder)
    manifest_path = folder.manifest
    if not folder.state.is_dir():
        raise UsageError(f"{storage}: no run has written here", remedy="give the OUT of a run")
    counts: Counter[str] = Counter()
    if manifest_path.exists():
        for report in Manifest(manifest_path).reports():
            if report.kind != "scan":
                counts["segments" if report.kind == "segment" else report.status] += 1
    running = storage.is_running()
    progress = _progress(folder.progress)
    eta = _number(progress, "eta_seconds") if running else None
    if eta is not None:
        eta = max(0.0, eta - (time.time() - (_number(progress, "updated") or 0.0)))
    left = _number(progress, "left")
    names = ("done", "degraded", "skipped", "failed", "segments")
    return {
        "running": running,
        "phase": _phase(progress, running=running),
        **{name: counts[name] for name in names},
        "left": left,
        "current": str(progress.get("current", "")) if running else "",
        "eta_seconds": eta,
    }


def _phase(progress: Mapping[str, object], *, running: bool) -> str:
    phase = progress.get("phase")
    if running:
        # The file of a run before this one is still there for a moment.
        return str(phase) if phase in PHASES and phase != "ended" else "starting"
    return "ended" if phase == "ended" and not _number(progress, "left") else "stopped"


def _progress(path: Path) -> dict[str, object]:
    """What a run said last of how far it is."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(progress: Mapping[str, object], name: str) -> float | None:
    value = progress.get(name)
    return value if isinstance(value, int | float) else None


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
