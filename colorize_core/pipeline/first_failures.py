"""The first inputs that fail are said at once, with reason and remedy; the rest are counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from colorize_core.archive.records.work import ItemReport

SHOWN: Final = 5


class FirstFailures:
    """Says the first failures of a run.

    Args:
        say: prints one line.

    Attributes:
        count: of failed photos and films so far.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.count = 0

    def see(self, report: ItemReport) -> None:
        """Look at a report; one that failed is said or counted."""
        if report.status != "failed" or report.kind in ("scan", "segment"):
            return
        self.count += 1
        if self.count <= SHOWN:
            self._say(f"failed: {words(report)}")
        if self.count == SHOWN:
            self._say("further failures are counted here, and listed on the page of the run")


def words(report: ItemReport) -> str:
    """Path, reason and remedy in one line."""
    remedy = f" -> {report.remedy}" if report.remedy else ""
    return " ".join(f"{report.source}: {report.reason}{remedy}".split())
