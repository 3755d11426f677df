"""What a run says at its end: counts, what each word means, and where to look, last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.storage.storage import Storage
from colorize_core.cli.command import say
from colorize_core.errors import EXIT_SOME_FAILED
from colorize_core.pipeline.comparisons import Comparisons
from colorize_core.pipeline.job import Outcome
from colorize_core.pipeline.orphans import Orphan
from colorize_core.pipeline.progress import format_seconds

# What a total means, and what to do about it.
_MEANINGS: Final = {
    "degraded": "finished, with a loss that the page names: compare these with the originals",
    "skipped": "not touched, for the reason on the page: --colored recolor takes those in color",
    "failed": "no result, for the reason on the page; after a remedy: --retry-failed",
    "left": "not done yet: run the same command again",
    "suspicious": "to look at: by `colorize-archive review OUT`, or tick what is wrong on the "
    "page, export it, run with --redo-list",
}

_NAMED: Final = 5  # orphans


def say_outcome(outcome: Outcome, storage: Storage) -> None:
    """Say how many items ended how, and what was left out."""
    totals = outcome.totals
    words = ("done", "degraded", "skipped", "failed", "left")
    counts = ", ".join(f"{totals[word]} {word}" for word in words if totals[word])
    say(f"{counts or 'nothing to do'} in {format_seconds(outcome.seconds)}: {storage}")
    for word, meaning in _MEANINGS.items():
        if totals[word]:
            say(f"  {totals[word]} {word}: {meaning}")
    for what, counted in outcome.left_out.items():
        if counted:
            say(f"{what}: {', '.join(f'{count} {name}' for name, count in counted.items())}")
    if outcome.orphans:
        _say_orphans(outcome.orphans)
    if outcome.comparisons is not None:
        _say_comparisons(outcome.comparisons, storage.folder)
    if outcome.ending.blocked:
        say(f"stopped: {outcome.ending.blocked}; free some space and run the same command again")
    elif outcome.ending.stopped:
        say("stopped; the same command resumes")


def last_line(outcome: Outcome, page: str) -> str:
    """The path to look at, behind the number of failures where there are any."""
    if outcome.exit_code == EXIT_SOME_FAILED:
        failed = outcome.totals["failed"]
        return f"finished; {failed} input{'s' * (failed > 1)} failed, see {page}"
    return f"see {page}"


def _say_orphans(found: Sequence[Orphan]) -> None:
    """The first few by name; all are in summary.json."""
    more = f" and {len(found) - _NAMED} more, see summary.json" if len(found) > _NAMED else ""
    names = ", ".join(map(str, found[:_NAMED]))
    say(f"{len(found)} in OUT without a source in SRC, left as they are: {names}{more}")


def _say_comparisons(found: Comparisons, out: Path) -> None:
    words = ((found.made, "made"), (found.current, "there before"), (found.failed, "failed"))
    counts = ", ".join(f"{count} {word}" for count, word in words if count) or "nothing to compare"
    ended = f"; ended early: {found.ended}" if found.ended else ""
    say(f"side by side: {counts}{ended}: {RunFolder(out).compare}")
