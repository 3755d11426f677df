"""Make OUT/report/index.html: the page of a run. It opens from the disk, without any network."""

from __future__ import annotations

import json
import re
import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import jinja2

from colorize_core.archive.records.comparisons import comparison_path
from colorize_core.archive.records.output_paths import output_in, require_own_folders
from colorize_core.archive.records.run_folder import COMPARE_FOLDER, RunFolder
from colorize_core.atomic import publish_bytes
from colorize_core.errors import ManifestError, UnsafePathError
from colorize_core.report import page_data
from colorize_core.report.orders import Orders
from colorize_core.report.records import (
    FILTERS,
    display,
    doubt_of,
    duration_text,
    filters_of,
    output_url,
    page_record,
)
from colorize_core.report.shown import settings_shown, source_shown
from colorize_core.report.stream import read_summary

_CHUNK: Final = 240  # records per data file: four pages of the grid
_GROUPS: Final = 100  # kinds of trouble listed on the page
_EXAMPLES: Final = 5
_HERE: Final = Path(__file__).parent
_FILES: Final = ("report.css", "report.js", "viewer.js")


@dataclass
class _Totals:
    """What is counted while the items pass by."""

    filters: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    work: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    groups: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    unlisted: int = 0


def build(out: Path) -> Path:
    """Write the page for the run recorded in OUT/.colorize/summary.json.

    summary.json holds "items", a list of objects with the fields of ItemReport plus "suspicious"
    (a list of reasons) and "doubt", and beside it "version", "settings", "weights_sha256",
    "seconds", "source" and, when known, "finished", "computed" and "palette" (colors "#rrggbb" by
    name). Memory stays bounded: items are read one by one, and the page loads chunks of them when
    it needs them.

    Returns:
        The path of index.html, published last: an older page stays whole until then.

    Raises:
        ManifestError: there is no readable summary.
    """
    summary = RunFolder(out).summary
    if not summary.is_file():
        raise ManifestError(
            f"{summary}: not found", remedy="OUT must be the output folder of a run that has ended"
        )
    require_own_folders(out)
    folder = RunFolder(out).page
    data = page_data.new_folder(folder)
    header: dict[str, Any] = {}
    totals, orders = _Totals(), Orders()
    languages = sorted(path.stem for path in (_HERE / "languages").glob("*.js"))
    try:
        chunks = _write_chunks(out, header, data, totals, orders)
        index = {
            "chunks": chunks,
            "filters": {name: totals.filters[name] for name in FILTERS},
            "folders": orders.folders,
            "languages": languages,
            "data": f"data/{data.name}",
        }
        page_data.write_numbers(data / "orders.js", "orders", orders.arrays())
        (data / "index.js").write_text(page_data.script("start", index), encoding="ascii")
    except BaseException:
        page_data.remove(data)
        raise
    for name in (*_FILES, *(f"languages/{language}.js" for language in languages)):
        publish_bytes(folder / name, (_HERE / name).read_bytes())
    page = folder / "index.html"
    publish_bytes(page, _render(header, totals, f"data/{data.name}", languages).encode())
    page_data.remove_old(folder, keep=data)
    return page


def _write_chunks(
    out: Path, header: dict[str, Any], data: Path, totals: _Totals, orders: Orders
) -> list[dict[str, Any]]:
    """Records in the order of the page; until that is known they wait in a file."""
    foreign = _outputs_among_comparisons(out)
    places = array("Q")
    with tempfile.TemporaryFile(dir=data) as waiting:
        for item in read_summary(RunFolder(out).summary, header):
            record = page_record(item)
            comparison = _comparison(out, item, foreign)
            if comparison:
                record["side"] = comparison
            _count(item, record, totals)
            orders.add(record, doubt_of(item), item.get("stamp"))
            places.append(waiting.tell())
            waiting.write(json.dumps(record).encode() + b"\n")
        order = orders.by_doubt
        return [
            _write_chunk(
                data, at // _CHUNK, [_line(waiting, places[n]) for n in order[at : at + _CHUNK]]
            )
            for at in range(0, len(order), _CHUNK)
        ]


def _line(file: IO[bytes], place: int) -> dict[str, Any]:
    file.seek(place)
    found: dict[str, Any] = json.loads(file.readline())
    return found


def _outputs_among_comparisons(out: Path) -> set[str]:
    """Outputs of a source with its own `report/compare`: they are no comparisons."""
    if not (out / COMPARE_FOLDER).is_dir():
        return set()
    outputs = (str(item.get("output")) for item in read_summary(RunFolder(out).summary, {}))
    return {output for output in outputs if output.startswith(f"{COMPARE_FOLDER}/")}


def _comparison(out: Path, item: Mapping[str, Any], foreign: set[str]) -> str | None:
    """Link to what `--compare` made of an item, if it did."""
    output, kind = item.get("output"), item.get("kind")
    if not isinstance(output, str) or output_url(output) is None:
        return None
    path = comparison_path(output, "film" if kind == "film" else "photo")
    try:
        is_there = path not in foreign and output_in(out, path).is_file()
    except (UnsafePathError, OSError):  # a name without room for one more suffix
        return None
    return output_url(path) if is_there else None


def _write_chunk(data: Path, number: int, records: list[dict[str, Any]]) -> dict[str, Any]:
    """A data file of the page, and what the page has to know of it before it is loaded."""
    name = f"0-{number}"
    counts = Counter(found for record in records for found in filters_of(record))
    (data / f"{name}.js").write_text(page_data.script("chunk", name, records), encoding="ascii")
    return {"name": name, "count": len(records), "counts": dict(counts)}


def _count(item: Mapping[str, Any], record: Mapping[str, Any], totals: _Totals) -> None:
    totals.filters.update(filters_of(record))
    totals.statuses[record["status"]] += 1
    totals.kinds[record["kind"]] += 1
    if record["status"] in ("done", "degraded") and isinstance(item.get("seconds"), int | float):
        frames = item.get("frames", 1) if record["kind"] == "film" else 1
        totals.work[f"{record['kind']} seconds"] += item["seconds"]
        totals.work[f"{record['kind']} units"] += frames if isinstance(frames, int) else 1
    if record["status"] not in ("failed", "degraded"):
        return
    what = display(str(item.get("error", ""))) or record.get("reason", "")
    key = (record["status"], what)
    if key not in totals.groups and len(totals.groups) == _GROUPS:
        totals.unlisted += 1
        return
    group = totals.groups.setdefault(
        key,
        {
            "status": key[0],
            "what": what[:1].upper() + what[1:] or "No reason given",
            "count": 0,
            "examples": [],
        },
    )
    group["count"] += 1
    if len(group["examples"]) < _EXAMPLES:
        names = ("name", "reason", "remedy")
        group["examples"].append({name: record.get(name, "") for name in names})


def _render(header: Mapping[str, Any], totals: _Totals, data: str, languages: Sequence[str]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    groups = sorted(totals.groups.values(), key=lambda g: (g["status"] != "failed", -g["count"]))
    return environment.get_template("page.html").render(
        source=display(source_shown(str(header.get("source", "")))),
        finished=_when(header.get("finished")),
        facts=_run_facts(header, totals),
        settings=json.dumps(
            settings_shown(header.get("settings", {})), indent=2, ensure_ascii=True
        ),
        filters=totals.filters,
        done=totals.statuses["done"],
        kinds=totals.kinds,
        groups=groups,
        unlisted=totals.unlisted,
        left=_left(header),
        palette=_palette(header),
        data=data,
        languages=languages,
    )


def _palette(header: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Named colors of the archive; what is no color cannot reach the page."""
    found = header.get("palette")
    pairs = found.items() if isinstance(found, Mapping) else ()
    return [(display(str(name)), color) for name, color in pairs if _is_color(color)]


def _is_color(color: object) -> bool:
    return isinstance(color, str) and re.fullmatch("#[0-9a-fA-F]{6}", color) is not None


def _left(header: Mapping[str, Any]) -> int:
    totals = header.get("totals")
    left = totals.get("left") if isinstance(totals, Mapping) else None
    return left if isinstance(left, int) else 0


def _when(finished: object) -> str:
    try:
        moment = datetime.fromisoformat(str(finished))
    except ValueError:
        return ""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _run_facts(header: Mapping[str, Any], totals: _Totals) -> list[tuple[str, str]]:
    facts = []
    seconds = header.get("seconds")
    if isinstance(seconds, int | float) and seconds > 0:
        facts.append(("This run took", duration_text(seconds)))
        computed = header.get("computed")
        for name, count in computed.items() if isinstance(computed, Mapping) else ():
            if isinstance(count, int | float) and count > 0:
                facts.append(
                    (
                        f"{display(str(name)).capitalize()} per hour",
                        f"{count / seconds * 3600:,.0f}",
                    )
                )
    for kind, unit in (("photo", "photo"), ("film", "film frame")):
        if totals.work[f"{kind} units"]:
            mean = totals.work[f"{kind} seconds"] / totals.work[f"{kind} units"]
            facts.append((f"Work per {unit}", f"{mean:.2f} s"))
    weights = header.get("weights_sha256")
    if weights:
        facts.append(("Generator", display(str(weights))[:12]))
    version = header.get("version")
    if version:
        facts.append(("Version", display(str(version))))
    return facts
