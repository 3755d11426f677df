"""From a scan and a manifest to the units that are still to be done."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core.archive.records.manifest import STATE_FOLDER, Manifest, state_folder
from colorize_core.archive.records.work import (
    FilmCopy,
    ImageShard,
    ItemReport,
    Join,
    PhotoTask,
    Status,
    UnitReport,
    VideoSegment,
    WorkUnit,
    film_settings,
    item_key,
    photo_settings,
)
from colorize_core.archive.source.contents import stage_item
from colorize_core.archive.source.filters import check_length
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig, RunOptions
from colorize_core.errors import InputError, UnreachableError, is_transient
from colorize_core.media.film.names import frames_name, output_name
from colorize_core.pipeline.loop import MAX_TRANSIENT_TRIES, RETRY_SECONDS

if TYPE_CHECKING:
    from colorize_core.media.film.film import FilmProbe

SHARDS_PER_WORKER = 4
Record = Callable[[UnitReport], list[WorkUnit]]


@dataclass
class _Film:
    """A film that is being worked on."""

    join: Join
    segments: tuple[str, ...]
    left: set[str]
    staged: ExitStack = field(repr=False)
    is_remote: bool


class Planner:
    """Knows what is pending. `pending = items and segments - manifest`.

    Args:
        items: of the scan, in their stable order.
        manifest: what is finished.
        out: where outputs go; a finished output that is gone or has another size is pending again.
        config_for: settings of one item (overrides included), by its path.
        weights_sha256: of the generator.
        options: limit and retry_failed are used.
        redo: paths that are pending although they are finished.

    Attributes:
        left_over: how many pending items the limit leaves to a later run.
    """

    def __init__(
        self,
        items: Sequence[SourceItem],
        manifest: Manifest,
        *,
        out: Path,
        config_for: Callable[[str], ColorizeConfig],
        weights_sha256: str,
        options: RunOptions,
        redo: frozenset[str] = frozenset(),
    ) -> None:
        self._items = items
        self._manifest = manifest
        self._out = out
        self._config_for = config_for
        self._weights_sha256 = weights_sha256
        self._options = options
        self._redo = redo
        self._films: dict[str, _Film] = {}
        self._staged_films: deque[SourceItem] = deque()
        self._chosen, self.left_over = self._choose()

    @property
    def pending_items(self) -> list[SourceItem]:
        """What this run has to do."""
        return self._chosen

    def key(self, item: SourceItem) -> str:
        """The manifest key of a photo or film."""
        config = self._config_for(item.path)
        settings = photo_settings(config) if item.kind == "photo" else film_settings(config)
        return item_key(
            item, settings=settings, weights_sha256=self._weights_sha256, what=item.kind
        )

    def units(self, record: Record, *, workers: int) -> Iterator[WorkUnit]:
        """Films first, because they are the long ones, then shards of photos.

        Args:
            record: takes reports of films that fail while they are planned.
            workers: how many run at once; small archives are cut so that all have work.
        """
        films = [item for item in self._chosen if item.kind == "film"]
        self._staged_films.extend(item for item in films if _is_remote(item))
        # A staged film takes its size in disk, so the next one is planned when this one is done.
        yield from self._next_staged(record)
        for item in films:
            if not _is_remote(item):
                yield from self._plan_film(item, record)
        yield from self._shards([item for item in self._chosen if item.kind == "photo"], workers)

    def unlock(self, report: UnitReport, record: Record) -> list[WorkUnit]:
        """Follow up on finished segments and films: joins now ready, the next staged film."""
        units: list[WorkUnit] = []
        for item in report.items:
            film = self._films.get(str(item.details.get("film", "")) or item.key)
            if film is None:
                continue
            if item.kind == "film":
                units += self._close(film, item.status, record)
            elif item.status == "failed":
                units += record(UnitReport(film.join.id, (_film_failure(film.join, item),)))
            else:
                film.left.discard(item.key)
                if not film.left:
                    units.append(self._ready_join(film))
        return units

    def close(self) -> None:
        """Remove what is staged."""
        for film in self._films.values():
            film.staged.close()
        self._films.clear()

    def _choose(self) -> tuple[list[SourceItem], int]:
        limit = self._options.limit
        chosen: list[SourceItem] = []
        left_over = 0
        for item in self._items:
            pending = self._is_pending(self.key(item), retry_failed=self._options.retry_failed)
            if not pending and item.path not in self._redo:
                continue
            if limit is None or len(chosen) < limit:
                chosen.append(item)
            else:
                left_over += 1
        return chosen, left_over

    def _is_pending(self, key: str, *, retry_failed: bool) -> bool:
        status = self._manifest.status(key)
        if status is None:
            return True
        if status == "failed":
            return retry_failed
        report = self._manifest.get(key)
        if report is None or report.output is None:
            return False
        output = self._out / report.output
        # A folder of frames is checked by --verify only.
        return not output.exists() or (output.is_file() and output.stat().st_size != report.size)

    def _shards(self, photos: Sequence[SourceItem], workers: int) -> Iterator[ImageShard]:
        packed: dict[ColorizeConfig, list[PhotoTask]] = {}
        for item in photos:
            config = self._config_for(item.path)
            group = packed.setdefault(config, [])
            group.append(PhotoTask(self.key(item), item, item.output))
            if len(group) >= _shard_size(config, len(photos), workers):
                yield ImageShard(tuple(group), config)
                group.clear()
        for config, group in packed.items():
            if group:
                yield ImageShard(tuple(group), config)

    def _next_staged(self, record: Record) -> list[WorkUnit]:
        while self._staged_films:
            units = self._plan_film(self._staged_films.popleft(), record)
            if units:
                return units
        return []

    def _plan_film(self, item: SourceItem, record: Record) -> list[WorkUnit]:
        config = self._config_for(item.path)
        key = self.key(item)
        staged = ExitStack()
        # Imported here: photos are colorized also where av is not installed.
        from colorize_core.media.film import segments as film_segments
        from colorize_core.media.film.container_choice import what_container_keeps
        from colorize_core.media.film.encoder_choice import choose_encoding

        try:
            local = self._stage(item, staged)
            probe = film_segments.probe_film(
                local,
                max_pixels=config.video.max_pixels,
                max_frames=config.video.max_frames,
                fps=config.video.fps,
            )
            colored = config.colored != "recolor" and film_segments.is_film_colored(local, probe)
            encoding = choose_encoding(probe, config.video)
            choice = what_container_keeps(probe, config.video.container, encoding.codec)
            if colored and not local.is_dir():
                output = item.path
            elif colored or config.video.frames == "png":
                # Also of a folder: its own path may hold the outputs of folders in it.
                output = frames_name(item.path)
            else:
                output = output_name(item.path, choice.container)
            check_length(item.path, output)
            if not _is_remote(item):
                staged.close()
        except Exception as error:
            staged.close()
            if isinstance(error, InputError):
                failure = error
            elif is_transient(error):
                failure = UnreachableError(
                    f"{type(error).__name__}: {error}",
                    remedy="check the storage, then run with --retry-failed",
                )
            else:
                raise
            record(UnitReport(f"plan-{key}", items=(failed_item(key, "film", item.path, failure),)))
            return []
        here = _as_local(item, local) if _is_remote(item) else item
        if colored:
            self._films[key] = _Film(
                Join(key, here, probe, (), "", config), (), set(), staged, _is_remote(item)
            )
            return [FilmCopy(key, here, output, leave=config.colored == "leave")]
        ranges = film_segments.plan_segments(probe, config.video.segment_frames)
        segments = self._segments(item, here, key, probe, config, ranges)
        join = Join(key, here, probe, (), output, config)
        # A pending film needs all its segments, also one that failed before.
        left = [s for s in segments if self._is_pending(s.key, retry_failed=True)]
        keys = tuple(s.key for s in segments)
        film = self._films[key] = _Film(join, keys, {s.key for s in left}, staged, _is_remote(item))
        return list(left) or [self._ready_join(film)]

    def _stage(self, item: SourceItem, staged: ExitStack) -> Path:
        folder = state_folder(self._out) / "staging" / "films"
        for tries in range(1, MAX_TRANSIENT_TRIES):
            try:
                return staged.enter_context(stage_item(item, folder))
            except Exception as error:
                if not is_transient(error):
                    raise
                time.sleep(RETRY_SECONDS * 2.0**tries)
        return staged.enter_context(stage_item(item, folder))

    def _ready_join(self, film: _Film) -> Join:
        reports = (self._manifest.get(key) for key in film.segments)
        return replace(film.join, segments=tuple(r for r in reports if r is not None))

    def _segments(
        self,
        item: SourceItem,
        here: SourceItem,
        film_key: str,
        probe: FilmProbe,
        config: ColorizeConfig,
        ranges: Sequence[tuple[int, int]],
    ) -> list[VideoSegment]:
        return [
            VideoSegment(
                key=item_key(
                    item,
                    settings=film_settings(config),
                    weights_sha256=self._weights_sha256,
                    what=f"segment {start} {stop}",
                ),
                film_key=film_key,
                item=here,
                probe=probe,
                index=index,
                start=start,
                stop=stop,
                output=f"{_segment_folder(film_key)}/{index:05d}.nut",
                config=config,
            )
            for index, (start, stop) in enumerate(ranges)
        ]

    def _close(self, film: _Film, status: Status, record: Record) -> list[WorkUnit]:
        del self._films[film.join.key]
        film.staged.close()
        if status != "failed":
            # Only now, after the film's own line is on the disk.
            folder = self._out / _segment_folder(film.join.key)
            shutil.rmtree(folder, ignore_errors=True)
        return self._next_staged(record) if film.is_remote else []


def _segment_folder(film_key: str) -> str:
    return f"{STATE_FOLDER}/segments/{film_key}"


def _as_local(item: SourceItem, copy: Path) -> SourceItem:
    """The item as its staged copy, which workers check for changes like any local file."""
    status = copy.stat()
    return replace(
        item, location=str(copy), size=status.st_size, stamp=f"mtime_ns:{status.st_mtime_ns}"
    )


def _is_remote(item: SourceItem) -> bool:
    """True for members of archives and URLs: a film there is copied before it can be read."""
    return "://" in item.location


def _shard_size(config: ColorizeConfig, photos: int, workers: int) -> int:
    batch = config.render.batch_size
    share = photos // (workers * SHARDS_PER_WORKER) // batch * batch
    return min(config.photo.shard_photos, max(batch, share))


def failed_item(key: str, kind: str, source: str, error: InputError) -> ItemReport:
    """The manifest line of an input that cannot be used."""
    return ItemReport(
        key=key,
        kind="film" if kind == "film" else "photo",
        source=source,
        status="failed",
        reason=error.message,
        remedy=error.remedy,
        error=error.kind,
    )


def _film_failure(join: Join, segment: ItemReport) -> ItemReport:
    return ItemReport(
        key=join.key,
        kind="film",
        source=join.item.path,
        status="failed",
        reason=f"a segment failed: {segment.reason}",
        remedy=segment.remedy,
        error=segment.error,
        frames=0,
    )
