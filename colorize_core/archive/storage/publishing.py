"""Around a worker: what it has written is in OUT before its report leaves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from colorize_core.archive.records.details import FilmDetails, PhotoDetails
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import ItemReport, Join, UnitReport, WorkUnit
from colorize_core.archive.storage.objects import Objects, each
from colorize_core.archive.storage.storage import Worker
from colorize_core.atomic import file_sha256
from colorize_core.errors import StorageError, VerifyError


class Publishing:
    """Puts the outputs of each unit into OUT and removes them here.

    Segments stay here too, for the join; one that another machine made is fetched.

    Args:
        worker: writes into `folder`.
        objects: of OUT.
        folder: local.
    """

    def __init__(self, worker: Worker, objects: Objects, folder: Path) -> None:
        self._worker, self._objects, self._folder = worker, objects, folder

    @property
    def has_bf16(self) -> bool:
        """Whether its device computes bf16 itself."""
        return self._worker.has_bf16

    def run(self, unit: WorkUnit) -> UnitReport:
        """Run one unit.

        Raises:
            StorageError: OUT does not answer.
        """
        failed: tuple[ItemReport, ...] = ()
        if isinstance(unit, Join):
            try:
                each(self._fetch_segment, unit.segments)
            except VerifyError as error:
                failed = (ItemReport.of_error(unit.items[0], error),)
        report = UnitReport(failed) if failed else self._worker.run(unit)
        each(self._publish, report.items)
        return report

    def _fetch_segment(self, segment: ItemReport) -> None:
        path = output_in(self._folder, segment.output)
        if path.exists():
            return
        try:
            self._objects.fetch(str(segment.output), path)
        except FileNotFoundError:
            found = ""
        else:
            found = file_sha256(path)
        if found != segment.sha256:
            path.unlink(missing_ok=True)
            raise VerifyError(
                f"{segment.output}: a segment is missing in OUT or differs from what was recorded",
                remedy="run again with --retry-failed",
            )

    def _publish(self, report: ItemReport) -> None:
        for thumbnail in self._thumbnails(report):
            self._put(thumbnail)
            thumbnail.unlink()
        if report.output is None:
            return
        path = output_in(self._folder, report.output)
        if not path.exists():
            self._require(report.output)
        elif path.is_dir():
            self._put_folder(report.output, path)
        else:
            self._put(path)
            if report.kind != "segment":
                path.unlink()

    def _require(self, output: str) -> None:
        """The result of an earlier run, whose source has another date only, is in OUT."""
        if self._objects.size(output) is None and not self._objects.sizes(f"{output}/"):
            raise StorageError(
                f"{output}: neither in OUT nor on its way there", remedy="the same command resumes"
            )

    def _put(self, path: Path) -> None:
        name = path.relative_to(self._folder).as_posix()
        self._objects.put_file(name, path, mtime_ns=path.stat().st_mtime_ns)

    def _put_folder(self, name: str, folder: Path) -> None:
        """Its files one by one: they count when they are recorded. None of an older one stays."""
        files = [path for path in folder.iterdir() if path.is_file()]
        each(self._put, files)
        inside = {f"{name}/{path.name}" for path in files}
        older = self._objects.sizes(f"{name}/")
        self._objects.remove(n for n in older if n not in inside and "/" not in n[len(name) + 1 :])
        for path in files:
            path.unlink()

    def _thumbnails(self, report: ItemReport) -> Iterator[Path]:
        details = report.details
        pictures = details.thumbnails if isinstance(details, PhotoDetails | FilmDetails) else None
        names = set(_texts(asdict(pictures))) if pictures is not None else ()
        folder = RunFolder(self._folder).thumbs
        yield from (path for path in (folder / name for name in names) if path.is_file())


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _texts(part)
