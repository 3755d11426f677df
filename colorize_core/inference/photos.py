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

from torch import Tensor

from colorize_core.archive.records.details import PhotoDetails
from colorize_core.archive.records.work import ItemReport, PhotoTask
from colorize_core.archive.source.contents import modified_ns, most_bytes, read_item
from colorize_core.atomic import publish_bytes
from colorize_core.color.grayness import Grayness
from colorize_core.color.pixels import L_to_pixels, Pixels
from colorize_core.config import ColorizeConfig
from colorize_core.inference import photo_pages
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.outcomes import UnitOutcomes
from colorize_core.inference.photo_pages import PreparedPage
from colorize_core.inference.prefetch import Prefetcher
from colorize_core.inference.references import References, carry_to
from colorize_core.inference.signals import OWN_COLOR
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.photo.photo import Photo
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.memory import give_back_memory

# Decoded pixels held at once for one batch; huge scans go one at a time.
BATCH_PIXELS = 64_000_000
_IN_COLOR_REMEDY = (
    "if it is black and white after all: --colored recolor, or `colored: recolor` for it in "
    "overrides.yaml"
)
_OWN_COLOR_REMEDY = (
    "look at it; --colored recolor (in overrides.yaml: `colored: recolor`) colors all of it, "
    "--colored whole decides for the picture as one"
)

# From here on, freed memory is given back between steps: it would add up to several pictures.
_HUGE_PIXELS = 8_000_000

_Pages = list[PreparedPage | None]  # None: a page in color, which stays as it is


@dataclass(frozen=True)
class _Opened:
    """A decoded photo; `sha256` is that of its file. `data` is kept only of what is copied."""

    task: PhotoTask
    photo: Photo = field(repr=False)
    verdicts: tuple[Grayness, ...]
    data: bytes = field(repr=False)
    sha256: str
    seconds: float

    @property
    def is_colored(self) -> bool:
        """All of it is in color."""
        return all(verdict.kind == "colored" for verdict in self.verdicts)

    @property
    def pixels(self) -> int:
        return sum(page.pixels.shape[0] * page.pixels.shape[1] for page in self.photo.pages)


@dataclass(frozen=True)
class _Predicted:
    """A photo and, unless it is passed on, its pages with the ab predicted for each.

    A page in color among gray ones is None. `notes` are the generator's fallbacks.
    """

    opened: _Opened
    pages: list[tuple[PreparedPage, Tensor] | None]
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
        self._references = References(colorizer, config.photo.max_pixels)

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
                    opened = _decoded(task, data, sha256, started, self._config)
                    del data  # as long as this waits, it would stay beside the pixels
                    _tidy(opened)
                    yield opened
                    del opened

    def _predict(self, batch: list[_Opened]) -> list[_Predicted]:
        passed_on = [_Predicted(opened, [], []) for opened in batch if opened.is_colored]
        prepared: list[tuple[_Opened, _Pages]] = []
        for opened in batch:
            if not opened.is_colored:
                with self._outcomes.item(opened.task.about):
                    prepared.append((opened, self._prepared(opened)))
        return [*self._infer(prepared), *passed_on]

    def _prepared(self, opened: _Opened) -> _Pages:
        size, hints = self._config.render.size, opened.task.hints
        known, _ = self._references.read(hints.references)
        pages: _Pages = []
        for number, page in enumerate(opened.photo.pages, 1):
            verdict = opened.verdicts[number - 1]
            if verdict.kind == "colored":
                pages.append(None)
                continue
            prepared = photo_pages.prepare_page(page, size, verdict, hints.of_page(number))
            _tidy(opened)
            carried = carry_to(self._colorizer, prepared.shown, known)
            pages.append(replace(prepared, carried=carried))
        return pages

    def _infer(self, prepared: list[tuple[_Opened, _Pages]]) -> list[_Predicted]:
        shown = [page for _, pages in prepared for page in pages if page is not None]
        try:
            predicted = self._colorizer.predict_pictures(
                [page.box for page in shown],
                [page.shown for page in shown],
                [page.hints for page in shown],
                carried=[page.carried for page in shown],
                look=self._config.render.look,
            )
        except Exception as error:  # noqa: BLE001 - settled per photo: recorded, retried or raised
            for opened, _ in prepared:
                self._outcomes.settle(opened.task.about, error)
            return []
        rest = iter(predicted)
        results = []
        for opened, pages in prepared:
            colored = [None if page is None else (page, next(rest)) for page in pages]
            # Fallbacks cost time once: the first photo of the batch tells of them.
            results.append(_Predicted(opened, colored, self._colorizer.take_notes()))
        return results

    def _publish(self, photo: _Predicted, write_thumbnails: bool) -> ItemReport:
        if photo.opened.is_colored:
            return self._pass_on(photo.opened, write_thumbnails)
        return self._finish(photo, write_thumbnails)

    def _finish(self, predicted: _Predicted, write_thumbnails: bool) -> ItemReport:
        started = time.monotonic()
        opened, task = predicted.opened, predicted.opened.task
        pixels = [
            page.pixels if made is None else photo_pages.finish_page(*made, self._config)
            for page, made in zip(opened.photo.pages, predicted.pages, strict=True)
        ]
        _tidy(opened)
        data = photo_pages.encode(opened.photo, pixels, self._config, self._note)
        publish_bytes(self._out / task.output, data, mtime_ns=modified_ns(task.item))
        details = self._described(predicted, pixels, write_thumbnails)
        details = replace(details, growth=round(len(data) / max(1, task.item.size), 3))
        unused = self._unused(opened)
        notes = [*opened.photo.warnings, *predicted.notes, *unused]
        remedy = "nothing to do: only time was lost" if notes else ""
        if unused:
            remedy = "correct overrides.yaml"
        if opened.photo.warnings:
            remedy = "compare it with the original; a better copy of that may help"
        if photo_pages.is_gray_result(details.signals, _first(predicted)[0]):
            notes.append("the generator found hardly any color in it")
            remedy = "look at it; another render.size may find some"
        own = photo_pages.own_color_note(opened.verdicts)
        return ItemReport(
            key=task.key,
            kind="photo",
            source=task.item.path,
            status="degraded" if notes else "done",
            output=task.output,
            reason="; ".join(filter(None, [*notes, *opened.photo.notes, own])),
            remedy=remedy or (_OWN_COLOR_REMEDY if own else ""),
            sha256=hashlib.sha256(data).hexdigest(),
            size=len(data),
            seconds=round(opened.seconds + time.monotonic() - started, 4),
            source_sha256=opened.sha256,
            stamp=task.item.stamp,
            details=details,
        )

    def _unused(self, opened: _Opened) -> list[str]:
        """A line on each reference and hint that could not be used."""
        _, problems = self._references.read(opened.task.hints.references)
        return [*problems, *_unused_hints(opened)]

    def _described(
        self, predicted: _Predicted, pixels: list[Pixels], write_thumbnails: bool
    ) -> PhotoDetails:
        """Of the first page that was colored."""
        page, ab = _first(predicted)
        colored = zip(pixels, predicted.pages, strict=True)
        after = next(picture for picture, made in colored if made is not None)
        key = predicted.opened.task.key
        # A page in color among gray ones keeps all of its own.
        own = [1.0 if v.kind == "colored" else v.own_share for v in predicted.opened.verdicts]
        share = sum(own) / len(pixels)
        signals = photo_pages.signals_of(page, ab)
        return PhotoDetails(
            width=after.shape[1],
            height=after.shape[0],
            signals={**signals, **({OWN_COLOR: round(share, 4)} if share else {})},
            thumbnails=photo_pages.write_thumbnails(
                L_to_pixels(page.L), after, self._out, key, output=predicted.opened.task.output
            )
            if write_thumbnails
            else None,
        )

    def _pass_on(self, opened: _Opened, write_thumbnails: bool) -> ItemReport:
        """A picture that already has color: copied byte for byte, or left out."""
        task, leave = opened.task, self._config.colored == "leave"
        if not leave:
            publish_bytes(self._out / task.item.path, opened.data, mtime_ns=modified_ns(task.item))
        pixels = opened.photo.pages[0].pixels
        return ItemReport(
            key=task.key,
            kind="photo",
            source=task.item.path,
            status="skipped",
            output=None if leave else task.item.path,
            reason="already in color: left out" if leave else "already in color: copied",
            remedy=_IN_COLOR_REMEDY,
            sha256="" if leave else opened.sha256,
            size=0 if leave else len(opened.data),
            seconds=round(opened.seconds, 4),
            source_sha256=opened.sha256,
            stamp=task.item.stamp,
            details=PhotoDetails(
                width=pixels.shape[1],
                height=pixels.shape[0],
                thumbnails=photo_pages.write_thumbnails(
                    pixels, pixels, self._out, task.key, output=task.item.path
                )
                if write_thumbnails
                else None,
            ),
        )


def _first(predicted: _Predicted) -> tuple[PreparedPage, Tensor]:
    """The first page that was colored, with its ab."""
    return next(page for page in predicted.pages if page is not None)


def _unused_hints(opened: _Opened) -> list[str]:
    """A line on hints for pages that are not there or are in color."""
    colored = {n for n, v in enumerate(opened.verdicts, 1) if v.kind != "colored"}
    lost = sorted({p.page for p in opened.task.hints.points} - colored)
    count = len(opened.photo.pages)
    return [
        f"hints on page {page}: "
        + ("it is in color" if page <= count else f"there {'is' if count < 2 else 'are'} {count}")
        for page in lost
    ]


def _tidy(opened: _Opened) -> None:
    if opened.pixels >= _HUGE_PIXELS:
        give_back_memory()


def _decoded(
    task: PhotoTask, data: bytes, sha256: str, started: float, config: ColorizeConfig
) -> _Opened:
    photo = decode_photo(data, name=task.item.path, max_pixels=config.photo.max_pixels)
    # Damage looks like color: half a picture in green is no color photo.
    verdicts = photo_pages.verdicts(photo, "recolor" if photo.is_damaged else config.colored)
    opened = _Opened(task, photo, verdicts, data, sha256, 0.0)
    kept = data if opened.is_colored else b""
    return replace(opened, data=kept, seconds=time.monotonic() - started)


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
