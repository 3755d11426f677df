"""What the page knows of one item. Every string here comes from outside and is not trusted."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from colorize_core.media.picture.names import SHOWN_BY_BROWSERS

_PLAYED: Final = (".mp4", ".m4v", ".webm", ".mkv", ".mov")
_MOST_SHOTS: Final = 500
STATUSES: Final = ("done", "degraded", "skipped", "failed")
FILTERS: Final = ("all", "suspicious", "failed", "degraded", "skipped", "unread", "films")
_THUMBNAIL: Final = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*\.(jpg|webp|png|mp4|webm)")


def page_record(item: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON object for the page: display texts, and URLs relative to OUT/report/index.html.

    Texts stay texts: the page sets them as text, never as markup. `source` is kept exactly, since
    it goes back into a redo list; a name that is not Unicode keeps its lone surrogates.
    """
    details = item.get("details")
    details = details if isinstance(details, Mapping) else {}
    status = item.get("status") if item.get("status") in STATUSES else "failed"
    record = {
        "source": str(item.get("source", "")),
        "name": display(str(item.get("source", ""))),
        "href": output_url(item.get("output")),
        "status": status,
        "kind": "film" if item.get("kind") == "film" else "photo",
        "reason": display(str(item.get("reason", ""))),
        "remedy": display(str(item.get("remedy", ""))),
        "suspicious": _texts(item.get("suspicious")),
        "thumbs": _pair(details.get("thumbnails")),
        "strip": _strip(details.get("thumbnails")),
        "preview": _preview(details.get("thumbnails")),
        "kept": _texts(details.get("kept")),
        "lost": _texts(details.get("lost")),
        "unread": status == "skipped" and bool(item.get("error")),
        "facts": _facts(item, details),
        "large": _large(details.get("thumbnails")),
        "shots": _shots(item, details),
    }
    record["shows"] = _shows(record["href"], record["kind"])
    return {name: value for name, value in record.items() if value not in ("", None, [], {}, False)}


def filters_of(record: Mapping[str, Any]) -> list[str]:
    """Names of the filters that show a record."""
    names = ["all"]
    if record.get("suspicious"):
        names.append("suspicious")
    if record["status"] != "done":
        names.append(record["status"])
    if record.get("unread"):
        names.append("unread")
    if record["kind"] == "film":
        names.append("films")
    return names


def doubt_of(item: Mapping[str, Any]) -> float:
    """How much an item deserves a look, as its run has judged."""
    return _number(item.get("doubt")) or 0.0


def display(text: str) -> str:
    """Text that can be encoded: lone surrogates (bytes that are not UTF-8) become U+FFFD."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def output_url(output: object) -> str | None:
    """Link from the page to a file under OUT, or None when the path could leave it."""
    if not isinstance(output, str) or not output or "\0" in output:
        return None
    if output.startswith("/") or ".." in output.split("/"):
        return None
    return "../" + quote(os.fsencode(output), safe="/")


def _thumbnail_url(name: object) -> str | None:
    if isinstance(name, str) and _THUMBNAIL.fullmatch(name):
        return "thumbs/" + name
    return None


def _pair(found: object) -> dict[str, Any] | None:
    if not isinstance(found, Mapping):
        return None
    before, after = _thumbnail_url(found.get("before")), _thumbnail_url(found.get("after"))
    width, height = _number(found.get("width")), _number(found.get("height"))
    if not before or not after or not width or not height:
        return None
    return {"before": before, "after": after, "width": int(width), "height": int(height)}


def _strip(found: object) -> list[dict[str, Any]]:
    if not isinstance(found, Mapping) or not isinstance(found.get("strip"), list):
        return []
    frames = []
    for frame in found["strip"]:
        pair = _pair(frame)
        if pair:
            frames.append({**pair, "time": _number(frame.get("time")) or 0.0})
    return frames


def _preview(found: object) -> str | None:
    preview = found.get("preview") if isinstance(found, Mapping) else None
    return _thumbnail_url(preview.get("file")) if isinstance(preview, Mapping) else None


def _large(found: object) -> dict[str, str] | None:
    """Large pictures of the source, and of a result that browsers cannot show."""
    if not isinstance(found, Mapping):
        return None
    urls = {role: _thumbnail_url(found.get(role)) for role in ("source", "result")}
    return {role: url for role, url in urls.items() if url} or None


def _shows(href: object, kind: object) -> bool:
    """Whether browsers show the output itself."""
    suffixes = _PLAYED if kind == "film" else tuple(SHOWN_BY_BROWSERS)
    return isinstance(href, str) and href.lower().endswith(suffixes)


def _shots(item: Mapping[str, Any], details: Mapping[str, Any]) -> list[float]:
    """Where shots begin, as shares of the film; the first at 0."""
    cuts, frames = details.get("cuts"), _number(item.get("frames"))
    if item.get("kind") != "film" or not isinstance(cuts, list | tuple) or not frames:
        return []
    starts = sorted({cut / frames for cut in map(_number, cuts) if cut and 0 < cut < frames})
    return [0.0, *(round(start, 5) for start in starts[:_MOST_SHOTS])]


def _facts(item: Mapping[str, Any], details: Mapping[str, Any]) -> list[list[str]]:
    facts = []
    width, height = _number(details.get("width")), _number(details.get("height"))
    if width and height:
        facts.append(["Size", f"{width:,.0f} × {height:,.0f}"])  # noqa: RUF001
    frames = _number(item.get("frames")) or _number(details.get("frames"))
    if item.get("kind") == "film" and frames:
        facts.append(["Frames", f"{frames:,.0f}"])
    size = _number(item.get("size"))
    if size:
        facts.append(["File", bytes_text(size)])
    seconds = _number(item.get("seconds"))
    if seconds:
        facts.append(["Work", duration_text(seconds)])
    signals = details.get("signals")
    for name, value in signals.items() if isinstance(signals, Mapping) else ():
        number = _number(value)
        if number is not None and name != "frames":
            facts.append([display(str(name)).capitalize(), f"{number:.1f}"])
    return facts


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e18 else None


def _texts(value: object) -> list[str]:
    return [display(str(text)) for text in value] if isinstance(value, list | tuple) else []


def bytes_text(count: float) -> str:
    """Bytes for people: "3.4 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


def duration_text(seconds: float) -> str:
    """Seconds for people: "0.4 s", "12 s", "3 min 20 s", "7 h 5 min"."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60:,} h {minutes % 60} min"
