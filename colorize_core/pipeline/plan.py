"""From a scan and a manifest to the units that are still to be done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from colorize_core.archive.records.details import FilmDetails
from colorize_core.archive.records.item_hints import NO_HINTS, ItemHints, with_hints
from colorize_core.archive.records.keys import Maker, film_settings, item_key, photo_settings
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.work import ImageShard, ItemReport, PhotoTask, UnitReport
from colorize_core.archive.source.globs import comparable
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.storage.storage import Storage
from colorize_core.config import ColorizeConfig, RunOptions
from colorize_core.pipeline.plan_films import FilmPlanner, Planned
from colorize_core.pipeline.sample import sample_order, spread

SHARDS_PER_WORKER = 4


class Planner:
    """Knows what is pending. `pending = items and segments - manifest`.

    Args:
        items: of the scan, in their stable order.
        manifest: what is finished.
        storage: where outputs go; a finished output that is gone or has another size is pending
            again.
        config_for: settings of one item (overrides included), by its path.
        hints_for: what is known of the colors of one item, by its path.
        maker: what makes results now.
        earlier: what has made results here before.
        options: limit, sample, retry_failed and keep_finished are used.
        redo: paths that are pending although they are finished.
        accepted: by path, keys of results that a review accepted: they stay, whatever has changed
            but the source.

    Attributes:
        maker, earlier: as given.
        left_over: how many pending items the limit leaves to a later run.
        outdated: how many items are finished by an earlier maker only.
    """

    def __init__(
        self,
        items: Sequence[SourceItem],
        manifest: Manifest,
        *,
        storage: Storage,
        config_for: Callable[[str], ColorizeConfig],
        hints_for: Callable[[str], ItemHints] = lambda _path: NO_HINTS,
        maker: Maker,
        earlier: Sequence[Maker] = (),
        options: RunOptions,
        redo: frozenset[str] = frozenset(),
        accepted: Mapping[str, str] | None = None,
    ) -> None:
        self._items = items
        self._manifest = manifest
        self._storage = storage
        self._config_for = config_for
        self._hints_for = hints_for
        self.maker, self.earlier = maker, earlier
        self._options = options
        self._redo = redo
        self._accepted = accepted or {}
        self._kept: dict[str, str] = {}  # by path, the key of a result that an earlier maker made
        self._to_compare: dict[str, ItemReport] = {}  # by key, see PhotoTask.finished
        self._substitutes: Iterator[SourceItem] = iter(())
        self.outdated = 0
        self._films = FilmPlanner(
            manifest,
            storage=storage,
            maker=maker,
            is_pending=lambda key: self._is_pending(key, retry_failed=True),
            finished=self._to_compare,
            most_segments=options.calibration.segments if options.calibration else None,
            hints_for=hints_for,
        )
        self._chosen, self.left_over = self._choose()

    @property
    def pending_items(self) -> list[SourceItem]:
        """What this run has to do."""
        return self._chosen

    def key(self, item: SourceItem) -> str:
        """The manifest key of a photo or film."""
        return self._kept.get(item.path) or self._key(item, self.maker)

    def _key(self, item: SourceItem, maker: Maker) -> str:
        config = self._config_for(item.path)
        chosen = photo_settings(config) if item.kind == "photo" else film_settings(config)
        settings = with_hints(chosen, self._hints_for(item.path))
        return item_key(item, maker, settings=settings, what=item.kind)

    def units(self, *, workers: int) -> Iterator[Planned]:
        """Films first, because they are the long ones, then shards of photos.

        Args:
            workers: how many run at once; small archives are cut so that all have work.

        Yields:
            Units to run, and reports of films that fail while they are planned.
        """
        films = (item for item in self._chosen if item.kind == "film")
        yield from self._films.plan((self.key(i), i, self._config_for(i.path)) for i in films)
        yield from self._shards(_photos(self._chosen), workers)

    def unlock(self, report: UnitReport) -> list[Planned]:
        """Follow up on finished scans, segments and films, and on a sample that had color."""
        followed = [planned for item in report.items for planned in self._films.follow(item)]
        missed = sum(r.kind == "photo" and r.status in ("skipped", "failed") for r in report.items)
        more = list(islice(self._substitutes, missed))
        self.left_over -= len(more)
        return [*followed, *self._shards(more, 1)]

    def close(self) -> None:
        """Remove what is staged."""
        self._films.close()

    def _choose(self) -> tuple[list[SourceItem], int]:
        limit, sample = self._options.limit, self._options.sample
        pending = [
            item
            for item in self._items
            if comparable(item.path) in self._redo or self._has_work(item)
        ]
        if calibration := self._options.calibration:
            named = [item for item in pending if item.path in calibration.paths]
            order = list(spread(sorted(_photos(named), key=lambda item: item.size)))
            self._substitutes = iter(order[calibration.photos :])
            films = [item for item in named if item.kind == "film"]
            return [*films, *order[: calibration.photos]], 0
        if sample is None:
            return pending[:limit], max(0, len(pending) - (limit or len(pending)))
        order = sample_order(pending)
        self._substitutes = iter(order[sample:])
        return order[:sample], len(pending) - min(sample, len(order))

    def _has_work(self, item: SourceItem) -> bool:
        if self._is_accepted(item):
            return False
        key = self._key(item, self.maker)
        report = self._manifest.get(key)
        if self._is_open(report, retry_failed=self._options.retry_failed):
            return not self._is_kept(item)
        assert report is not None
        if report.stamp in ("", item.stamp) and self._sounds_as(report, item):
            return False
        if report.status == "failed":
            return True
        # Another date: whoever reads the file compares its content.
        self._to_compare[key] = report
        return True

    def _sounds_as(self, report: ItemReport, item: SourceItem) -> bool:
        """Whether the WAV beside a folder of pictures is what its film was made with."""
        details = report.details
        if not item.sound or not isinstance(details, FilmDetails):
            return True
        wanted = item.sound_stamp if self._config_for(item.path).video.sound else ""
        return wanted == (details.sound.stamp if details.sound else "")

    def _is_accepted(self, item: SourceItem) -> bool:
        key = self._accepted.get(item.path)
        report = self._manifest.get(key) if key else None
        if key is None or report is None or report.stamp not in ("", item.stamp):
            return False
        if self._is_pending(key, retry_failed=True):  # its file is gone
            return False
        self._kept[item.path] = key
        return True

    def _is_kept(self, item: SourceItem) -> bool:
        """Whether the result of an earlier maker stays; counts what there is of these."""
        for maker in (m for m in reversed(self.earlier) if m != self.maker):
            key = self._key(item, maker)
            if self._manifest.status(key) not in (None, "failed") and not self._is_pending(
                key, retry_failed=False
            ):
                self.outdated += 1
                if self._options.keep_finished:
                    self._kept[item.path] = key
                return self._options.keep_finished
        return False

    def _is_pending(self, key: str, *, retry_failed: bool) -> bool:
        return self._is_open(self._manifest.get(key), retry_failed=retry_failed)

    def _is_open(self, report: ItemReport | None, *, retry_failed: bool) -> bool:
        """Whether what a line says, if there is one that is understood, is still to be done."""
        if report is None:
            return True
        if report.status == "failed":
            return retry_failed
        if report.output is None:
            return False
        # Results of other settings may have the same size.
        return self._manifest.is_replaced(report.key) or not self._storage.holds(report)

    def _shards(self, photos: Sequence[SourceItem], workers: int) -> Iterator[ImageShard]:
        packed: dict[ColorizeConfig, list[PhotoTask]] = {}
        for item in photos:
            config = self._config_for(item.path)
            group = packed.setdefault(config, [])
            key = self.key(item)
            hints = self._hints_for(item.path)
            group.append(PhotoTask(key, item, item.output, self._to_compare.get(key), hints))
            if len(group) >= shard_size(config, len(photos), workers):
                yield ImageShard(tuple(group), config)
                group.clear()
        for config, group in packed.items():
            if group:
                yield ImageShard(tuple(group), config)


def _photos(items: Sequence[SourceItem]) -> list[SourceItem]:
    return [item for item in items if item.kind == "photo"]


def shard_size(config: ColorizeConfig, photos: int, workers: int) -> int:
    """How many photos one worker takes at a time."""
    batch = config.render.batch_size
    share = photos // (workers * SHARDS_PER_WORKER) // batch * batch
    return min(config.photo.shard_photos, max(batch, share))
