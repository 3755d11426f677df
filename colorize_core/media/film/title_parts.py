"""Titles of DVDs that lie in pieces: VTS_01_1.VOB, VTS_01_2.VOB, ..."""

from __future__ import annotations

import re
from pathlib import Path

_PART = re.compile(r"(VTS_\d\d_)([1-9])(\.VOB)", re.IGNORECASE)


def title_note(path: Path) -> tuple[str, ...]:
    """What is to be said about a file that is one of several pieces: they are cut inside pictures.

    Byte by byte behind each other they are the title again; each alone lacks pictures at its ends.
    """
    own = _PART.fullmatch(path.name)
    if own is None:
        return ()
    siblings = (_PART.fullmatch(other.name) for other in path.parent.iterdir())
    parts = sorted(m[0] for m in siblings if m and m[1].upper() == own[1].upper())
    if len(parts) == 1:
        return ()
    title = f"{own[1]}all{own[3]}"
    return (
        f"piece {parts.index(path.name) + 1} of {len(parts)} of one title, which cuts pictures in "
        f"two: put them together first (cat {' '.join(parts)} > {title}) and color {title}",
    )
