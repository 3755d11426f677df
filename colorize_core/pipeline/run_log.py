"""What other programs read of a run while it goes: a log in JSON, and a file for Prometheus."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from colorize_core.archive.records.manifest import to_json
from colorize_core.archive.records.work import ItemReport
from colorize_core.atomic import publish_bytes
from colorize_core.errors import UsageError

_IN_LOG: Final = (
    *("key", "kind", "source", "status", "output", "reason", "remedy", "error"),
    *("frames", "size", "seconds", "sha256"),
)
# Of Progress.state(): name, help, and key.
_METRICS: Final = (
    ("colorize_items", "items of the source", "total"),
    ("colorize_items_left", "items not finished", "left"),
    ("colorize_items_done", "items finished, failed ones too", "done"),
    ("colorize_items_failed", "items that failed in this run", "failed"),
    ("colorize_photos_per_second", "photos finished a second", "photos_per_second"),
    ("colorize_frames_per_second", "film frames finished a second", "frames_per_second"),
    ("colorize_eta_seconds", "seconds to go; NaN while unknown", "eta_seconds"),
    ("colorize_updated_timestamp_seconds", "when this was written", "updated"),
)


class RunLog:
    """Writes both files; either can be None.

    Args:
        log: gets a JSON object a line; lines of earlier runs stay.
        prometheus: text file for node_exporter's textfile collector, replaced as a whole.

    Raises:
        UsageError: one of them cannot be written.
    """

    def __init__(self, log: Path | None = None, prometheus: Path | None = None) -> None:
        self._prometheus = prometheus
        try:
            self._log = log.open("a", encoding="ascii") if log else None
            if prometheus:
                publish_bytes(prometheus, b"")
        except OSError as error:
            raise UsageError(
                f"--log-json or --prometheus: {error.filename}: {error.strerror}",
                remedy="choose another",
            ) from error

    def event(self, name: str, **values: Any) -> None:
        """One line."""
        if self._log:
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._log.write(json.dumps({"time": now, "event": name, **values}) + "\n")
            self._log.flush()

    def item(self, report: ItemReport) -> None:
        """One line for a finished item or segment."""
        if self._log:
            body = to_json(report)
            self.event("item", **{name: body[name] for name in _IN_LOG if name in body})

    def state(self, state: Mapping[str, Any]) -> None:
        """How far the run is: for Prometheus, and as a line."""
        self.event("progress", **state)
        if self._prometheus:
            publish_bytes(self._prometheus, _exposition(state).encode())

    def close(self) -> None:
        """Close the log."""
        if self._log:
            self._log.close()


def _exposition(state: Mapping[str, Any]) -> str:
    """Prometheus' text format, version 0.0.4."""
    values = {**state, "done": state["total"] - state["left"]}
    lines = []
    for name, text, key in _METRICS:
        value = math.nan if values[key] is None else float(values[key])
        lines += [
            f"# HELP {name} {text}",
            f"# TYPE {name} gauge",
            f"{name} {'NaN' if math.isnan(value) else repr(value)}",
        ]
    return "\n".join(lines) + "\n"
