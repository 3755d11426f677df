"""The job for programs: one photo or one film, by the same way as an archive."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from colorize_core.archive.records.manifest import from_json
from colorize_core.archive.records.output_paths import output_in
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.source.filters import suffix_of
from colorize_core.archive.storage.opening import user_path
from colorize_core.archive.storage.storage import LocalFolder
from colorize_core.config import ColorizeConfig, RunOptions
from colorize_core.errors import InputError, ResumableError, UsageError
from colorize_core.inference.starting import judge, make_worker
from colorize_core.media.film.names import FILM_SUFFIXES
from colorize_core.model.files import identity_of, resolve_weights
from colorize_core.pipeline.job import Job
from colorize_core.pipeline.run import colorize_archive
from colorize_core.report.stream import read_summary

_DEVICES = ("auto", "cpu", "cuda", "mps")


def colorize_file(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    config: ColorizeConfig | None = None,
    device: str = "auto",
) -> Path:
    """Colorize a photo file; format, bit depth and metadata are kept as the job keeps them.

    Args:
        source: a photo of any format that the job reads.
        out: a folder, made if it is not there; never the one that `source` is in.
        config: settings; None: the defaults.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The file that was written, or found finished by an earlier call.

    Raises:
        InputError: the photo cannot be used, with the reason and the remedy.
        UsageError: no such file, no photo, or `out` cannot be written.
        ResumableError: stopped; the same call goes on.

    >>> from PIL import Image
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> Image.linear_gradient("L").save(folder / "old.png")
    >>> written = colorize_file(folder / "old.png", folder / "color", device="cpu")
    >>> written.name
    'old.png'
    """
    return _colorize(source, out, "photo", config or ColorizeConfig(), device)


def colorize_film(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    config: ColorizeConfig | None = None,
    device: str = "auto",
) -> Path:
    """Colorize a film in this process; after a stop or a crash the same call goes on.

    Luma, times, sound and all that the container carries stay as the job keeps them.

    Args:
        source: a film.
        out: a folder, made if it is not there; segments that are finished wait in it.
        config: settings; None: the defaults.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The film that was written, or found finished by an earlier call.

    Raises:
        InputError: the film cannot be used, with the reason and the remedy.
        UsageError: no such file, no film, or `out` cannot be written.
        ResumableError: stopped; the same call goes on.
    """
    return _colorize(source, out, "film", config or ColorizeConfig(), device)


def _colorize(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    kind: str,
    config: ColorizeConfig,
    device: str,
) -> Path:
    path, storage = Path(source).absolute(), LocalFolder(user_path(os.fspath(out)).absolute())
    if not path.is_file():
        raise UsageError(f"{path}: no such file", remedy="give the path of one photo or film")
    is_film = suffix_of(path.name) in FILM_SUFFIXES
    if is_film != (kind == "film"):
        other = "colorize_film" if is_film else "colorize_file"
        raise UsageError(f"{path}: no {kind}", remedy=f"use {other}")
    if device not in _DEVICES:
        raise UsageError(f"device {device!r} is not known", remedy=f"one of {_DEVICES}")
    weights = resolve_weights(config.model.weights)
    identity = identity_of(weights)
    options = RunOptions(runner="serial", device=device)  # type: ignore[arg-type]
    outcome = colorize_archive(
        Job(str(path), storage, config, lambda _: config, options, identity),
        make_worker=partial(make_worker, storage, str(weights), identity, device, False),
        judge=judge,
        say=lambda _: None,
    )
    if outcome.ending.stopped or outcome.ending.blocked:
        raise ResumableError(outcome.ending.blocked or "stopped", remedy="call it again to go on")
    return _output(storage.folder, path.name)


def _output(folder: Path, name: str) -> Path:
    """What the run wrote for the only item of its source."""
    for item in read_summary(RunFolder(folder).summary, {}):
        report = from_json(item)
        if report.source != name:
            continue
        if report.output is None:
            raise InputError(report.reason or report.status, remedy=report.remedy)
        return output_in(folder, report.output)
    raise UsageError(f"{name}: neither a photo nor a film", remedy="README lists what is read")
