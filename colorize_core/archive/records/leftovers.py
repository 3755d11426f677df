"""What runs left in OUT that no later run needs, apart from the outputs themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from colorize_core.archive.records.comparisons import comparison_path, is_current
from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.run_folder import COMPARE_FOLDER, RunFolder, segment_folder
from colorize_core.archive.records.work import Status
from colorize_core.atomic import TEMP_PREFIX


@dataclass(frozen=True)
class Leftover:
    """A file or a folder of OUT that may go, why, and how many bytes it takes."""

    name: str
    why: str
    size: int


def find_leftovers(out: Path) -> list[Leftover]:
    """Segments that no join will read, comparisons of results that are gone or newer, torn files.

    What another run can go on from is no leftover: segments of films that are not finished.

    Args:
        out: output folder, locked by the caller: a live run's temporaries look the same.
    """
    manifest = Manifest(RunFolder(out).manifest)
    return [*_torn(out), *_segments(out, manifest), *_comparisons(out, manifest)]


def unneeded_segments(manifest: Manifest, folders: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Of these folders of segments, those that no join will read, and why."""
    films, finished = _films(manifest)
    for folder in sorted(folders):
        why = _why_unneeded(films.get(folder), finished)
        if why:
            yield folder, why


@dataclass
class _Film:
    """What the manifest says of one film key."""

    source: str = ""
    recorded: int = 0  # place of its last segment's line
    status: Status | None = None  # of the film as a whole


def _torn(out: Path) -> Iterator[Leftover]:
    for path in out.rglob(f"{TEMP_PREFIX}*"):
        name = path.relative_to(out).as_posix()
        yield Leftover(name, "unfinished file of a run that was killed", _size(path))


def _segments(out: Path, manifest: Manifest) -> Iterator[Leftover]:
    folder = RunFolder(out).all_segments
    if folder.is_dir():
        for name, why in unneeded_segments(manifest, (path.name for path in folder.iterdir())):
            yield Leftover(segment_folder(name), why, _size(folder / name))


def _films(manifest: Manifest) -> tuple[dict[str, _Film], dict[str, int]]:
    """Films by key, and the place of the last line that finishes a source, by its path."""
    films: dict[str, _Film] = {}
    finished: dict[str, int] = {}
    for place, report in enumerate(manifest.reports()):
        if report.kind == "segment":
            # What is known of its colors is in the film's key, and not in the folder's name.
            folder = report.output.split("/")[-2] if report.output else report.film_key
            film = films.setdefault(folder, _Film())
            film.source, film.recorded = report.source, place
        elif report.kind == "film":
            films.setdefault(report.key, _Film(report.source)).status = report.status
            if report.status != "failed":
                finished[report.source] = place
    return films, finished


def _why_unneeded(film: _Film | None, finished: dict[str, int]) -> str:
    if film is None:
        return "segments that no record names"
    if film.status == "failed":
        return f"segments of {film.source}, which failed (--retry-failed makes them again)"
    if film.status is not None:
        return f"segments of {film.source}, which is finished"
    if finished.get(film.source, -1) > film.recorded:
        return f"segments of {film.source}, which is finished with other settings"
    return ""


def _comparisons(out: Path, manifest: Manifest) -> Iterator[Leftover]:
    folder = RunFolder(out).compare
    if not folder.is_dir():
        return
    outputs: dict[str, str] = {}  # by their comparisons
    results: set[str] = set()  # of a source that has such a folder itself
    for report in manifest.reports():
        if report.output is None or report.kind in ("scan", "segment"):
            continue
        if report.output.startswith(COMPARE_FOLDER):
            results.add(report.output)
        if report.status in ("done", "degraded"):
            outputs[comparison_path(report.output, report.kind)] = report.output
    for path in _files(folder):
        name = path.relative_to(out).as_posix()
        output = outputs.get(name)
        if name in results or output is None:
            continue  # what no record names may be somebody's own
        if not (out / output).exists():
            yield Leftover(name, "comparison of a result that is gone", path.lstat().st_size)
        elif not is_current(path, out / output):
            yield Leftover(name, "comparison of an older result", path.lstat().st_size)


def _files(folder: Path) -> Iterator[Path]:
    """Files below a folder; links are not followed."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent) / name for name in sorted(names))


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(file.lstat().st_size for file in _files(path))
    return path.lstat().st_size
