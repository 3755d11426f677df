"""What stands after all events of a review: for each item its hints, settings and decision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from colorize_core.archive.records.review_log import Event, ReviewLog
from colorize_core.archive.records.run_folder import RunFolder

Decision = Literal["", "accepted", "rejected"]
PARTS: Final = ("hint", "gray", "color", "reference")
EDITS: Final = (*PARTS, "remove", "set")  # what asks for another result
_DECISIONS: Final[Mapping[str, Decision]] = {
    "accept": "accepted",
    "reject": "rejected",
    "undecided": "",
}


@dataclass
class ItemReview:
    """What reviewers have said of one item.

    Attributes:
        parts: what was added, by the id of its event, in order.
        settings: by dotted name; None where one goes back to the run's.
        decision: the last one; an edit after it takes it back.
        by: who decided.
        key: of the result that was accepted.
        note: text.
        is_edited: another result was asked for once, even where that was taken back.
    """

    parts: dict[str, Event] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    decision: Decision = ""
    by: str = ""
    key: str = ""
    note: str = ""
    is_edited: bool = False

    def of_kind(self, kind: str) -> list[Event]:
        """Parts of one kind, in order."""
        return [event for event in self.parts.values() if event.do == kind]

    def take(self, event: Event) -> None:
        """Let an event that was not undone have its effect."""
        if event.do in EDITS:
            self._edit(event)
        elif event.do in _DECISIONS:
            self.decision, self.by = _DECISIONS[event.do], event.who
            self.key = str(event.value or "") if event.do == "accept" else ""
        elif event.do == "note":
            self.note = str(event.value or "")

    def _edit(self, event: Event) -> None:
        if event.do in PARTS:
            self.parts[event.id] = event
        elif event.do == "remove":
            self.parts.pop(str(event.value), None)
        elif isinstance(event.value, Mapping):
            self.settings.update({str(k): v for k, v in event.value.items()})
        self.is_edited = True
        self.decision, self.by, self.key = "", "", ""


@dataclass
class Reviews:
    """The whole review.

    Attributes:
        items: by path in the source.
        palette: named colors of the archive, "#rrggbb" by name; None where a name was taken back.
    """

    items: dict[str, ItemReview] = field(default_factory=dict)
    palette: dict[str, str | None] = field(default_factory=dict)


def fold(events: Iterable[Event]) -> Reviews:
    """What stands after these events, given in their order in time."""
    events = list(events)
    undone = {str(event.value) for event in events if event.do == "undo"}
    reviews = Reviews()
    for event in events:
        if event.id in undone:
            _take_back(reviews, event)
            continue
        if event.do == "name" and isinstance(event.value, Mapping):
            _name(reviews.palette, event.value)
        elif event.item:
            reviews.items.setdefault(event.item, ItemReview()).take(event)
    return reviews


def _take_back(reviews: Reviews, event: Event) -> None:
    """What an undone event leaves: its item and its settings were once asked for."""
    if event.do == "name" and isinstance(event.value, Mapping):
        reviews.palette.setdefault(str(event.value.get("name", "")), None)
    elif event.item and event.do in EDITS:
        review = reviews.items.setdefault(event.item, ItemReview())
        review.is_edited = True
        if event.do == "set" and isinstance(event.value, Mapping):
            for name in event.value:
                review.settings.setdefault(str(name), None)


def _name(palette: dict[str, str | None], value: Mapping[str, Any]) -> None:
    color = value.get("color")
    palette[str(value.get("name", ""))] = None if color is None else str(color)


def accepted(out: Path) -> dict[str, str]:
    """Keys of the results that reviewers accepted, by path in the source."""
    if not RunFolder(out).review.is_dir():
        return {}
    log = ReviewLog(out)
    log.read()
    reviews = fold(log.events())
    return {
        path: review.key
        for path, review in reviews.items.items()
        if review.decision == "accepted" and review.key
    }
