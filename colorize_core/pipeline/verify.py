"""`--verify`: hash every recorded output again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.atomic import content_sha256
from colorize_core.errors import UnsafePathError, UsageError


@dataclass(frozen=True)
class Verified:
    """How many outputs were looked at, and what is wrong with some, by their path in OUT."""

    outputs: int
    problems: dict[str, str]


def verify_outputs(out: Path) -> Verified:
    """Compare every output with its recorded sha256; nothing is changed.

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
    found = {name: _problem(out, name, report.sha256) for name, report in latest.items()}
    return Verified(len(latest), {name: problem for name, problem in found.items() if problem})


def _problem(out: Path, name: str, sha256: str) -> str:
    try:
        path = output_in(out, name)
        if not path.exists():
            return "missing"
        found = content_sha256(path)
    except UnsafePathError as error:
        return error.message
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    return "" if found == sha256 else "differs from what was recorded"
