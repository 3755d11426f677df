"""`--verify`: hash every recorded output again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.storage.storage import Storage
from colorize_core.errors import UsageError


@dataclass(frozen=True)
class Verified:
    """How many outputs were looked at, and what is wrong with some, by their path in OUT."""

    outputs: int
    problems: dict[str, str]


def verify_outputs(storage: Storage) -> Verified:
    """Compare every output with its recorded sha256; nothing is changed.

    Raises:
        UsageError: no run has written to it.
    """
    storage.open_records()
    path = RunFolder(storage.folder).manifest
    if not path.exists():
        raise UsageError(f"{storage}: no run has written here", remedy="give the --out of a run")
    latest = {}
    for report in Manifest(path).reports():
        if report.kind != "segment" and report.output is not None:
            # An output may have been made again under another key: the last line counts.
            latest[report.output] = report
    with ThreadPoolExecutor(storage.at_once) as pool:
        problems = pool.map(storage.problem, latest, [r.sha256 for r in latest.values()])
        found = dict(zip(latest, problems, strict=True))
    return Verified(len(latest), {name: problem for name, problem in found.items() if problem})
