"""One worker: units in, published files and reports out. Knows neither ray nor the manifest."""

from __future__ import annotations

import hashlib
import resource
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from colorize_core.archive.records.work import (
    FilmCopy,
    ImageShard,
    ItemReport,
    Join,
    PhotoTask,
    UnitReport,
    VideoSegment,
    WorkUnit,
)
from colorize_core.archive.source.contents import MAX_FILE_BYTES, read_item
from colorize_core.atomic import publish_bytes
from colorize_core.config import ColorizeConfig
from colorize_core.inference import films, photo_pages
from colorize_core.inference.colorizer import Colorizer, Device
from colorize_core.inference.outcomes import UnitOutcomes
from colorize_core.media.photo.codec import Photo, decode_photo
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.memory import keep_freed_memory

# Decoded pixels held at once for one batch; huge scans go one at a time.
BATCH_PIXELS = 64_000_000


@dataclass
class _Opened:
    """A decoded photo. `data` is kept only of pictures that are copied."""

    task: PhotoTask
    photo: Photo = field(repr=False)
    is_colored: bool
    data: bytes = field(repr=False)
    seconds: float

    @property
    def pixels(self) -> int:
        return sum(page.pixels.shape[0] * page.pixels.shape[1] for page in self.photo.pages)


class Worker:
    """Runs units one after the other; decoding and encoding overlap with the generator.

    Args:
        out: where outputs go.
        weights: of the generator, "shipped" or a path.
        weights_sha256: what the driver planned with; other bytes are refused.
        device: see Colorizer.
        threads: torch threads; with 1, results do not depend on how many workers share a machine.
        write_thumbnails: for the report.
    """

    def __init__(
        self,
        *,
        out: Path,
        weights: str,
        weights_sha256: str,
        device: Device = "auto",
        threads: int = 1,
        write_thumbnails: bool = True,
    ) -> None:
        torch.set_num_threads(threads)
        keep_freed_memory()
        self._out = out
        self._weights = weights
        self._weights_sha256 = weights_sha256
        self._device = device
        self._write_thumbnails = write_thumbnails
        self._colorizers: dict[tuple[object, ...], Colorizer] = {}
        self._note = ComputedColorNote.of_weights(weights_sha256)

    def run(self, unit: WorkUnit) -> UnitReport:
        """Run one unit.

        Returns:
            One line per item; transient reasons in `retry`, a full disk in `blocked`.

        Raises:
            ModelError: the weights cannot be used, or are not those of the plan.
        """
        if isinstance(unit, ImageShard | VideoSegment):
            self._colorizer(unit.config)
        started, cpu_started = time.monotonic(), time.process_time()
        tally = UnitOutcomes()
        if isinstance(unit, ImageShard):
            self._run_shard(unit, tally)
        else:
            with tally.item(films.blank_report(unit)):
                tally.add(self._run_film_unit(unit))
        return UnitReport(
            unit.id,
            items=tuple(tally.items),
            retry=tally.retry,
            blocked=tally.blocked,
            seconds=time.monotonic() - started,
            cpu_seconds=time.process_time() - cpu_started,
            peak_memory_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )

    def _colorizer(self, config: ColorizeConfig) -> Colorizer:
        key = (config.model.precision, config.render.batch_size, config.render.size)
        if key not in self._colorizers:
            colorizer = Colorizer.load(
                self._weights,
                device=self._device,
                precision=config.model.precision,
                batch_size=config.render.batch_size,
                render_size=config.render.size,
            )
            colorizer.require_weights(self._weights_sha256)
            self._colorizers[key] = colorizer
        return self._colorizers[key]

    def _run_film_unit(self, unit: VideoSegment | Join | FilmCopy) -> ItemReport:
        if isinstance(unit, VideoSegment):
            return films.run_segment(unit, self._out, self._colorizer(unit.config))
        if isinstance(unit, Join):
            return films.run_join(
                unit,
                self._out,
                self._note.text,
                write_thumbnails=self._write_thumbnails,
            )
        return films.run_copy(unit, self._out)

    def _run_shard(self, shard: ImageShard, tally: UnitOutcomes) -> None:
        config = shard.config
        writing: list[tuple[PhotoTask, Future[ItemReport]]] = []
        with ThreadPoolExecutor(1, "decode") as decoder, ThreadPoolExecutor(1, "encode") as encoder:
            photos = _ahead(decoder, shard, config)
            for batch in _batches(photos, config.render.batch_size, tally):
                to_color = [opened for opened in batch if not opened.is_colored]
                predictions = self._predict(to_color, config, tally)
                _collect(writing, tally)
                writing = [
                    (opened.task, encoder.submit(self._finish, opened, pages, config))
                    for opened, pages in predictions
                ] + [
                    (opened.task, encoder.submit(self._pass_on, opened, config))
                    for opened in batch
                    if opened.is_colored
                ]
                if tally.blocked:
                    break
            _collect(writing, tally)

    def _predict(
        self, batch: list[_Opened], config: ColorizeConfig, tally: UnitOutcomes
    ) -> list[tuple[_Opened, list[tuple[photo_pages.PreparedPage, Tensor]]]]:
        prepared: list[tuple[_Opened, list[photo_pages.PreparedPage]]] = []
        for opened in batch:
            with tally.item(_blank(opened.task)):
                pages = [
                    photo_pages.prepare_page(p, config.render.size) for p in opened.photo.pages
                ]
                prepared.append((opened, pages))
        if not prepared:
            return []
        colorizer = self._colorizer(config)
        working = torch.cat([page.working for _, pages in prepared for page in pages])
        try:
            ab = colorizer.predict_ab(working)
        except Exception as error:  # noqa: BLE001 - settled per photo: recorded, retried or raised
            for opened, _ in prepared:
                tally.settle(_blank(opened.task), error)
            return []
        results = []
        for opened, pages in prepared:
            results.append((opened, [(page, ab[i : i + 1]) for i, page in enumerate(pages)]))
            ab = ab[len(pages) :]
        return results

    def _finish(
        self,
        opened: _Opened,
        pages: list[tuple[photo_pages.PreparedPage, Tensor]],
        config: ColorizeConfig,
    ) -> ItemReport:
        started = time.monotonic()
        task = opened.task
        pixels = [photo_pages.finish_page(page, ab, config) for page, ab in pages]
        data = photo_pages.encode(opened.photo, pixels, config, self._note)
        publish_bytes(self._out / task.output, data)
        first, first_ab = pages[0]
        details = photo_pages.describe(first, first_ab, pixels[0])
        details["growth"] = round(len(data) / max(1, task.item.size), 3)
        if self._write_thumbnails:
            details["thumbnails"] = photo_pages.write_thumbnails(
                first, pixels[0], self._out, task.key
            )
        notes = [*opened.photo.warnings, *self._colorizer(config).take_notes()]
        remedy = "nothing to do: only time was lost" if notes else ""
        if opened.photo.warnings:
            remedy = "compare it with the original; a better copy of that may help"
        if photo_pages.is_gray_result(details, first):
            notes.append("the generator found hardly any color in it")
            remedy = "look at it; another render.size may find some"
        return ItemReport(
            key=task.key,
            kind="photo",
            source=task.item.path,
            status="degraded" if notes else "done",
            output=task.output,
            reason="; ".join(notes),
            remedy=remedy,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            seconds=round(opened.seconds + time.monotonic() - started, 4),
            details=details,
        )

    def _pass_on(self, opened: _Opened, config: ColorizeConfig) -> ItemReport:
        """A picture that already has color: copied byte for byte, or left out."""
        task = opened.task
        leave = config.colored == "leave"
        if not leave:
            publish_bytes(self._out / task.item.path, opened.data)
        return ItemReport(
            key=task.key,
            kind="photo",
            source=task.item.path,
            status="skipped",
            output=None if leave else task.item.path,
            reason="already in color: left out" if leave else "already in color: copied",
            sha256="" if leave else hashlib.sha256(opened.data).hexdigest(),
            size=0 if leave else len(opened.data),
            seconds=round(opened.seconds, 4),
        )


def _open(task: PhotoTask, config: ColorizeConfig) -> _Opened:
    started = time.monotonic()
    data = read_item(task.item, max_bytes=MAX_FILE_BYTES)
    photo = decode_photo(data, name=task.item.path, max_pixels=config.photo.max_pixels)
    colored = config.colored != "recolor" and photo_pages.is_colored(photo)
    return _Opened(task, photo, colored, data if colored else b"", time.monotonic() - started)


def _ahead(
    decoder: ThreadPoolExecutor, shard: ImageShard, config: ColorizeConfig
) -> Iterator[tuple[PhotoTask, Future[_Opened]]]:
    """Photos in order; while one is used, the next is being decoded."""
    previous: tuple[PhotoTask, Future[_Opened]] | None = None
    for task in shard.photos:
        current = (task, decoder.submit(_open, task, config))
        if previous:
            yield previous
        previous = current
    if previous:
        yield previous


def _batches(
    photos: Iterable[tuple[PhotoTask, Future[_Opened]]], size: int, tally: UnitOutcomes
) -> Iterator[list[_Opened]]:
    batch: list[_Opened] = []
    for task, future in photos:
        with tally.item(_blank(task)):
            batch.append(future.result())
        pages = sum(len(opened.photo.pages) for opened in batch)
        if pages >= size or sum(opened.pixels for opened in batch) >= BATCH_PIXELS:
            yield batch
            batch = []
    if batch:
        yield batch


def _collect(writing: list[tuple[PhotoTask, Future[ItemReport]]], tally: UnitOutcomes) -> None:
    for task, future in writing:
        with tally.item(_blank(task)):
            tally.add(future.result())


def _blank(task: PhotoTask) -> ItemReport:
    return ItemReport(task.key, "photo", task.item.path, "failed")
