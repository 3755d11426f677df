"""Pictures before and after: real pixels of photos and of single frames."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from colorize_core.config import ColorizeConfig
from colorize_core.errors import InputError, UndecodableError
from colorize_core.media.film.display_rgb import to_display_rgb
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.photo.photo import Photo
from colorize_core.media.photo.raster import Samples, to_uint8
from colorize_core.media.picture.plain import encode_picture
from colorize_core.media.picture.resize import fit, shrink
from colorize_core.review.catalog import Entry
from colorize_core.review.originals import Originals

Side = Literal["before", "after"]
T = TypeVar("T")

LARGEST: Final = 8192  # of a side in the browser
_MOST_BYTES: Final = 512 * 2**20  # of decoded photos
_FRAMES: Final = 64
_QUALITY: Final = 90


@dataclass
class Kept(Generic[T]):
    """The last results of something slow; made once, also when two ask at the same time.

    Args:
        most: sum of sizes above which the oldest go; the newest always stays.
        size: of one.
        drop: is called with what goes.
    """

    most: float
    size: Callable[[T], float] = lambda _: 1
    drop: Callable[[T], None] = lambda _: None
    _found: OrderedDict[object, T] = field(default_factory=OrderedDict)
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _making: dict[object, threading.Lock] = field(default_factory=dict)

    def get(self, key: object, make: Callable[[], T]) -> T:
        """What `make` gives for this key."""
        with self._guard:
            lock = self._making.setdefault(key, threading.Lock())
        with lock:
            with self._guard:
                if key in self._found:
                    self._found.move_to_end(key)
                    return self._found[key]
            try:
                made = make()
            finally:
                with self._guard:
                    self._making.pop(key, None)
            with self._guard:
                self._found[key] = made
                while len(self._found) > 1 and self._is_full():
                    self.drop(self._found.popitem(last=False)[1])
            return made

    def _is_full(self) -> bool:
        return sum(map(self.size, self._found.values())) > self.most

    def clear(self) -> None:
        """Forget all."""
        with self._guard:
            while self._found:
                self.drop(self._found.popitem()[1])


@dataclass(frozen=True)
class _Film:
    path: Path
    probe: FilmProbe
    staged: ExitStack


class Pictures:
    """Decodes what is asked for, and keeps the last ones.

    Args:
        originals: finds the files.
        config_for: settings of one item, for its limits.
    """

    def __init__(self, originals: Originals, config_for: Callable[[str], ColorizeConfig]) -> None:
        self._originals, self._config_for = originals, config_for
        self._photos: Kept[Photo] = Kept(_MOST_BYTES, _photo_bytes)
        self._films: Kept[_Film] = Kept(3, drop=_close)
        self._frames: Kept[NDArray[np.uint8]] = Kept(_FRAMES)

    def close(self) -> None:
        """Give up what is kept."""
        self._films.clear()

    def photo(self, entry: Entry, side: Side) -> Photo:
        """A decoded photo.

        Raises:
            InputError: it is not there, or cannot be read.
        """
        key = (entry.id, side, entry.report.sha256)
        return self._photos.get(key, lambda: self._decoded(entry, side))

    def page(self, entry: Entry, side: Side, page: int) -> Samples:
        """Pixels of one page, [H, W] or [H, W, 3], counted from 1."""
        pages = self.photo(entry, side).pages
        return pages[min(page, len(pages)) - 1].pixels

    def frame(self, entry: Entry, side: Side, time: float, long_side: int) -> NDArray[np.uint8]:
        """The frame that a film shows at `time` seconds, upright, [H, W, 3].

        Raises:
            InputError: the film cannot be read.
        """
        number = _frame_at(self._film(entry, "before").probe, time)
        key = (entry.id, side, entry.report.sha256, number, long_side)
        return self._frames.get(
            key, lambda: self._shown(self._film(entry, side), number, long_side)
        )

    def length(self, entry: Entry) -> dict[str, float]:
        """Seconds from the first to the last frame of a film, and frames per second.

        Raises:
            InputError: the film cannot be read.
        """
        probe = self._film(entry, "before").probe
        seconds = (probe.pts[-1] - probe.start_pts) * probe.time_base
        return {"seconds": round(float(seconds), 4), "rate": round(float(probe.frame_rate), 4)}

    def shown(
        self, entry: Entry, side: Side, *, page: int, time: float, long_side: int
    ) -> NDArray[np.uint8]:
        """A picture for the browser, its long side at most `long_side`."""
        if entry.is_film:
            return self.frame(entry, side, time, long_side)
        return small(self.page(entry, side, page), long_side)

    def film(self, entry: Entry) -> tuple[Path, FilmProbe]:
        """A film's original, and what is known of it.

        Raises:
            InputError: the film cannot be read.
        """
        found = self._film(entry, "before")
        return found.path, found.probe

    def _decoded(self, entry: Entry, side: Side) -> Photo:
        limit = self._config_for(entry.source).photo.max_pixels
        if side == "before":
            data = self._originals.read(entry, limit)
        else:
            data = self._originals.result(entry).read_bytes()
        return decode_photo(data, name=entry.name, max_pixels=limit)

    def _film(self, entry: Entry, side: Side) -> _Film:
        key = (entry.id, side, entry.report.sha256)
        return self._films.get(key, lambda: self._opened(entry, side))

    def _opened(self, entry: Entry, side: Side) -> _Film:
        video = self._config_for(entry.source).video
        staged = ExitStack()
        try:
            if side == "before":
                path = staged.enter_context(self._originals.film(entry))
            else:
                path = self._originals.result(entry)
            limits = {"max_pixels": video.max_pixels, "max_frames": video.max_frames}
            return _Film(path, probe_film(path, **limits, fps=video.fps), staged)
        except BaseException:
            with suppress(InputError):
                staged.close()
            raise

    def _shown(self, film: _Film, number: int, long_side: int) -> NDArray[np.uint8]:
        number = min(number, film.probe.frames - 1)
        width, height = fit(*film.probe.display_size, long_side)
        turned = round(film.probe.rotation / 90) % 2 == 1
        size = (height, width) if turned else (width, height)
        found = next(read_frames(film.path, film.probe, number, number + 1, keep_source=True), None)
        if found is None or found.source is None:
            raise UndecodableError(f"{film.path.name}: frame {number} does not decode")
        rgb = to_display_rgb(found.source, film.probe, size=size, interpolation="AREA")
        return np.asarray(rgb, np.uint8)


def small(pixels: Samples, long_side: int) -> NDArray[np.uint8]:
    """A page as uint8, its long side at most `long_side`."""
    narrow = to_uint8(pixels)
    return shrink(narrow, *fit(narrow.shape[1], narrow.shape[0], min(long_side, LARGEST)))


def jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """A picture for the browser."""
    return encode_picture(".jpg", pixels, _QUALITY)


def _photo_bytes(photo: Photo) -> float:
    return sum(page.pixels.nbytes for page in photo.pages)


def _frame_at(probe: FilmProbe, time: float) -> int:
    pts = probe.start_pts + round(time / probe.time_base)
    return max(0, bisect_right(probe.pts, pts) - 1)


def _close(film: _Film) -> None:
    with suppress(InputError):  # it changed while it was looked at: that ends here
        film.staged.close()
