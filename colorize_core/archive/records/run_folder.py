"""Where everything stands inside OUT: every path that a run makes beside its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from colorize_core.atomic import STATE_FOLDER

PAGE_FOLDER: Final = "report"
SEGMENTS_FOLDER: Final = f"{STATE_FOLDER}/segments"
COMPARE_FOLDER: Final = f"{PAGE_FOLDER}/compare"


@dataclass(frozen=True)
class RunFolder:
    """The paths of a run below `out`; nothing is made or opened by asking for one."""

    out: Path

    @property
    def state(self) -> Path:
        """The run's own records."""
        return self.out / STATE_FOLDER

    @property
    def manifest(self) -> Path:
        """What is finished, a line each."""
        return self.state / "manifest.jsonl"

    @property
    def manifest_copy(self) -> Path:
        """The same once more: a disk that loses one file seldom loses both."""
        return self.state / "manifest.copy.jsonl"

    @property
    def lock(self) -> Path:
        """Who writes here now."""
        return self.state / "lock.json"

    @property
    def given_up(self) -> Path:
        """A file per worker that its run gave up, and that may publish nothing more."""
        return self.state / "given-up"

    @property
    def progress(self) -> Path:
        """How far the run is, for `status`."""
        return self.state / "progress.json"

    @property
    def in_hand(self) -> Path:
        """What workers are at, a file each."""
        return self.state / "in-hand"

    @property
    def makers(self) -> Path:
        """Which weights and versions of the code have made results here."""
        return self.state / "makers.json"

    @property
    def precision(self) -> Path:
        """What the generator computes with here."""
        return self.state / "precision.json"

    @property
    def command(self) -> Path:
        """How the last run was started, for the review to start it again."""
        return self.state / "command.json"

    @property
    def review(self) -> Path:
        """What reviewers did: a log per process that wrote one."""
        return self.state / "review"

    @property
    def overrides(self) -> Path:
        """Settings per item that belong to these results."""
        return self.out / "overrides.yaml"

    @property
    def references(self) -> Path:
        """Pictures in color that a review took as references."""
        return self.out / "references"

    @property
    def summary(self) -> Path:
        """What the last run did."""
        return self.state / "summary.json"

    @property
    def staging(self) -> Path:
        """Copies of what cannot be read where it lies: unpacked archives."""
        return self.state / "staging"

    @property
    def staged_films(self) -> Path:
        """Copies of films out of archives and URLs, one at a time."""
        return self.staging / "films"

    @property
    def all_segments(self) -> Path:
        """A folder per film that is not joined yet."""
        return self.out / SEGMENTS_FOLDER

    def segments(self, film_key: str) -> Path:
        """Finished segments of a film that is not joined yet."""
        return self.all_segments / film_key

    @property
    def page(self) -> Path:
        """The run's page with all it needs, so that it can be moved."""
        return self.out / PAGE_FOLDER

    @property
    def records(self) -> Path:
        """Records for archives, beside the page."""
        return self.page / "records"

    @property
    def checksums(self) -> Path:
        """Of all outputs of the last run's source; their names are relative to OUT."""
        return self.out / "manifest-sha256.txt"

    @property
    def thumbs(self) -> Path:
        """Small pictures of the page."""
        return self.page / "thumbs"

    @property
    def compare(self) -> Path:
        """Before and after side by side."""
        return self.out / COMPARE_FOLDER


def segment_folder(film_key: str) -> str:
    """Where a film's segments stand, relative to OUT."""
    return f"{SEGMENTS_FOLDER}/{film_key}"
