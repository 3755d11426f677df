"""Counts that say whether the house keeps its ways short: `python -m bench.house`.

Places that decide a fact are found in the code: who chooses a film's encoder and container, who
builds the report of a failure, who names a path inside OUT.
"""

from __future__ import annotations

import ast
import pickle
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from colorize_core.config import ColorizeConfig
from colorize_core.media.film.film import DEINTERLACE_REACH, ColorTags, FilmProbe
from colorize_core.media.film.planes import working_format
from colorize_core.media.film.segments import plan_segments

CORE = Path(__file__).parents[1] / "colorize_core"
FRAMES = 2 * 3600 * 24
_PATHS = {"manifest.jsonl", "lock.json", "progress.json", "summary.json", "staging", "segments"}


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Every module of the package, parsed."""
    for path in sorted(CORE.rglob("*.py")):
        yield path.relative_to(CORE), ast.parse(path.read_text(encoding="utf-8"))


def places(found: Callable[[ast.AST], bool]) -> list[str]:
    """Modules in which a node is found."""
    return [str(path) for path, tree in trees() if any(map(found, ast.walk(tree)))]


def calls(*names: str) -> Callable[[ast.AST], bool]:
    """Whether a node calls one of these functions."""
    return lambda node: (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
    )


def builds_failure(node: ast.AST) -> bool:
    """Whether a node makes a report whose status is "failed" by hand."""
    return (
        isinstance(node, ast.Call)
        and getattr(node.func, "id", "") in ("ItemReport", "cls")
        and any(isinstance(a, ast.Constant) and a.value == "failed" for a in ast.walk(node))
    )


def names_path(node: ast.AST) -> bool:
    """Whether a node joins a path of OUT's own folder from its literal name."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Div)
        and isinstance(node.right, ast.Constant)
        and node.right.value in _PATHS
    )


def arrows_in_media() -> set[tuple[str, str]]:
    """Imports from one room of media to another."""
    found = set()
    for path, tree in trees():
        if path.parts[0] != "media" or len(path.parts) < 3:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                parts = node.module.split(".")
                if parts[:2] == ["colorize_core", "media"] and len(parts) > 2:
                    found.add((path.parts[1], parts[2]))
    return {(a, b) for a, b in found if a != b}


def largest_segment() -> int:
    """Bytes of the largest window of a made two-hour film, pickled."""
    probe = FilmProbe(
        container="mov,mp4,m4a,3gp,3g2,mj2",
        brand="isom",
        streams=(),
        video_index=0,
        codec="h264",
        pix_fmt="yuv420p",
        working=working_format("yuv420p"),
        width=1920,
        height=1080,
        sample_aspect=Fraction(1),
        display_matrix=(1, 0, 0, 0, 1, 0, 0, 0, 1),
        color=ColorTags(1, 1, 1, 1),
        hdr=(),
        field_order=0,
        time_base=Fraction(1, 90_000),
        frame_rate=Fraction(24),
        pts=np.arange(FRAMES, dtype=np.int64) * 3750,
        last_duration=3750,
        keyframes=np.arange(0, FRAMES, 250, dtype=np.int64),
        duration_seconds=7200.0,
        is_timed=True,
        is_segmentable=True,
        reason="",
        notes=(),
    )
    config = ColorizeConfig()
    halo = config.temporal.radius + DEINTERLACE_REACH
    return max(
        len(pickle.dumps(probe.window(max(0, start - halo), min(FRAMES, stop + halo))))
        for start, stop in plan_segments(probe, config.video.segment_frames)
    )


def lines(room: str) -> int:
    """Lines of the modules of a room."""
    return sum(len(p.read_text(encoding="utf-8").splitlines()) for p in (CORE / room).glob("*.py"))


def main() -> None:
    """Print the counts, each with the places."""
    arrows = sorted(f"{a} -> {b}" for a, b in arrows_in_media())
    print(f"arrows between the rooms of media: {len(arrows)}: {', '.join(arrows)}")
    print(f"lines of inference: {lines('inference')}")
    print(f"largest segment of a two-hour film, pickled: {largest_segment():,} bytes")
    for what, found in (
        ("decide what a film becomes", calls("choose_encoding", "what_container_keeps")),
        ("build the report of a failure", builds_failure),
        ("name a path inside OUT", names_path),
    ):
        where = places(found)
        print(f"modules that {what}: {len(where)}: {', '.join(where)}")


if __name__ == "__main__":
    main()
