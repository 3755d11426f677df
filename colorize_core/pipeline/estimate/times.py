"""How long a run takes: its units, which cannot be divided, laid out over the workers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig
from colorize_core.pipeline.estimate.rates import HALO_COST, Rates
from colorize_core.pipeline.film_units import CUT_FRAMES
from colorize_core.pipeline.plan import shard_size

REPORT_SECONDS_PER_ITEM = 0.0005


@dataclass(frozen=True)
class FilmWork:
    """A gray film: frames of each segment, pixels of a frame, frames beside a segment."""

    segments: tuple[int, ...]
    pixels: int
    halo: int


@dataclass(frozen=True)
class Times:
    """Seconds of wall time, and of worker time; `low` and `high` bound the first."""

    seconds: float
    low: float
    high: float
    worker_seconds: float


def times_of(
    photos: Sequence[SourceItem],
    films: Sequence[FilmWork],
    rates: Rates,
    config: ColorizeConfig,
    *,
    items: int,
    workers: int,
) -> Times:
    """Estimate a run.

    Args:
        photos: to be done, in color or not.
        films: to be colored.
        rates: see there.
        config: its shard size.
        items: on the page.
        workers: how many there will be.
    """
    shards = _shards(photos, rates, config, workers)
    segments = [_segment_costs(film, rates) for film in films]
    looks = [_look_costs(film, rates) for film in films]
    work = makespan(list(zip(looks, segments, strict=True)), rates.join, shards, workers)
    compare = rates.compare * (len(photos) * rates.gray_share + len(films))
    seconds = rates.overhead + work + compare + REPORT_SECONDS_PER_ITEM * items
    spent = sum(shards) + sum(map(sum, [*looks, *segments])) + rates.join * len(films)
    return Times(seconds, seconds * (1 - rates.deviation), seconds * (1 + rates.deviation), spent)


def makespan(
    films: Sequence[tuple[Sequence[float], Sequence[float]]],
    join: float,
    shards: Sequence[float],
    workers: int,
) -> float:
    """When the last worker is free: films first, each unit to the worker that is free first.

    Args:
        films: of each, seconds of the looks at it and, after the last of them, of its segments.
        join: seconds of the join that follows the last segment of a film.
        shards: seconds of each.
        workers: at least 1.
    """
    free = [0.0] * max(1, workers)
    joins = []
    seen = [max((_place(free, 0.0, look) for look in looks), default=0.0) for looks, _ in films]
    for ready, (_, segments) in zip(seen, films, strict=True):
        ends = [_place(free, ready, seconds) for seconds in segments]
        joins.append(max(ends, default=0.0))
    last, waiting = 0.0, iter(shards)
    for ready in sorted(joins):
        # Until a film is ready to be joined, its worker does something else.
        while min(free) < ready and (seconds := next(waiting, None)) is not None:
            last = max(last, _place(free, 0.0, seconds))
        last = max(last, _place(free, ready, join))
    return max([last, *(_place(free, 0.0, seconds) for seconds in waiting)])


def _place(free: list[float], ready: float, seconds: float) -> float:
    end = max(heapq.heappop(free), ready) + seconds
    heapq.heappush(free, end)
    return end


def _shards(
    photos: Sequence[SourceItem], rates: Rates, config: ColorizeConfig, workers: int
) -> list[float]:
    if rates.photo is None or not photos:
        return []
    fixed, per_byte = rates.photo
    share = rates.gray_share
    costs = [share * (fixed + per_byte * item.size) + (1 - share) * rates.copy for item in photos]
    size = shard_size(config, len(photos), workers)
    return [sum(costs[at : at + size]) for at in range(0, len(costs), size)]


def _look_costs(film: FilmWork, rates: Rates) -> list[float]:
    fixed, per_pixel = rates.look
    frames = sum(film.segments)
    parts = [min(CUT_FRAMES, frames - start) for start in range(0, frames, CUT_FRAMES)]
    return [part * (fixed + per_pixel * film.pixels) for part in parts]


def _segment_costs(film: FilmWork, rates: Rates) -> list[float]:
    if rates.frame is None:
        return []
    fixed, per_pixel = rates.frame
    frame = fixed + per_pixel * film.pixels
    # The first and the last segment have frames beside them on one side only.
    last = len(film.segments) - 1
    sides = [(number > 0) + (number < last) for number in range(last + 1)]
    return [
        frame * (frames + HALO_COST * film.halo * side)
        for frames, side in zip(film.segments, sides, strict=True)
    ]
