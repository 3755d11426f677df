"""A job as the user asked for it, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from colorize_core.archive.records.keys import Maker, read_makers
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.overrides import Overrides
from colorize_core.archive.records.reviews import accepted
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.started import Started
from colorize_core.archive.source.item import Scan
from colorize_core.archive.storage.storage import Storage
from colorize_core.config import ColorizeConfig, RunOptions
from colorize_core.pipeline.comparisons import Comparisons
from colorize_core.pipeline.find_items import find_items
from colorize_core.pipeline.loop import Ending
from colorize_core.pipeline.orphans import Orphan
from colorize_core.pipeline.plan import Planner


@dataclass(frozen=True)
class Job:
    """What the user asked for.

    Attributes:
        source: SRC as given.
        storage: OUT.
        config: the base settings.
        config_for: settings of one item by its path (overrides applied).
        options: where and how fast.
        weights_sha256: of the generator file.
        redo: paths of items to do again although they are finished; see `comparable`.
        rules: what `config_for` applies, to name rules that fit nothing.
        started: how to start it again; recorded for the review.
        follow_links: also take what links lead to.
    """

    source: str
    storage: Storage
    config: ColorizeConfig
    config_for: Callable[[str], ColorizeConfig]
    options: RunOptions
    weights_sha256: str
    redo: frozenset[str] = frozenset()
    rules: Overrides = field(default_factory=Overrides)
    started: Started | None = None
    follow_links: bool = False

    @property
    def out(self) -> Path:
        """Where it works on this machine: OUT, if that is a local folder."""
        return self.storage.folder

    def find(self, staging: Path) -> Scan:
        """What SRC holds. `staging` is a folder for what has to be unpacked or fetched to be read.

        Raises:
            UsageError: see find_items.
        """
        return find_items(
            self.source,
            self.out,
            follow_links=self.follow_links,
            staging=staging,
            config_for=self.config_for,
            as_film=self.config.video.as_film,
            exclude=self.options.exclude,
            include=self.options.include,
            references=self.rules.references(),
            inside=self.storage.inside(self.source),
        )

    def planner(self, found: Scan, manifest: Manifest) -> Planner:
        """What of it is still to be done, by `manifest` and what OUT's records say."""
        folder = RunFolder(self.out)
        return Planner(
            found.items,
            manifest,
            storage=self.storage,
            config_for=self.config_for,
            hints_for=self.rules.hints_for,
            maker=Maker(self.weights_sha256),
            earlier=read_makers(folder.makers, folder.summary),
            options=self.options,
            redo=self.redo,
            accepted=accepted(self.out),
        )

    def with_config(self, config: ColorizeConfig) -> Job:
        """The same job with other base settings; the rules are applied to them."""
        config_for = partial(self.rules.config_for, base=config)
        return replace(self, config=config, config_for=config_for)


@dataclass(frozen=True)
class Outcome:
    """How the run ended: exit code, totals by status, and the reason if it must be run again.

    `comparisons` is None when none were asked for, or the run ended early. `left_out` counts by
    suffix what is "not read", and by reason what is "left out" on purpose. `orphans` are outputs
    whose source is renamed or gone.
    """

    exit_code: int
    totals: Mapping[str, int]
    ending: Ending
    seconds: float
    comparisons: Comparisons | None = None
    left_out: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    orphans: Sequence[Orphan] = ()
