"""`--verify`: hash every recorded output again, and the sources that they were made of."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from colorize_core.archive.records.details import FilmDetails
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.contents import item_sha256, sound_sha256
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.storage.storage import Storage
from colorize_core.errors import InputError, UsageError


@dataclass(frozen=True)
class Verified:
    """How many outputs were looked at, and what is wrong with some.

    Attributes:
        outputs: how many there are.
        problems: by their path in OUT.
        damaged: paths in the source of those with problems.
        sources: what is wrong with sources, by their path.
    """

    outputs: int
    problems: dict[str, str]
    damaged: frozenset[str] = frozenset()
    sources: dict[str, str] = field(default_factory=dict)


def verify_outputs(storage: Storage, sources: Iterable[SourceItem] = ()) -> Verified:
    """Compare every output with its recorded sha256, and sources with theirs; nothing is changed.

    Args:
        storage: OUT.
        sources: items to look at, too.

    Raises:
        UsageError: no run has written to it.
    """
    storage.open_records()
    path = RunFolder(storage.folder).manifest
    if not path.exists():
        raise UsageError(f"{storage}: no run has written here", remedy="give the --out of a run")
    latest: dict[str, ItemReport] = {}
    originals: dict[tuple[str, str], ItemReport] = {}
    for report in Manifest(path).reports():
        if report.source_sha256:
            originals[report.kind, report.source] = report
        if report.kind != "segment" and report.output is not None:
            # An output may have been made again under another key: the last line counts.
            latest[report.output] = report
    with ThreadPoolExecutor(storage.at_once) as pool:
        said = pool.map(storage.problem, latest, [r.sha256 for r in latest.values()])
        found = dict(zip(latest, said, strict=True))
    problems = {name: problem for name, problem in found.items() if problem}
    return Verified(
        len(latest),
        problems,
        frozenset(latest[name].source for name in problems),
        {
            item.path: problem
            for item in sources
            if (known := originals.get((item.kind, item.path)))
            and (problem := _source_problem(item, known))
        },
    )


def is_as_recorded(storage: Storage, report: ItemReport) -> bool:
    """Whether the output that a line tells of is there with its content, or there is none."""
    return report.output is None or not storage.problem(report.output, report.sha256)


def _source_problem(item: SourceItem, known: ItemReport) -> str:
    sound = known.details.sound if isinstance(known.details, FilmDetails) else None
    try:
        is_same = item_sha256(item) == known.source_sha256
        sounds_same = sound is None or sound_sha256(item) == sound.sha256
    except InputError as error:
        return error.message
    except OSError as error:
        return f"cannot be read: {error.strerror or error}"
    if not is_same:
        return "another content than what was colored"
    return "" if sounds_same or sound is None else f"{sound.path}: another sound than it got"
