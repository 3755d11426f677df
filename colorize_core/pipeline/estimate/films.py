"""What the films of a source come to before a run: frames, segments, color, losses."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from colorize_core.archive.source.contents import stage_item
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig
from colorize_core.errors import InputError, is_transient
from colorize_core.media.film.shot import as_one, colored_frames, is_wholly_colored
from colorize_core.pipeline.estimate.times import FilmWork

# Then the rest is taken as black and white: looking at 500 hours of film is a work of its own.
LOOK_SECONDS: Final = 60.0


@dataclass
class Films:
    """What they come to. `frames`, `size`, `work` and `gray` are of those to be colored."""

    count: int = 0
    frames: int = 0
    size: int = 0
    colored: int = 0
    copied_size: int = 0
    unseen: int = 0
    work: list[FilmWork] = field(default_factory=list)
    gray: list[SourceItem] = field(default_factory=list)
    pixels: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def look_at_films(
    pending: Sequence[SourceItem], scratch: Path, config_for: Callable[[str], ColorizeConfig]
) -> Films:
    """Probe all films, and look for color in them while LOOK_SECONDS last."""
    films = Films()
    until = time.monotonic() + LOOK_SECONDS
    for item in (item for item in pending if item.kind == "film"):
        films.count += 1
        try:
            with stage_item(item, scratch) as local:
                _look(item, local, config_for(item.path), films, has_time=time.monotonic() < until)
        except InputError as error:
            films.problems.append(f"will fail: {item.path}: {error}")
        except Exception as error:
            if not is_transient(error):
                raise
            films.problems.append(f"cannot be read now: {item.path}: {error}")
    return films


def _look(
    item: SourceItem, local: Path, config: ColorizeConfig, films: Films, *, has_time: bool
) -> None:
    # av is loaded only when there is a film.
    from colorize_core.media.film.film import DEINTERLACE_REACH
    from colorize_core.media.film.memory_need import require_memory
    from colorize_core.media.film.plan import plan_film
    from colorize_core.media.film.probe import probe_film
    from colorize_core.media.film.scan import scan_film
    from colorize_core.media.film.segments import plan_segments

    video = config.video
    probe = probe_film(
        local, max_pixels=video.max_pixels, max_frames=video.max_frames, fps=video.fps
    )
    plan = plan_film(item.path, probe, video, is_folder=local.is_dir())
    kept = 0
    wants_shots = config.colored != "recolor" and plan.may_be_colored
    films.unseen += wants_shots and not has_time
    if wants_shots and has_time:
        shots = scan_film(local, probe, cut_threshold=config.temporal.cut_threshold)
        shots = as_one(shots) if config.colored == "whole" else shots
        if is_wholly_colored(shots):
            films.colored += 1
            films.copied_size += item.size if config.colored != "leave" else 0
            return
        kept = colored_frames(shots)
    require_memory(item.path, probe, plan.encoding, video)
    films.frames += probe.frames
    films.size += item.size
    films.gray.append(item)
    films.pixels[item.path] = probe.width * probe.height
    ranges = plan_segments(probe, video.segment_frames)
    films.work.append(
        FilmWork(
            tuple(stop - start for start, stop in ranges),
            probe.width * probe.height,
            config.temporal.radius + DEINTERLACE_REACH,
        )
    )
    notes = (*plan.notes, *([f"{kept} frames are in color and keep it"] if kept else []))
    for word, texts in (("damaged", probe.notes), ("will be lost", plan.lost), ("note", notes)):
        films.lines += [f"{word}: {item.path}: {text}" for text in texts]
