"""summary.json: what a run did, streamed so that a million photos do not sit in memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from colorize_core.archive.records.details import Signals
from colorize_core.archive.records.manifest import Manifest, to_json
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.verdicts import Judge, Verdict, signals_of
from colorize_core.archive.records.work import ItemReport
from colorize_core.atomic import publish
from colorize_core.faults import passing


def write_summary(
    out: Path, head: Mapping[str, Any], manifest: Manifest, keys: Iterable[str], judge: Judge
) -> dict[str, int]:
    """Publish `OUT/.colorize/summary.json`.

    Args:
        out: the output folder.
        head: what stands before the items: version, settings, seconds, ...
        manifest: holds the reports.
        keys: of the source's items, in order; those not in the manifest count as `left`.
        judge: see `verdicts`.

    Returns:
        Totals by status, with `suspicious`, `left` and `items`.
    """
    keys = list(keys)
    verdict = judge(_signals(manifest, keys))
    totals: Counter[str] = Counter(
        dict.fromkeys(("done", "degraded", "skipped", "failed", "suspicious", "left"), 0)
    )
    passing("summary: before")
    with publish(RunFolder(out).summary) as temporary, temporary.open("w") as file:
        file.write(json.dumps(dict(head))[:-1] + ', "items": [')
        separator = "\n"
        for key in keys:
            report = manifest.get(key)
            if report is None:
                totals["left"] += 1
                continue
            item = _item(report, verdict(report))
            totals[report.status] += 1
            totals["suspicious"] += bool(item.get("suspicious"))
            file.write(separator + json.dumps(item))
            separator = ",\n"
        totals["items"] = len(keys)
        file.write(f'\n], "totals": {json.dumps(totals)}}}\n')
    return dict(totals)


def _signals(manifest: Manifest, keys: Iterable[str]) -> Iterable[Signals]:
    for key in keys:
        report = manifest.get(key)
        if report is not None and (signals := signals_of(report)):
            yield signals


def _item(report: ItemReport, verdict: Verdict) -> dict[str, Any]:
    item = to_json(report) | {"doubt": round(verdict.doubt, 4)}
    return item | {"suspicious": list(verdict.reasons)} if verdict.reasons else item
