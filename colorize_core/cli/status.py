"""`colorize-archive status OUT`: how far a run is, from its records alone."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from colorize_core.archive.records.lock import is_locked
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.cli.command import Parser, command, user_path
from colorize_core.errors import EXIT_DONE, UsageError
from colorize_core.pipeline.progress import format_seconds


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(prog="colorize-archive status", description="Done, failed, left and ETA of a run.")
    p.add_argument("out", type=user_path, metavar="OUT")
    p.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    return p


def run(args: argparse.Namespace) -> int:
    """Print the state of OUT."""
    state = status(args.out)
    if args.json:
        print(json.dumps(state))
        return EXIT_DONE
    for name in ("running", "done", "degraded", "skipped", "failed", "segments", "left"):
        print(f"{name:9} {state[name]}")
    eta = state["eta_seconds"]
    print(f"{'eta':9} {'unknown' if eta is None else format_seconds(eta)}")
    return EXIT_DONE


def status(out: Path) -> dict[str, Any]:
    """Counts by status, segments finished, items left and ETA.

    Raises:
        UsageError: no run has written there.
    """
    folder = RunFolder(out)
    manifest_path = folder.manifest
    if not folder.state.is_dir():
        raise UsageError(f"{out}: no run has written here", remedy="give the OUT of a run")
    counts: Counter[str] = Counter()
    if manifest_path.exists():
        for report in Manifest(manifest_path).reports():
            if report.kind != "scan":
                counts["segments" if report.kind == "segment" else report.status] += 1
    running = is_locked(folder.lock)
    progress = _progress(folder.progress)
    eta = progress.get("eta_seconds") if running else None
    if eta is not None:
        eta = max(0.0, eta - (time.time() - progress.get("updated", 0.0)))
    names = ("done", "degraded", "skipped", "failed", "segments")
    return {
        "running": running,
        **{name: counts[name] for name in names},
        "left": progress.get("left"),
        "eta_seconds": eta,
    }


def _progress(path: Path) -> dict[str, float]:
    """What a run said last of how far it is; its numbers only."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
