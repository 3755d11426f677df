"""A whole shot as the next run would color it: the job's own unit, written as a small clip."""

from __future__ import annotations

import logging
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from colorize_core.errors import ColorizeError, UsageError
from colorize_core.review.catalog import Entry
from colorize_core.review.in_turn import Counted, InTurn, StoppedError
from colorize_core.review.live import Live
from colorize_core.review.shot_unit import shot_unit
from colorize_core.review.state import Review

log = logging.getLogger(__name__)

_LONG_SIDE: Final = 640


@dataclass(frozen=True)
class ShotState:
    """How far the clip is.

    Attributes:
        number: of the clip; each gets another.
        item: id of the film.
        begin: seconds from the film's first frame.
        done: frames.
        total: frames; 0 until that is known.
        is_whole: it is the shot, and no part of a longer one.
        ended: "" while it is made, then "done", "stopped" or "failed".
        said: why it failed, or what could not be used.
    """

    number: int = 0
    item: str = ""
    begin: float = 0.0
    done: int = 0
    total: int = 0
    is_whole: bool = True
    ended: str = "stopped"
    said: str = ""

    def tree(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)


class Shots:
    """Makes one clip at a time, and keeps the last one.

    Args:
        review: knows what is asked for.
        live: has the generator.
        generator: the thread that it works in.
    """

    def __init__(self, review: Review, live: Live, generator: ThreadPoolExecutor) -> None:
        self._review, self._live, self._generator = review, live, generator
        self._thread = ThreadPoolExecutor(1, "shot")
        self._folder = tempfile.TemporaryDirectory(prefix="colorize-shot-")
        self._stop, self._guard = threading.Event(), threading.Lock()
        self.state = ShotState()

    def start(self, entry: Entry, time: float) -> None:
        """Begin the clip of the shot that a film shows at `time` seconds.

        Raises:
            UsageError: another one is being made, or it is no film.
        """
        if not entry.is_film:
            raise UsageError(f"{entry.name}: no film")
        with self._guard:
            if not self.state.ended:
                raise UsageError("a shot is being colored already", remedy="stop it first")
            self.state = ShotState(self.state.number + 1, entry.id, ended="")
        self._stop.clear()
        self._thread.submit(self._make, entry, time)

    def stop(self) -> None:
        """End the one that is being made."""
        self._stop.set()

    def clip(self, number: int) -> Path:
        """The finished clip.

        Raises:
            UsageError: there is another one by now, or none.
        """
        if number != self.state.number or self.state.ended != "done":
            raise UsageError("that clip is gone", remedy="color the shot again")
        return self._clip

    def close(self) -> None:
        """Stop, and remove the clip."""
        self.stop()
        self._thread.shutdown(wait=True)
        self._folder.cleanup()

    @property
    def _clip(self) -> Path:
        return Path(self._folder.name) / f"{self.state.number}.mp4"

    def _say(self, **news: Any) -> None:
        self.state = replace(self.state, **news)

    def _make(self, entry: Entry, time: float) -> None:
        try:
            for path in Path(self._folder.name).iterdir():
                path.unlink()
            said = self._color(entry, time)
        except StoppedError:
            self._say(ended="stopped")
        except (ColorizeError, OSError) as error:
            self._say(ended="failed", said=" ".join(str(error).split()))
        except Exception as error:
            # Nobody waits for this thread: the page has to be told.
            log.exception("%s: its shot cannot be colored", entry.name)
            self._say(ended="failed", said=f"internal error: {type(error).__name__}: {error}")
        else:
            self._say(ended="done", said=said)

    def _color(self, entry: Entry, time: float) -> str:
        # Loaded only when there is a film.
        from colorize_core.inference.films import run_segment
        from colorize_core.media.film.clip import write_clip

        unit, film, is_whole = shot_unit(self._review, entry, time)
        probe, folder = film.probe, Path(self._folder.name)
        begin = float((probe.pts_of(unit.start) - probe.start_pts) * probe.time_base)
        self._say(begin=begin, total=unit.stop - unit.start, is_whole=is_whole)
        colorizer = InTurn(self._live.colorizer(unit.config), self._generator, self._stop)
        report = run_segment(unit, folder, colorizer, Counted(self._frame_done))
        write_clip(folder / unit.output, probe, unit.start, self._clip, _LONG_SIDE)
        (folder / unit.output).unlink()
        return report.reason

    def _frame_done(self) -> None:
        if self._stop.is_set():
            raise StoppedError
        self._say(done=self.state.done + 1)
