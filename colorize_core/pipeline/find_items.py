"""What a source holds; what of it is no item, and which rules fit nothing in it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from colorize_core.archive.records.manifest import Manifest
from colorize_core.archive.records.named_items import fits_nothing, fitting_nothing
from colorize_core.archive.records.overrides import Overrides
from colorize_core.archive.records.work import ItemId, ItemReport
from colorize_core.archive.source.filters import Row, suffix_of
from colorize_core.archive.source.globs import comparable
from colorize_core.archive.source.image_sequences import scan_frame_folders
from colorize_core.archive.source.item import Scan
from colorize_core.archive.source.kinds import Unread
from colorize_core.archive.source.out_names import OutNames
from colorize_core.archive.source.scan import local_path, scan
from colorize_core.config import ColorizeConfig
from colorize_core.errors import InputError, UnsupportedError, UsageError
from colorize_core.media.film.frame_files import sound_beside
from colorize_core.media.film.names import FILM_SUFFIXES, FRAME_SUFFIXES, film_outputs
from colorize_core.media.picture.names import PHOTO_SUFFIXES, output_path
from colorize_core.media.picture.sniff import sniff
from colorize_core.pipeline.first_failures import FirstFailures


def find_items(
    source: str,
    out: Path,
    *,
    follow_links: bool,
    staging: Path | None,
    config_for: Callable[[str], ColorizeConfig],
    as_film: bool = False,
    exclude: Sequence[str] = (),
    include: Sequence[str] = (),
    references: frozenset[Path] = frozenset(),
    inside: str = "",
) -> Scan:
    """Scan SRC, with OUT left out; with `as_film`, each folder of pictures is one film.

    `config_for` gives the settings of an item by its path: they decide what its output may be.
    `references` are pictures that others take their colors from, and no items. `inside` is OUT
    relative to a source that is a URL; see Storage.

    Raises:
        UsageError: SRC is not there, holds nothing, or OUT is SRC.
    """
    local = None if source.startswith("@") else local_path(source)
    if local is not None and local.resolve() == out.resolve():
        raise UsageError(
            f"OUT is SRC: {out}", remedy="choose another OUT: originals are never written"
        )

    def outputs_of(row: Row) -> tuple[str, ...]:
        is_film = row.is_film or suffix_of(row.path) in FILM_SUFFIXES
        if not as_film and not is_film:
            return (row.path,)
        video = config_for(row.path).video
        return film_outputs(
            row.path,
            container=video.container,
            frames=video.frames,
            is_folder=not is_film,
            in_pieces=bool(row.pieces),
        )

    def are_joined(path: str, files: Sequence[str]) -> bool:
        from colorize_core.media.film.pieces import belong_together  # loaded where there are any

        return config_for(path).video.pieces == "join" and belong_together([*map(Path, files)])

    set_aside = frozenset(
        comparable(path.relative_to(local).as_posix())
        for path in references
        if local is not None and path.is_relative_to(local)
    )
    if as_film and (local is None or not local.is_dir()):
        raise UsageError(
            f"{source}: frames are taken from a local folder only",
            remedy="leave video.as_film out, or unpack it first",
        )
    with OutNames(out) as names:
        if as_film and local is not None:
            return scan_frame_folders(
                source,
                local,
                suffixes=FRAME_SUFFIXES,
                film_suffixes=FILM_SUFFIXES,
                out=out,
                outputs_of=outputs_of,
                names=names,
                references=set_aside,
                belong_together=are_joined,
                sound_beside=sound_beside,
            )
        return scan(
            source,
            photo_suffixes=PHOTO_SUFFIXES,
            film_suffixes=FILM_SUFFIXES,
            exclude=out,
            follow_links=follow_links,
            staging=staging,
            name_photo=output_path,
            is_photo=lambda head: sniff(head) is not None,
            outputs_of=outputs_of,
            exclude_globs=exclude,
            include_globs=include,
            references=set_aside,
            names=names,
            exclude_url=inside,
            belong_together=are_joined,
            is_film=_is_film,
        )


def _is_film(location: str) -> bool:
    from colorize_core.media.film.sniff import is_film  # loads av

    return is_film(Path(location))


def rules_fitting_nothing(found: Scan, rules: Overrides, redo: frozenset[str]) -> Iterator[str]:
    """A line for each override, name to do again, exclude or include that fits nothing."""
    globs = [rule.glob for rule in rules.rules]
    if not (globs or redo or found.unused):
        return
    paths = [item.path for item in found.items]
    # What failed in the scan is listed on the page, too.
    paths += [path for path, _ in found.problems]
    yield from fitting_nothing(globs, redo, paths)
    yield from (fits_nothing(glob.text, paths) for glob in found.unused)


def record_problems(found: Scan, manifest: Manifest, failures: FirstFailures) -> list[str]:
    """Record and show what of a source cannot be used or read; returns the keys of these lines."""
    reports = [_problem(path, error) for path, error in found.problems]
    reports += [_unread(item) for item in found.unread]
    for report in reports:
        failures.see(report)
    manifest.append(r for r in reports if manifest.status(r.key) is None)
    return [report.key for report in reports]


def _problem(path: str, error: InputError) -> ItemReport:
    digest = hashlib.sha256(f"{path}\n{error.message}".encode(errors="surrogatepass")).hexdigest()
    return ItemReport.of_error(ItemId(f"problem-{digest[:24]}", "photo", path), error)


def _unread(item: Unread) -> ItemReport:
    digest = hashlib.sha256(f"{item.path}\n{item.reason}".encode(errors="surrogatepass"))
    return ItemReport(
        key=f"unread-{digest.hexdigest()[:24]}",
        kind="photo",
        source=item.path,
        status="skipped",
        reason=item.reason,
        remedy=item.remedy,
        error=UnsupportedError.kind,
    )
