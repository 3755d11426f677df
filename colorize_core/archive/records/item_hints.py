"""What is known of the colors of one item, its references found: what a worker gets."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from colorize_core.archive.source.filters import safe_member_path
from colorize_core.atomic import file_sha256
from colorize_core.config.hints import ColorPoint, Polygon
from colorize_core.errors import ConfigError, UnsafePathError

MOST_REFERENCE_BYTES: Final = 64 * 2**20
_FOLDER: Final = "references"


@dataclass(frozen=True)
class Reference:
    """A color picture that others take their colors from.

    Attributes:
        name: as the user wrote it.
        path: where it lies.
        sha256: of the file; empty where it cannot be used, for the reason in `problem`.
        time: seconds from the first frame of a film; None for all of it, and for photos.
        problem: why it cannot be used.
    """

    name: str
    path: Path
    sha256: str
    time: float | None = None
    problem: str = ""


@dataclass(frozen=True)
class ItemHints:
    """What is known of the colors of one photo or film; false where nothing is.

    Attributes:
        points: each with a color "#rrggbb".
        keep_gray: polygons that get no color, x and y 0..1.
        keep_color: polygons that keep the source's.
        references: color pictures.
    """

    points: tuple[ColorPoint, ...] = ()
    keep_gray: tuple[Polygon, ...] = ()
    keep_color: tuple[Polygon, ...] = ()
    references: tuple[Reference, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.points or self.keep_gray or self.keep_color or self.references)

    def key_tree(self) -> dict[str, Any]:
        """JSON values for keys: what can change a pixel; empty where nothing is known."""
        points = [[p.x, p.y, p.color.lower(), p.radius, p.page, p.time] for p in self.points]
        references = [[r.sha256 or r.problem, r.time] for r in self.references]
        found = {
            "points": points,
            "keep_gray": self.keep_gray,
            "keep_color": self.keep_color,
            "references": references,
        }
        return {name: value for name, value in found.items() if value}

    def of_page(self, page: int) -> ItemHints:
        """What holds for one page of a photo, counted from 1; areas are of the first one."""
        points = tuple(point for point in self.points if point.page == page)
        if page == 1:
            return replace(self, points=points)
        return replace(self, points=points, keep_gray=(), keep_color=())

    @property
    def times(self) -> tuple[float, ...]:
        """When something is known of a film, in seconds from its first frame."""
        times = {point.time for point in self.points}
        return tuple(sorted(times | {r.time for r in self.references if r.time is not None}))

    def before(self, seconds: float) -> tuple[ItemHints, tuple[str, ...]]:
        """What speaks of a film of this length, and a line for each time beyond it."""
        late = [time for time in self.times if time >= seconds]
        if not late:
            return self, ()
        points = tuple(point for point in self.points if point.time < seconds)
        references = tuple(r for r in self.references if r.time is None or r.time < seconds)
        lines = tuple(f"hint at {t:g} s is beyond the film of {seconds:.3f} s" for t in late)
        return replace(self, points=points, references=references), lines


NO_HINTS: Final = ItemHints()


@dataclass(frozen=True)
class KeyFrame:
    """A frame of a film of which something is known."""

    frame: int
    points: tuple[ColorPoint, ...] = ()
    references: tuple[Reference, ...] = ()


@dataclass(frozen=True)
class ShotHints:
    """What is known of frames [start, stop), which are a shot of a film."""

    start: int
    stop: int
    keys: tuple[KeyFrame, ...]

    def key_tree(self) -> list[Any]:
        """JSON values for keys of segments."""
        keys = [
            [key.frame, ItemHints(points=key.points, references=key.references).key_tree()]
            for key in self.keys
        ]
        return [self.start, self.stop, keys]


def shots_with(
    hints: ItemHints, frames: Sequence[int], shots: Sequence[tuple[int, int]], total: int
) -> tuple[ShotHints, ...]:
    """What is known of a film, by shot.

    Args:
        hints: of the film.
        frames: for each of `hints.times` its frame.
        shots: for each of these the shot [start, stop) that it lies in.
        total: frames of the film.
    """
    by_shot: dict[tuple[int, int], list[KeyFrame]] = {}
    for time, frame, shot in zip(hints.times, frames, shots, strict=True):
        points = tuple(point for point in hints.points if point.time == time)
        references = tuple(r for r in hints.references if r.time == time)
        by_shot.setdefault(shot, []).append(KeyFrame(frame, points, references))
    everywhere = tuple(r for r in hints.references if r.time is None)
    if everywhere:
        by_shot[0, total] = [KeyFrame(0, references=everywhere)]
    return tuple(ShotHints(*shot, tuple(keys)) for shot, keys in sorted(by_shot.items()))


def shots_around(
    frames: Sequence[int], cuts: Sequence[int], total: int
) -> tuple[tuple[int, int], ...]:
    """For each frame the shot [start, stop) around it.

    Args:
        frames: of the film.
        cuts: all frames that begin a shot, but the first one.
        total: frames of the film.
    """
    borders = [0, *sorted(cuts), total]
    places = (bisect_right(borders, frame, hi=len(borders) - 1) for frame in frames)
    return tuple((borders[place - 1], borders[place]) for place in places)


def with_hints(settings: Mapping[str, Any], hints: ItemHints) -> Mapping[str, Any]:
    """The settings that go into a key, with what is known; as they are where nothing is."""
    return {**settings, "hints": hints.key_tree()} if hints else settings


def find_reference(name: str, folder: Path, *, where: str, time: float | None = None) -> Reference:
    """Look for the picture that a rule names.

    Args:
        name: as written, relative to `folder` or to its `references`.
        folder: of the file with the rule.
        where: named in errors.
        time: see Reference.

    Raises:
        ConfigError: the path is absolute, leads out of the folder, or through a link.
    """
    try:
        inside = PurePosixPath(safe_member_path(name))
    except UnsafePathError as error:
        raise ConfigError(
            f"{where}: reference {name[:200]!r} must lie below {folder}",
            remedy="give a relative path",
        ) from error
    places = [folder / inside, folder / _FOLDER / inside]
    path = next(filter(Path.is_file, places), places[0])
    if _has_link(path, folder):
        raise ConfigError(
            f"{where}: reference {name!r} leads through a link", remedy="put the file itself there"
        )
    return _measured(Reference(name, path.absolute(), "", time))


def _has_link(path: Path, folder: Path) -> bool:
    parts: Iterable[Path] = (path, *path.parents)
    return any(part.is_symlink() for part in parts if part != folder and folder in part.parents)


def _measured(reference: Reference) -> Reference:
    try:
        if not reference.path.is_file():
            return replace(reference, problem="is not there")
        if reference.path.stat().st_size > MOST_REFERENCE_BYTES:
            problem = f"is larger than {MOST_REFERENCE_BYTES >> 20} MiB"
            return replace(reference, problem=problem)
        return replace(reference, sha256=file_sha256(reference.path))
    except OSError as error:
        return replace(reference, problem=f"cannot be read: {error.strerror}")
