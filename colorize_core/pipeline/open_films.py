"""Films that a run works on: read once, from where they are or from a copy of theirs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core.archive.records.item_hints import NO_HINTS, ItemHints, ShotHints
from colorize_core.archive.records.keys import Maker, film_settings, item_key
from colorize_core.archive.records.run_folder import segment_folder
from colorize_core.archive.records.work import ItemReport
from colorize_core.archive.source.contents import stage_item
from colorize_core.archive.source.filters import check_length
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig
from colorize_core.errors import InputError, UnreachableError, in_words, is_transient
from colorize_core.media.film.shot import Shot
from colorize_core.pipeline.loop import MAX_TRANSIENT_TRIES, RETRY_SECONDS

if TYPE_CHECKING:
    from colorize_core.media.film.anchor_frames import AnchorShot
    from colorize_core.media.film.film import FilmProbe
    from colorize_core.media.film.plan import FilmPlan


def open_film(
    key: str,
    item: SourceItem,
    config: ColorizeConfig,
    *,
    staging: Path,
    maker: Maker,
    hints: ItemHints,
    finished: ItemReport | None,
) -> OpenFilm:
    """Stage a film where it is remote, probe it, and decide what becomes of it.

    Args:
        key: of its result.
        item: in the source.
        config: of it.
        staging: where copies go.
        maker: what makes results now.
        hints: what is known of its colors.
        finished: see PhotoTask.

    Raises:
        InputError: it cannot be used, or reached.
    """
    staged = ExitStack()
    try:
        return _opened(key, item, config, staged, staging, maker, hints, finished)
    except Exception as error:
        staged.close()
        if isinstance(error, InputError) or not is_transient(error):
            raise
        raise UnreachableError(
            in_words(error), remedy="check the storage, then run with --retry-failed"
        ) from error


@dataclass
class OpenFilm:
    """A film that is being worked on; `left` are keys of units that have to end first.

    They are looks for its cuts, after them its segments.
    """

    key: str
    item: SourceItem  # as in the source
    here: SourceItem  # as workers read it
    config: ColorizeConfig
    probe: FilmProbe
    plan: FilmPlan
    staged: ExitStack = field(repr=False)
    finished: ItemReport | None  # see PhotoTask
    folder: str  # of its segments, relative to OUT
    hints: ItemHints = NO_HINTS
    problems: tuple[str, ...] = ()  # of its hints
    known: tuple[ShotHints, ...] = ()
    shots: tuple[Shot, ...] = ()
    key_shots: tuple[tuple[int, int], ...] = ()
    cuts: tuple[int, ...] = ()
    anchors: tuple[AnchorShot, ...] = ()
    segments: tuple[str, ...] = ()
    left: set[str] = field(default_factory=set)

    @property
    def key_frames(self) -> tuple[int, ...]:
        """Of which something is known."""
        return tuple(self.probe.frame_after(time) for time in self.hints.times)


def is_remote(item: SourceItem) -> bool:
    """True for members of archives and URLs: a film there is copied before it can be read."""
    return "://" in item.location


def _opened(
    key: str,
    item: SourceItem,
    config: ColorizeConfig,
    staged: ExitStack,
    staging: Path,
    maker: Maker,
    hints: ItemHints,
    finished: ItemReport | None,
) -> OpenFilm:
    # Loaded only when there is a film.
    from colorize_core.media.film.plan import plan_film
    from colorize_core.media.film.probe import probe_film

    local = _staged(item, staged, staging)
    probe = probe_film(
        local,
        max_pixels=config.video.max_pixels,
        max_frames=config.video.max_frames,
        fps=config.video.fps,
    )
    plan = plan_film(item.path, probe, config.video, is_folder=local.is_dir())
    for output in (plan.output, plan.copy):
        check_length(item.path, output)
    here = _as_local(item, local) if is_remote(item) else item
    if not is_remote(item):
        staged.close()
    # Segments stay where they are when what is known changes: most of them hold nothing of it.
    settings = film_settings(config)
    folder = item_key(item, maker, settings=settings, what="film") if hints else key
    return OpenFilm(
        key,
        item,
        here,
        config,
        probe,
        plan,
        staged,
        finished,
        segment_folder(folder),
        *hints.before(probe.shown_seconds),
    )


def _staged(item: SourceItem, staged: ExitStack, staging: Path) -> Path:
    for tries in range(1, MAX_TRANSIENT_TRIES):
        try:
            return staged.enter_context(stage_item(item, staging))
        except Exception as error:
            if not is_transient(error):
                raise
            time.sleep(RETRY_SECONDS * 2.0**tries)
    return staged.enter_context(stage_item(item, staging))


def _as_local(item: SourceItem, copy: Path) -> SourceItem:
    """The item as its staged copy, which workers check for changes like any local file."""
    status = copy.stat()
    return replace(
        item, location=str(copy), size=status.st_size, stamp=f"mtime_ns:{status.st_mtime_ns}"
    )
