"""When each frame of a film is shown: from the times of its packets, and what is odd about them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from colorize_core.media.film.packet_scan import IN_ONE_PIECE, PacketScan

_RATE_ROUNDED = 0.003  # frames per second
_GAP_FACTOR = 3.0
_STEADY_SHARE = 0.95
_SILENT_SHARE = 0.25
# Recordings of these can be put behind each other byte by byte, each with its own clock.
_JOINABLE = {"mpegts", "mpeg"}
_RESTART_SECONDS = 1.0
# Clocks of 33 bits at 90 kHz: FFmpeg takes a restart for an overflow when it can.
_OVERFLOW_SECONDS = 2**32 / 90_000
_NEIGHBORS = 9


def frame_times(
    times: Sequence[int | None], time_base: Fraction, guessed_rate: Fraction | None
) -> tuple[NDArray[np.int64], str]:
    """When each frame is shown, ascending, and what is to be said about that.

    A missing time is put between those around it, equal times share the wait until the next one.

    Args:
        times: of the packets in decode order.
        time_base: their unit, in seconds.
        guessed_rate: frames per second, where nearly no packet has a time.
    """
    known = sorted(t for t in times if t is not None)
    distinct = sorted(set(known))
    if len(distinct) == len(times):
        return np.asarray(known, np.int64), ""
    if len(distinct) < max(2, len(times) / 2):
        step = 1 / ((guessed_rate or Fraction(25)) * time_base)
        start = known[0] if known else 0
        constant = [start + round(i * step) for i in range(len(times))]
        note = f"only {len(distinct)} of {len(times)} frames have a time of their own"
        # Raw streams have no times at all: for them the declared rate is all there is.
        return np.asarray(constant, np.int64), f"{note}: shown at a constant rate" * bool(known)
    places = [i for i, t in enumerate(times) if t is not None]
    # Before the first known time and after the last one, the distance next to it goes on.
    first = known[0] - (places[0] + 1) * (distinct[1] - distinct[0])
    last = known[-1] + (len(times) - places[-1]) * (distinct[-1] - distinct[-2])
    filled = np.interp(np.arange(len(times)), [-1, *places, len(times)], [first, *known, last])
    return _spread(np.round(filled).astype(np.int64)), ""


def _spread(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ascending times, equal ones moved apart: by equal shares, at least by one tick."""
    first, counts = np.unique(times, return_index=True, return_counts=True)[1:]
    wait = np.append(np.diff(times[first]), 0)
    order = np.arange(len(times))
    nth = order - np.repeat(first, counts)
    moved = times + nth * np.repeat(wait, counts) // np.repeat(counts, counts)
    return np.maximum.accumulate(moved - order) + order


def times_of_decoding(clock: Sequence[int], delay: int) -> NDArray[np.int64]:
    """When frames come out of a decoder that is fed by the clock: all that AVI says.

    Args:
        clock: decode times of the packets, ascending.
        delay: how many packets the decoder takes before the first frame comes out, less one.
    """
    step = round(float(np.median(np.diff(clock)))) if len(clock) > 1 else 1
    after = [clock[-1] + step * (i + 1) for i in range(delay)] if clock else []
    return np.asarray([*clock[delay:], *after], np.int64)


def frame_rate(
    pts: NDArray[np.int64], time_base: Fraction, guessed_rate: Fraction | None
) -> Fraction:
    """Nominal rate: the declared one where the median distance of frames agrees with it."""
    if len(pts) < 2:
        return guessed_rate or Fraction(25)
    median = float(np.median(np.diff(pts)))
    mean = float(pts[-1] - pts[0]) / (len(pts) - 1)
    # The mean is free of the rounding of coarse time bases, but one long pause spoils it.
    step = Fraction(mean if abs(mean / median - 1) < 0.05 else median)
    measured = 1 / (step * time_base)
    if guessed_rate and abs(guessed_rate / measured - 1) < Fraction(1, 20):
        return guessed_rate
    return plain_rate(measured)


def plain_rate(rate: Fraction) -> Fraction:
    """Round to a rate as films have them (24000/1001), or to whole seconds per frame."""
    return (
        rate.limit_denominator(1001) if rate > Fraction(1, 1001) else Fraction(1, round(1 / rate))
    )


def film_rate(rate: float) -> Fraction:
    """The rate that a rounded number stands for: 23.976 is 24000/1001."""
    whole = round(rate)
    slower = Fraction(whole * 1000, 1001)
    return slower if abs(float(slower) - rate) < _RATE_ROUNDED else plain_rate(Fraction(rate))


def find_gaps(
    pts: NDArray[np.int64], time_base: Fraction, scan: PacketScan, container: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Find long waits in a film of a steady rate: damage, or pauses that somebody meant.

    Where frames come at irregular times by design, no wait says anything.

    Returns:
        Damage and remarks, in words.
    """
    distance = np.diff(pts)
    if len(distance) < 4:
        return (), ()
    median = float(np.median(distance))
    steady = np.abs(distance - median) <= max(1.0, 0.1 * median)
    gaps = np.flatnonzero(distance > _GAP_FACTOR * median)
    if not gaps.size or steady.mean() < _STEADY_SHARE:
        return (), ()
    is_pause = np.array([_is_pause(pts, int(g), time_base, scan, container) for g in gaps])
    damage, remarks = [], []
    lost, kept = gaps[~is_pause], gaps[is_pause]
    if lost.size:
        missing = int(sum(round(float(distance[g]) / median) - 1 for g in lost))
        where = float(pts[lost[0]] * time_base)
        damage.append(f"{missing} frames are missing in {lost.size} gaps, first at {where:.2f} s")
    if kept.size:
        longest = kept[distance[kept].argmax()]
        seconds, where = float(distance[longest] * time_base), float(pts[longest] * time_base)
        remarks.append(
            f"{kept.size} pause{'s' * (kept.size > 1)} without new frames, "
            f"the longest of {seconds:.2f} s at {where:.2f} s"
        )
    return tuple(damage), tuple(remarks)


def _is_pause(
    pts: NDArray[np.int64], gap: int, time_base: Fraction, scan: PacketScan, container: str
) -> bool:
    """The frame says that it lasts so long, or nothing was skipped where the next should be."""
    before, after = int(pts[gap]), int(pts[gap + 1])
    if 2 * (scan.ends.get(before, before) - before) > after - before:
        return True
    if any(before < time <= after for time in scan.skipped):
        return False
    if container in IN_ONE_PIECE or container == "avi":
        return True  # in AVI, an empty packet says that the last frame stays
    # Streams that are sent, not stored: what is lost there takes the sound with it.
    start, end = float(before * time_base), float(after * time_base)
    heard = np.array([start, *(s for s in scan.sound if start < s < end), end])
    return len(heard) > 2 and bool(np.diff(heard).max() < _SILENT_SHARE * (end - start))


def find_restart(clock: Sequence[int], time_base: Fraction, container: str) -> float | None:
    """Find where decode times fall back for good: seconds on the clock before that, or None."""
    if container not in _JOINABLE:
        return None
    seconds = np.asarray(clock, np.float64) * float(time_base)
    step = np.diff(seconds)
    for i in np.flatnonzero((step < -_RESTART_SECONDS) | (step > _OVERFLOW_SECONDS)) + 1:
        # One damaged time strays alone: its neighbors go on as before.
        before = np.median(seconds[max(0, i - _NEIGHBORS) : i])
        jump = np.median(seconds[i : i + _NEIGHBORS]) - before
        if jump < -_RESTART_SECONDS or jump > _OVERFLOW_SECONDS:
            return float(before)
    return None
