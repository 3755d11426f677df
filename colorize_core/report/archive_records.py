"""Records for archives: checksums, a table, an event per item, and the shots of films."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, TextIO

from colorize_core.archive.records import premis
from colorize_core.archive.records.edl import edit_list
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.atomic import publish, publish_bytes
from colorize_core.report.shown import settings_shown
from colorize_core.report.stream import read_summary

_COLUMNS: Final = (
    *("source", "output", "kind", "status", "reason", "remedy", "error", "suspicious"),
    *("frames", "size", "seconds", "ended", "sha256", "source_sha256"),
)

Add = Callable[[Mapping[str, Any]], None]


def write_records(out: Path) -> Path:
    """Publish the records of the run in summary.json, in one pass over it.

    `OUT/manifest-sha256.txt` is what `sha256sum -c` takes in OUT; folders of frames are not in it
    (`--verify` looks at these). `items.csv`, `premis.json` and the edit lists stand in
    `OUT/report/records`.

    Returns:
        That folder.

    Raises:
        ManifestError: there is no readable summary.
    """
    folder, header = RunFolder(out), dict[str, Any]()
    with ExitStack() as stack:

        def opened(path: Path, newline: str) -> TextIO:
            temporary = stack.enter_context(publish(path))
            # Names that are not Unicode keep their bytes.
            return stack.enter_context(
                temporary.open("w", encoding="utf-8", errors="surrogateescape", newline=newline)
            )

        events = opened(folder.records / "premis.json", "\n")
        adds = [
            _checksums(opened(folder.checksums, "\n"), out),
            _table(opened(folder.records / "items.csv", "")),
            _events(events),
            _shots(folder.records / "shots"),
        ]
        for item in read_summary(folder.summary, header):
            for add in adds:
                add(item)
        shown = {**header, "settings": settings_shown(header.get("settings", {}))}
        events.write(f'\n], "agents": {json.dumps(premis.agents(shown))}}}\n')
    return folder.records


def _checksums(file: TextIO, out: Path) -> Add:
    def add(item: Mapping[str, Any]) -> None:
        output, sha256 = item.get("output"), item.get("sha256")
        if output and sha256 and not (out / output).is_dir():
            file.write(_checksum_line(str(output), str(sha256)))

    return add


def _checksum_line(name: str, sha256: str) -> str:
    r"""As GNU coreutils write it: a name with a \ or a line break is escaped, and marked by a \."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return f"{mark}{sha256}  {escaped}\n"


def _table(file: TextIO) -> Add:
    writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()

    def add(item: Mapping[str, Any]) -> None:
        reasons = item.get("suspicious")
        writer.writerow({**item, "suspicious": "; ".join(reasons) if reasons else ""})

    return add


def _events(file: TextIO) -> Add:
    separator = '{"events": ['

    def add(item: Mapping[str, Any]) -> None:
        nonlocal separator
        file.write(f"{separator}\n{json.dumps(premis.event(item))}")
        separator = ","

    file.write(separator)
    separator = ""
    return add


def _shots(folder: Path) -> Add:
    def add(item: Mapping[str, Any]) -> None:
        details = item.get("details") or {}
        output, rate = item.get("output"), details.get("rate")
        if item.get("kind") != "film" or not output or not rate:
            return
        path = folder / f"{output}.edl"
        if len(os.fsencode(path.name)) > 255:
            path = path.with_name(f"{item['key']}.edl")
        text = edit_list(
            str(output), details.get("cuts", ()), frames=item.get("frames", 1), rate=rate
        )
        publish_bytes(path, text.encode())

    return add
