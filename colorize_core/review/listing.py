"""What the page gets to know, as JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from colorize_core.archive.records.details import FilmDetails
from colorize_core.config import as_tree
from colorize_core.errors import InputError, UsageError
from colorize_core.review.catalog import Entry
from colorize_core.review.derived import tree_of
from colorize_core.review.edits import SETTINGS
from colorize_core.review.state import Review

_FILTERS: Final[Mapping[str, Callable[[Review, Entry], bool]]] = {
    "all": lambda _review, _entry: True,
    "doubtful": lambda _review, entry: bool(entry.reasons) or entry.report.status == "degraded",
    "open": lambda review, entry: not review.review(entry).decision,
    "accepted": lambda review, entry: review.review(entry).decision == "accepted",
    "rejected": lambda review, entry: review.review(entry).decision == "rejected",
    "changed": lambda review, entry: review.is_changed(entry),
    "films": lambda _review, entry: entry.is_film,
    "failed": lambda _review, entry: entry.report.output is None,
}
_SORTS: Final[Mapping[str, Callable[[Entry], Any]]] = {
    "doubt": lambda entry: (-entry.doubt, entry.source),
    "name": lambda entry: entry.source,
}


def listed(
    review: Review, *, show: str, sort: str, find: str, start: int, count: int
) -> dict[str, Any]:
    """One stretch of the items that fit.

    Args:
        review: the review.
        show: a filter.
        sort: "doubt" or "name".
        find: part of the name.
        start: number of the first one.
        count: how many at most.

    Raises:
        UsageError: no such filter or order.
    """
    if show not in _FILTERS or sort not in _SORTS:
        raise UsageError("no such filter or order")
    fits, wanted = _FILTERS[show], find.casefold()
    found = [
        entry
        for entry in review.catalog.entries.values()
        if fits(review, entry) and wanted in entry.name.casefold()
    ]
    if sort != "doubt":  # the catalog's own order
        found.sort(key=_SORTS[sort])
    part = found[start : start + count]
    return {"total": len(found), "items": [review.item(entry) for entry in part]}


def overview(review: Review, job: Mapping[str, Any]) -> dict[str, Any]:
    """Counts, the palette, the job."""
    entries = list(review.catalog.entries.values())
    decided = sum(bool(review.review(entry).decision) for entry in entries)
    counts = {
        name: sum(fits(review, entry) for entry in entries) for name, fits in _FILTERS.items()
    }
    palette = review.rules().palette() | review.reviews.palette
    return {
        "source": review.started.source,
        "counts": counts,
        "decided": decided,
        "palette": {name: color for name, color in palette.items() if color},
        "job": dict(job),
        "problem": review.problem,
        "damaged": review.log.damaged_lines,
    }


def detailed(review: Review, entry: Entry) -> dict[str, Any]:
    """One item with its parts, its settings and, of a film, its shots."""
    order = review.next_order()  # before anything is looked up: what comes later has a later one
    said = review.review(entry)
    found = review.item(entry) | {"order": order}
    found["parts"] = [
        {"id": part.id, "kind": part.do, "who": part.who, "value": part.value}
        for part in said.parts.values()
    ]
    found["settings"] = _settings(review, entry)
    found["asked"] = tree_of(said)
    details = entry.report.details
    if isinstance(details, FilmDetails) and details.thumbnails is not None:
        found["shots"] = [shot.time for shot in details.thumbnails.strip]
    found["pages"] = _pages(review, entry)
    return found


def _settings(review: Review, entry: Entry) -> dict[str, Any]:
    """The settings that the page can change, as they are for this item."""
    tree = as_tree(review.config_for(entry.source))
    found = {}
    for name in SETTINGS:
        group, _, key = name.partition(".")
        found[name] = tree[group][key]
    said = review.review(entry).settings
    return found | {name: value for name, value in said.items() if value is not None}


def _pages(review: Review, entry: Entry) -> int:
    """How many pages a photo has; what cannot be read says so when its picture is asked for."""
    if entry.is_film:
        return 1
    try:
        return len(review.pictures.photo(entry, "before").pages)
    except (InputError, OSError):
        return 1
