"""`--verify`: hash every recorded output again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.atomic import file_sha256, folder_sha256
from colorize_core.errors import EXIT_DONE, EXIT_SOME_FAILED, UnsafePathError, UsageError


def verify_outputs(out: Path, say: Callable[[str], None]) -> int:
    """Compare every output with its recorded sha256; nothing is changed.

    Returns:
        0 when all are as recorded, 2 when some are missing or differ.

    Raises:
        UsageError: no run has written to `out`.
    """
    path = RunFolder(out).manifest
    if not path.exists():
        raise UsageError(f"{out}: no run has written here", remedy="give the --out of a run")
    latest = {}
    for report in Manifest(path).reports():
        if report.kind != "segment" and report.output is not None:
            # An output may have been made again under another key: the last line counts.
            latest[report.output] = report
    bad = 0
    for name, report in latest.items():
        problem = _problem(out, name, report.sha256)
        if problem:
            bad += 1
            say(f"{name}: {problem}")
    say(f"{len(latest) - bad} of {len(latest)} outputs are as recorded")
    if bad:
        say("delete a damaged output and run the job again to have it made anew")
    return EXIT_SOME_FAILED if bad else EXIT_DONE


def _problem(out: Path, name: str, sha256: str) -> str:
    try:
        path = output_in(out, name)
        if not path.exists():
            return "missing"
        found = folder_sha256(path) if path.is_dir() else file_sha256(path)
    except UnsafePathError as error:
        return error.message
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return "" if found == sha256 else "differs from what was recorded"
