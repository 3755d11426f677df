"""The picture as the next run would color it, while a reviewer looks at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from colorize_core.archive.records.item_hints import ItemHints
from colorize_core.color.grayness import Grayness
from colorize_core.config import ColorizeConfig
from colorize_core.errors import UnsupportedError
from colorize_core.inference import photo_pages
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.devices import Device
from colorize_core.inference.references import References, carry_to
from colorize_core.media.photo.photo import Page
from colorize_core.media.photo.raster import Samples, to_uint8
from colorize_core.media.picture.resize import fit, shrink
from colorize_core.review.catalog import Entry
from colorize_core.review.pictures import Kept
from colorize_core.review.state import Review

_PICTURES: Final = 8
_SIZES: Final = 3  # working sizes for which a colorizer is held
_NEAR: Final = 0.25  # seconds around a point of a film in which a frame shows it


@dataclass(frozen=True)
class Opened:
    """A picture at the size in which it is looked at, and which of its color stays."""

    pixels: Samples
    verdict: Grayness
    page: int
    time: float | None


@dataclass(frozen=True)
class _Loaded:
    """A generator for one working size, and the references that it has looked at."""

    colorizer: Colorizer
    references: References


class Live:
    """Colors single pictures with a generator that stays loaded.

    Args:
        review: knows what is asked for.
        device: see Colorizer.
    """

    def __init__(self, review: Review, device: str) -> None:
        self._review, self._device = review, cast("Device", device)
        self._opened: Kept[Opened] = Kept(_PICTURES)
        self._sizes: Kept[_Loaded] = Kept(_SIZES)

    def opened(self, entry: Entry, *, page: int, time: float, long_side: int) -> Opened:
        """The original of an item, kept for the next colors.

        Raises:
            InputError: it cannot be read.
        """
        key = (entry.id, entry.report.sha256, page, time, long_side)
        return self._opened.get(key, lambda: self._open(entry, page, time, long_side))

    def colored(self, entry: Entry, opened: Opened, tried: Mapping[str, Any]) -> NDArray[np.uint8]:
        """The picture in color, [H, W, 3].

        Args:
            entry: the item.
            opened: its picture.
            tried: settings by dotted name that are not recorded yet.

        Raises:
            ColorizeError: the weights, a hint or a reference cannot be used.
        """
        config, known = self._review.asked(entry, tried)
        if opened.verdict.kind == "colored" and config.colored != "recolor":
            return np.asarray(to_uint8(opened.pixels))
        known = _at(known, opened)
        loaded = self._loaded(config)
        prepared = photo_pages.prepare_page(
            Page(opened.pixels), config.render.size, opened.verdict, known
        )
        colors, problems = loaded.references.read(known.references)
        if problems:
            raise UnsupportedError(problems[0])
        (ab,) = loaded.colorizer.predict_pictures(
            [prepared.box],
            [prepared.shown],
            [prepared.hints],
            carried=[carry_to(loaded.colorizer, prepared.shown, colors)],
            look=config.render.look,
        )
        return np.asarray(to_uint8(photo_pages.finish_page(prepared, ab, config)))

    def colorizer(self, config: ColorizeConfig) -> Colorizer:
        """The generator for a working size.

        Raises:
            ColorizeError: the weights cannot be used.
        """
        return self._loaded(config).colorizer

    def warm(self) -> None:
        """Load the generator before somebody waits for it."""
        self._loaded(self._review.config)

    def _open(self, entry: Entry, page: int, time: float, long_side: int) -> Opened:
        pictures = self._review.pictures
        config = self._review.config_for(entry.source)
        if entry.is_film:
            pixels: Samples = pictures.frame(entry, "before", time, long_side)
            return Opened(pixels, photo_pages.GRAY, 1, time)
        photo = pictures.photo(entry, "before")
        number = min(page, len(photo.pages)) - 1
        whole = photo.pages[number].pixels
        verdict = photo_pages.verdicts(photo, "recolor" if photo.is_damaged else config.colored)
        pixels = shrink(whole, *fit(whole.shape[1], whole.shape[0], long_side))
        return Opened(pixels, verdict[number], number + 1, None)

    def _loaded(self, config: ColorizeConfig) -> _Loaded:
        key = (config.model.precision, config.render.size)
        return self._sizes.get(key, lambda: self._load(config))

    def _load(self, config: ColorizeConfig) -> _Loaded:
        weights = config.model.weights
        named = weights if weights == "shipped" else str(Path(self._review.started.cwd) / weights)
        colorizer = Colorizer.load(
            named,
            device=self._device,
            precision=config.model.precision,
            render_size=config.render.size,
        )
        return _Loaded(colorizer, References(colorizer, config.photo.max_pixels))


def _at(known: ItemHints, opened: Opened) -> ItemHints:
    """What holds for this page, or for this moment of a film."""
    time = opened.time
    if time is None:
        return known.of_page(opened.page)
    points = tuple(point for point in known.points if abs(point.time - time) <= _NEAR)
    pictures = [r for r in known.references if r.time is not None]
    nearest = min((abs(r.time - time) for r in pictures if r.time is not None), default=0.0)
    shown = tuple(r for r in known.references if r.time is None or abs(r.time - time) <= nearest)
    return replace(known, points=points, references=shown)
