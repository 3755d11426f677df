"""Everything that a review knows: the run, the log, what follows from it for each item."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from colorize_core.archive.records.item_hints import ItemHints
from colorize_core.archive.records.output_paths import output_in, require_own_folders
from colorize_core.archive.records.overrides import Overrides, load_overrides, rule_of
from colorize_core.archive.records.review_log import Event, ReviewLog
from colorize_core.archive.records.reviews import EDITS, ItemReview, Reviews, fold
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.started import Started, read_started
from colorize_core.archive.source.globs import exact_glob
from colorize_core.atomic import publish_bytes
from colorize_core.config import ColorizeConfig, from_tree
from colorize_core.errors import ColorizeError, ConfigError, UnsafePathError, UsageError
from colorize_core.review.catalog import Catalog, Entry, described
from colorize_core.review.derived import OWNED, tree_of, write_overrides, written_of
from colorize_core.review.originals import Originals
from colorize_core.review.pictures import Pictures

OVERRIDES: Final = "overrides.yaml"
_NOTHING: Final = ItemReview()


@dataclass
class _File:
    """A file of rules, read again when it changed."""

    path: Path
    stamp: object = None
    rules: Overrides = field(default_factory=Overrides)


class Review:
    """One review over one OUT. Its methods may be called from several threads.

    Args:
        out: output folder of a run, finished or running.

    Raises:
        UsageError: no run has written there.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = RunFolder(out)
        require_own_folders(out)
        self.started = read_started(out)
        self.config = from_tree(ColorizeConfig, self.started.settings, where=str(out))
        self.log = ReviewLog(out)
        self.catalog = Catalog(out)
        self.originals = Originals(out, self.started)
        self.pictures = Pictures(self.originals, self.config_for)
        self.reviews = Reviews()
        self.problem = ""  # why OUT/overrides.yaml could not be written
        self._by_item: dict[str, list[Event]] = {}
        self._rules = [_File(path) for path in _rule_files(out, self.started)]
        self._guard = threading.RLock()
        self._told = 0
        self._orders = itertools.count(1)
        self.refresh()

    def refresh(self) -> set[str]:
        """Take in what runs and other servers have done; returns ids of items that changed."""
        with self._guard:
            self._read_started()
            changed = self.catalog.read()
            self.log.read()
            # Recording and writing read the log, too: what arrived then has not been told yet.
            new = self.log.arrived(self._told)
            self._told += len(new)
            if new or not self._by_item:
                self._fold()
            return changed | ({self.catalog.ids.get(event.item, "") for event in new} - {""})

    def next_order(self) -> int:
        """A number for an answer: of two about one item, the page keeps the one with the later."""
        return next(self._orders)

    def entry(self, id_: str) -> Entry:
        """An item by its id.

        Raises:
            UsageError: there is none.
        """
        found = self.catalog.entries.get(id_)
        if found is None:
            raise UsageError("no such item")
        return found

    def review(self, entry: Entry) -> ItemReview:
        """What was said of an item."""
        return self.reviews.items.get(entry.source, _NOTHING)

    def record(self, do: str, entry: Entry | None, value: Any, who: str, session: str) -> Event:
        """Append to the log; with the first edit of an item, what users wrote of it is taken in."""
        item = entry.source if entry else ""
        with self._guard:
            if entry and do in EDITS and not self.review(entry).is_edited:
                self._take_in(entry)
            if entry and do == "accept":
                value = entry.report.key
            event = self.log.append(do, item=item, value=value, who=who, session=session)
            self._fold()
            return event

    def undo(self, entry: Entry, who: str, session: str) -> Event | None:
        """Take back what this browser did last to an item; None where there is nothing."""
        with self._guard:
            undone = {str(e.value) for e in self.log.events() if e.do == "undo"}
            for event in reversed(self._by_item.get(entry.source, [])):
                if event.session == session and event.do != "undo" and event.id not in undone:
                    return self.record("undo", entry, event.id, who, session)
            return None

    def write(self) -> None:
        """Write OUT/overrides.yaml; what hinders it is kept in `problem`."""
        try:
            write_overrides(self.log)
            self.problem = ""
        except (ColorizeError, OSError) as error:
            self.problem = " ".join(str(error).split())

    def is_changed(self, entry: Entry) -> bool:
        """Something else is asked for than what the result was made from."""
        review = self.review(entry)
        if not review.is_edited:
            return False
        made = self._asked_until(entry)
        events = [e for e in self._by_item.get(entry.source, []) if e.time <= made]
        before = fold(events).items.get(entry.source, ItemReview())
        return tree_of(before) != tree_of(review)

    def changed(self) -> list[Entry]:
        """All items of which something else is asked for."""
        with self._guard:
            ids = [self.catalog.ids[i] for i in self.reviews.items if i in self.catalog.ids]
            return [e for e in map(self.catalog.entries.__getitem__, ids) if self.is_changed(e)]

    def write_redo_list(self) -> Path:
        """The items that changed, as `--redo-list` takes them."""
        path = self.folder.review / "redo.txt"
        lines = [json.dumps(entry.source) + "\n" for entry in self.changed()]
        publish_bytes(path, "".join(lines).encode())
        return path

    def rules(self) -> Overrides:
        """The rules of all files that a run takes."""
        with self._guard:
            return _joined(map(self._fresh, self._rules))

    def config_for(self, path: str) -> ColorizeConfig:
        """Settings of one item, as the next run will have them."""
        return self.rules().config_for(path, self.config)

    def asked(self, entry: Entry, tried: Mapping[str, Any]) -> tuple[ColorizeConfig, ItemHints]:
        """Settings and known colors of an item as of now, also where no file says so yet.

        Args:
            entry: the item.
            tried: settings by dotted name that are not recorded.
        """
        with self._guard:
            glob, path = exact_glob(entry.source), self.folder.overrides
            parts = [self._fresh(file) for file in self._rules]
            said = self.review(entry)
            if said.is_edited:
                parts = [
                    _without(part, glob) if part.where == str(path) else part for part in parts
                ]
            tree = {**tree_of(said), **tried}
            if tree:
                parts.append(Overrides(str(path), (rule_of(path, glob, tree),)))
        rules = _joined(parts)
        return rules.config_for(entry.source, self.config), rules.hints_for(entry.source)

    def item(self, entry: Entry) -> dict[str, Any]:
        """An item for the grid."""
        review = self.review(entry)
        return {
            **described(entry),
            "decision": review.decision,
            "by": review.by,
            "note": review.note,
            "changed": self.is_changed(entry),
            "points": len(review.of_kind("hint")),
        }

    def _fold(self) -> None:
        events = self.log.events()
        self.reviews = fold(events)
        self._by_item = {}
        for event in events:
            self._by_item.setdefault(event.item, []).append(event)

    def _take_in(self, entry: Entry) -> None:
        """Record what users wrote into OUT/overrides.yaml for exactly this item."""
        item = entry.source
        tree = written_of(self.out, item)
        # Another server may have written that file, from events that stand in the log before.
        self.log.read()
        self._fold()
        if self.review(entry).is_edited:
            return
        plain = {k: v for k, v in tree.items() if k not in OWNED and k.startswith("render.")}
        kinds = {"hints": "hint", "keep_gray": "gray", "keep_color": "color"}
        for name, kind in kinds.items():
            for part in tree.get(name, []):
                self.log.append(kind, item=item, value=part, who=OVERRIDES)
        files = tree.get("reference", [])
        for file in [files] if isinstance(files, str) else files:
            self.log.append("reference", item=item, value={"file": file}, who=OVERRIDES)
        for reference in tree.get("references", []):
            self.log.append("reference", item=item, value=dict(reference), who=OVERRIDES)
        if plain:
            self.log.append("set", item=item, value=plain, who=OVERRIDES)

    def _asked_until(self, entry: Entry) -> float:
        """Up to when the result can know what was asked for; 0 without a result."""
        if entry.report.output is None:
            return 0.0
        try:
            # The date is the source's; the inode changed when the result was published.
            made = output_in(self.out, entry.report.output).stat().st_ctime
        except (OSError, UnsafePathError):
            return 0.0
        # The last run read all overrides when it began.
        return self.started.time if made > self.started.time > 0 else made

    def _fresh(self, file: _File) -> Overrides:
        """The rules of a file; while it cannot be read, those that it had, and a word on it."""
        try:
            status = file.path.stat()
        except OSError:
            file.stamp, file.rules = None, Overrides()
            return file.rules
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp != file.stamp:
            file.stamp = stamp
            try:
                file.rules = load_overrides(file.path)
            except ConfigError as error:
                self.problem = str(error)
        return file.rules

    def _read_started(self) -> None:
        started = read_started(self.out)
        if started != self.started:
            self.started = started
            self.originals.started = started


def _rule_files(out: Path, started: Started) -> list[Path]:
    """Files of rules in the order in which they count; OUT's is always among them."""
    folder = started.source_folder
    files = [] if folder is None else [folder / OVERRIDES]
    files.append(RunFolder(out).overrides)
    return files + ([Path(started.cwd) / started.overrides] if started.overrides else [])


def _without(rules: Overrides, glob: str) -> Overrides:
    return replace(rules, rules=tuple(r for r in rules.rules if r.glob.text != glob))


def _joined(parts: Iterable[Overrides]) -> Overrides:
    parts = list(parts)
    rules = tuple(rule for part in parts for rule in part.rules)
    return Overrides(", ".join(part.where for part in parts if part.where), rules)
