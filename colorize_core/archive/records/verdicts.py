"""How much each result deserves a look, beside the others of its archive."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from colorize_core.archive.records.details import FilmDetails, PhotoDetails, Signals
from colorize_core.archive.records.work import ItemReport


class Verdict(NamedTuple):
    """What is to be said of one item.

    Attributes:
        reasons: to look at it, in words.
        doubt: the higher, the more it deserves a look; below 0 where there is nothing to see.
    """

    reasons: tuple[str, ...]
    doubt: float


# From the signals of the whole archive to what is to be said of one item.
Judge = Callable[[Iterable[Signals]], Callable[[ItemReport], Verdict]]


def signals_of(report: ItemReport) -> Signals:
    """Of a photo or film that was colored; else empty."""
    is_colored = report.status in ("done", "degraded")
    if is_colored and isinstance(report.details, PhotoDetails | FilmDetails):
        return report.details.signals
    return {}
