"""A shard of photos: each is read, judged, colored (or passed on) and published.

Three stages, each an iterator over the one before: decoding, the generator, encoding. The first two
run in threads of their own (see prefetch), so that disk, generator and encoder work at once.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from colorize_core.archive.records.details import PhotoDetails
from colorize_core.archive.records.work import ItemReport, PhotoTask
from colorize_core.archive.source.contents import modified_ns, most_bytes, read_item
from colorize_core.atomic import publish_bytes
from colorize_core.config import ColorizeConfig
from colorize_core.inference import photo_pages
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.outcomes import UnitOutcomes
from colorize_core.inference.photo_pages import PreparedPage
from colorize_core.inference.prefetch import Prefetcher
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.photo.photo import Photo
from colorize_core.media.picture.note import ComputedColorNote

# Decoded pixels held at once for one batch; huge scans go one at a time.
BATCH_PIXELS = 64_000_000


@dataclass(frozen=True)
class _Opened:
    """A decoded photo; `sha256` is that of its file. `data` is kept only of what is copied."""

    task: PhotoTask
    photo: Photo = field(repr=False)
    is_colored: bool
    data: bytes = field(repr=False)
    sha256: str
    seconds: float

    @property
    def pixels(self) -> int:
        return sum(page.pixels.shape[0] * page.pixels.shape[1] for page in self.photo.pages)


@dataclass(frozen=True)
class _Predicted:
    """A photo and, unless it is passed on, its pages with the ab predicted for each.

    `notes` are the generator's fallbacks.
    """

    opened: _Opened
    pages: list[tuple[PreparedPage, Tensor]]
    notes: list[str]


class PhotoLine:
    """Colors the photos of one shard.

    Args:
        out: where outputs go.
        colorizer: with the batch and working size of `config`.
        config: of the shard.
        note: what outputs say about their color.
        outcomes: gets one report per photo.
    """

    def __init__(
        self,
        out: Path,
        colorizer: Colorizer,
        config: ColorizeConfig,
        note: ComputedColorNote,
        outcomes: UnitOutcomes,
    ) -> None:
        self._out, self._colorizer, self._config = out, colorizer, config
        self._note, self._outcomes = note, outcomes

    def run(self, tasks: Iterable[PhotoTask], *, write_thumbnails: bool) -> None:
        """Color and publish; stops early when the disk is full.

        Raises:
            ColorizeError: an error that is not about one photo.
        """
        with Prefetcher(self._predicted(tasks), 1, "infer") as batches:
            for batch in batches:
                for photo in batch:
                    with self._outcomes.item(photo.opened.task.about):
                        self._outcomes.add(self._publish(photo, write_thumbnails))
                if self._outcomes.blocked:
                    break

    def _predicted(self, tasks: Iterable[PhotoTask]) -> Iterator[list[_Predicted]]:
        with Prefetcher(self._opened(tasks), 1, "decode") as photos:
            for batch in _batches(photos, self._config.render.batch_size):
                yield self._predict(batch)

    def _opened(self, tasks: Iterable[PhotoTask]) -> Iterator[_Opened]:
        for task in tasks:
            with self._outcomes.item(task.about):
                started = time.monotonic()
                data = read_item(task.item, max_bytes=most_bytes(self._config.photo.max_pixels))
                sha256 = hashlib.sha256(data).hexdigest()
                if task.finished is not None and task.finished.source_sha256 == sha256:
                    self._outcomes.add(replace(task.finished, stamp=task.item.stamp))
                else:
                    yield _decoded(task, data, sha256, started, self._config)

    def _predict(self, batch: list[_Opened]) -> list[_Predicted]:
        passed_on = [_Predicted(opened, [], []) for opened in batch if opened.is_colored]
        prepared: list[tuple[_Opened, list[PreparedPage]]] = []
        size = self._config.render.size
        for opened in batch:
            if not opened.is_colored:
                with self._outcomes.item(opened.task.about):
                    pages = [photo_pages.prepare_page(page, size) for page in opened.photo.pages]
                    prepared.append((opened, pages))
        return [*self._infer(prepared), *passed_on]

    def _infer(self, prepared: list[tuple[_Opened, list[PreparedPage]]]) -> list[_Predicted]:
        if not prepared:
            return []
        working = torch.cat([page.working for _, pages in prepared for page in pages])
        try:
            rest = self._colorizer.predict_ab(working)
        except Exception as error:  # noqa: BLE001 - settled per photo: recorded, retried or raised
            for opened, _ in prepared:
                self._outcomes.settle(opened.task.about, error)
            return []
        results = []
        for opened, pages in prepared:
            colored = [(page, rest[i : i + 1]) for i, page in enumerate(pages)]
            # Fallbacks cost time once: the first photo of the batch tells of them.
            results.append(_Predicted(opened, colored, self._colorizer.take_notes()))
            rest = rest[len(pages) :]
        return results

    def _publish(self, photo: _Predicted, write_thumbnails: bool) -> ItemReport:
        if photo.opened.is_colored:
            return self._pass_on(photo.opened)
        return self._finish(photo, write_thumbnails)

    def _finish(self, predicted: _Predicted, write_thumbnails: bool) -> ItemReport:
        started = time.monotonic()
        opened, task = predicted.opened, predicted.opened.task
        pixels = [photo_pages.finish_page(*page, self._config) for page in predicted.pages]
        data = photo_pages.encode(opened.photo, pixels, self._config, self._note)
        publish_bytes(self._out / task.output, data, mtime_ns=modified_ns(task.item))
        first, first_ab = predicted.pages[0]
        details = PhotoDetails(
            width=pixels[0].shape[1],
            height=pixels[0].shape[0],
            signals=photo_pages.signals_of(first, first_ab),
            growth=round(len(data) / max(1, task.item.size), 3),
            thumbnails=photo_pages.write_thumbnails(first, pixels[0], self._out, task.key)
            if write_thumbnails
            else None,
        )
        notes = [*opened.photo.warnings, *predicted.notes]
        remedy = "nothing to do: only time was lost" if notes else ""
        if opened.photo.warnings:
            remedy = "compare it with the original; a better copy of that may help"
        if photo_pages.is_gray_result(details.signals, first):
            notes.append("the generator found hardly any color in it")
            remedy = "look at it; another render.size may find some"
        return ItemReport(
            key=task.key,
            kind="photo",
            source=task.item.path,
            status="degraded" if notes else "done",
            output=task.output,
            reason="; ".join([*notes, *opened.photo.notes]),
            remedy=remedy,
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            seconds=round(opened.seconds + time.monotonic() - started, 4),
            source_sha256=opened.sha256,
            stamp=task.item.stamp,
            details=details,
        )

    def _pass_on(self, opened: _Opened) -> ItemReport:
        """A picture that already has color: copied byte for byte, or left out."""
        task = opened.task
        leave = self._config.colored == "leave"
        if not leave:
            publish_bytes(self._out / task.item.path, opened.data, mtime_ns=modified_ns(task.item))
        return ItemReport(
            key=task.key,
            kind="photo",
            source=task.item.path,
            status="skipped",
            output=None if leave else task.item.path,
            reason="already in color: left out" if leave else "already in color: copied",
            sha256="" if leave else opened.sha256,
            size=0 if leave else len(opened.data),
            seconds=round(opened.seconds, 4),
            source_sha256=opened.sha256,
            stamp=task.item.stamp,
        )


def _decoded(
    task: PhotoTask, data: bytes, sha256: str, started: float, config: ColorizeConfig
) -> _Opened:
    photo = decode_photo(data, name=task.item.path, max_pixels=config.photo.max_pixels)
    # Damage looks like color: half a picture in green is no color photo.
    may_be_colored = config.colored != "recolor" and not photo.is_damaged
    colored = may_be_colored and photo_pages.is_colored(photo)
    kept = data if colored else b""
    return _Opened(task, photo, colored, kept, sha256, time.monotonic() - started)


def _batches(photos: Iterable[_Opened], size: int) -> Iterator[list[_Opened]]:
    """Photos whose pages fill a batch of the generator, or whose pixels fill the memory."""
    batch: list[_Opened] = []
    for opened in photos:
        batch.append(opened)
        pages = sum(len(opened.photo.pages) for opened in batch)
        if pages >= size or sum(opened.pixels for opened in batch) >= BATCH_PIXELS:
            yield batch
            batch = []
    if batch:
        yield batch
