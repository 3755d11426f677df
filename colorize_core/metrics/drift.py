"""How far surfaces of a film wander from their color over seconds, beyond what they really do.

Places on a grid are followed along the motion of the gray film for as long as they can be seen. Of
those whose true color holds still, the change of ab is the drift: root mean square over all places
and beginnings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.media.motion.flow import blur, resize, warp
from colorize_core.metrics.temporal import Motion

Array = NDArray[np.float32]

_BEGINNINGS: Final = 10  # frames between two
_GRID: Final = 10  # pixels between two places
_BORDER: Final = 5  # pixels
_SEEN: Final = 0.9
_PATCH: Final = 2.0  # pixels, sigma
STILL: Final = 2.0  # ab by which a color that holds still may have changed


@dataclass(frozen=True)
class Track:
    """Places [n, p, 2] (x, y) from frame `start` on, and which are still seen, bool [n, p]."""

    start: int
    places: Array
    seen: NDArray[np.bool_]


def follow(moved: Sequence[Motion | None], size: tuple[int, int]) -> list[Track]:
    """Follow places of a film [h, w] along its motion, each until a cut.

    Args:
        moved: of `metrics.temporal.motions`, of any size.
        size: h and w in which places are wanted.
    """
    flows = [None if m is None else _flow(m, size) for m in moved]
    return [_track(flows, start, size) for start in range(0, len(moved), _BEGINNINGS)]


def _flow(motion: Motion, size: tuple[int, int]) -> Array:
    """Flow and visibility as [h, w, 3]."""
    high, wide = motion.visible.shape
    scale = np.array([size[1] / wide, size[0] / high], np.float32)
    flow = resize(motion.flow, *size) * scale
    return np.dstack([flow, resize(motion.visible.astype(np.float32), *size)])


def _track(flows: Sequence[Array | None], start: int, size: tuple[int, int]) -> Track:
    y, x = np.mgrid[_BORDER : size[0] - _BORDER : _GRID, _BORDER : size[1] - _BORDER : _GRID]
    place = np.stack([x.ravel(), y.ravel()], -1).astype(np.float32)
    places, seen = [place], [np.ones(len(place), bool)]
    limit = np.array(size[::-1], np.float32) - _BORDER
    for flow in flows[start:]:
        if flow is None or not seen[-1].any():
            break
        step = at(flow, place)
        place = place + step[:, :2]
        inside = ((place >= _BORDER) & (place < limit)).all(1)
        places.append(place)
        seen.append(seen[-1] & inside & (step[:, 2] > _SEEN))
    return Track(start, np.stack(places), np.stack(seen))


def at(picture: Array, places: Array) -> Array:
    """Values [p, c] of a picture [h, w, c] at places [p, 2], bilinear."""
    y, x = np.zeros((2, 1, len(places)), np.float32)
    grid = np.stack([x, y], -1)
    grid[0, :, 0] = np.arange(len(places))
    # `warp` fetches at pixel + flow.
    fetched: Array = warp(picture, (places[None] - grid).astype(np.float32))[0]
    return fetched


def drift(ab: Array, truth: Array, tracks: Sequence[Track], lag: int) -> tuple[float, float, int]:
    """Change of color over `lag` frames, of places whose true color changes by less than STILL.

    Args:
        ab: [n, 2, h, w].
        truth: the true colors, [n, 2, h, w].
        tracks: of `follow`.
        lag: frames.

    Returns:
        Root mean square change of `ab` and of `truth`, in ab units, and how many places were seen;
        not a number where none was.
    """
    patches, true_patches = (
        [blur(np.ascontiguousarray(f.transpose(1, 2, 0)), _PATCH) for f in film]
        for film in (ab, truth)
    )
    found = list(_changes(patches, true_patches, tracks, lag))
    if not found:
        return float("nan"), float("nan"), 0
    change, true_change = (np.concatenate(parts) for parts in zip(*found, strict=True))
    still = true_change < STILL**2
    if not still.any():
        return float("nan"), float("nan"), 0
    mine, real = (float(np.sqrt(x[still].mean())) for x in (change, true_change))
    return mine, real, int(still.sum())


def _changes(
    patches: Sequence[Array], truth: Sequence[Array], tracks: Sequence[Track], lag: int
) -> Iterator[tuple[Array, Array]]:
    """Squared change of each place that is seen at both ends."""
    for track in tracks:
        if lag < len(track.places) and track.seen[lag].any():
            seen = track.seen[lag]
            first, last = track.places[0][seen], track.places[lag][seen]
            ends = [
                at(film[track.start + lag], last) - at(film[track.start], first)
                for film in (patches, truth)
            ]
            yield np.square(ends[0]).sum(1), np.square(ends[1]).sum(1)
