"""What a run still has to do, and how long it takes by what units have cost so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from colorize_core.archive.records.details import SegmentDetails
from colorize_core.archive.records.in_hand import InHand
from colorize_core.archive.records.work import ItemReport, UnitReport
from colorize_core.archive.source.item import SourceItem

Kind = Literal["photo", "film"]
_KINDS: Final[tuple[Kind, Kind]] = ("photo", "film")


class WorkLeft:
    """Bytes left of photos and of films, each at what its bytes have cost a worker.

    A byte of a film and one of a photo cost very different times. Where only one kind has been
    met, the other counts like it, until its first unit says better.

    Args:
        items: what the run has to do.

    Attributes:
        items: how many are left, by kind.
    """

    def __init__(self, items: Sequence[SourceItem]) -> None:
        self._sizes = {(item.kind, item.path): max(1, item.size) for item in items}
        self.items: dict[Kind, int] = dict.fromkeys(_KINDS, 0)
        self._bytes: dict[Kind, float] = dict.fromkeys(_KINDS, 0.0)
        for (kind, _), size in self._sizes.items():
            self.items[kind] += 1
            self._bytes[kind] += size
        self._shares: dict[str, float] = {}  # finished, of films in work
        self._done: dict[Kind, float] = dict.fromkeys(_KINDS, 0.0)
        self._seconds: dict[Kind, float] = dict.fromkeys(_KINDS, 0.0)
        self._item_seconds: dict[Kind, float] = dict.fromkeys(_KINDS, 0.0)

    def __len__(self) -> int:
        return len(self._sizes)

    def add(self, report: UnitReport) -> None:
        """Take off what a unit finished; what was taken off before counts once."""
        if not report.items:
            return
        kind: Kind = "photo" if report.items[0].kind == "photo" else "film"
        self._seconds[kind] += report.seconds
        for item in report.items:
            size = self._taken(kind, item)
            self._bytes[kind] -= size
            self._done[kind] += size
            self._item_seconds[kind] += item.seconds if item.kind != "film" else 0.0

    @property
    def share(self) -> float:
        """Films in work, each as the share of it that is finished."""
        return sum(self._shares.values())

    def spent(self) -> dict[str, dict[Kind, float]]:
        """Seconds of workers by kind: of units, and of the items in them, which overlap."""
        return {
            "unit_seconds": {kind: round(s, 3) for kind, s in self._seconds.items()},
            "seconds_of": {kind: round(s, 3) for kind, s in self._item_seconds.items()},
        }

    def seconds(self, elapsed: float, busy: Sequence[InHand] = ()) -> float | None:
        """How long the rest takes, or None while nothing is finished.

        Args:
            elapsed: wall time since the first unit began.
            busy: what workers have in hand.
        """
        in_hand = self._in_hand(busy)
        left = {kind: max(0.0, size - in_hand[kind]) for kind, size in self._bytes.items()}
        cost = {kind: s / self._done[kind] for kind, s in self._seconds.items() if self._done[kind]}
        if not cost:
            done = sum(in_hand.values())
            return elapsed * sum(left.values()) / done if done else None
        usual = max(cost.values())
        work, begun = (
            sum(size * cost.get(kind, usual) for kind, size in part.items())
            for part in (left, in_hand)
        )
        # Units of several workers overlap, so their time is set against the wall's.
        spent = sum(self._seconds.values()) + begun
        return elapsed * work / spent if spent else None

    def _taken(self, kind: Kind, item: ItemReport) -> float:
        """Bytes that a report finishes."""
        if isinstance(item.details, SegmentDetails):
            share = item.details.share
            self._shares[item.source] = self._shares.get(item.source, 0.0) + share
            return self._sizes.get((kind, item.source), 0) * share
        size = 0 if item.kind == "scan" else self._sizes.pop((kind, item.source), 0)
        if not size:
            return 0.0
        self.items[kind] -= 1
        return size * (1 - self._shares.pop(item.source, 0.0))

    def _in_hand(self, busy: Sequence[InHand]) -> dict[Kind, float]:
        photos = self.items["photo"]
        mean = self._bytes["photo"] / photos if photos else 0.0
        return {
            "photo": min(self._bytes["photo"], mean * sum(said.photos for said in busy)),
            "film": sum(self._sizes.get(("film", said.source), 0) * said.share for said in busy),
        }
