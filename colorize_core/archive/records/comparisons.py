"""Where side-by-side pictures and films stand: below OUT, apart from the outputs."""

from __future__ import annotations

from pathlib import Path
from posixpath import splitext

from colorize_core.archive.records.run_folder import COMPARE_FOLDER
from colorize_core.archive.records.work import Kind

_JPEG = {".jpg", ".jpeg", ".jpe", ".jfif"}
_H264 = {".mp4", ".m4v", ".mov", ".qt", ".mkv"}


def comparison_path(output: str, kind: Kind) -> str:
    """Path below OUT of the comparison of an output, itself given relative to OUT.

    Same relative path and name; where the format differs (photos become JPEG, films H.264), the
    new suffix is added.
    """
    suffix = splitext(output)[1].lower()  # not pathlib, which keeps parts of all paths it sees
    if kind == "photo":
        return f"{COMPARE_FOLDER}/{output}{'' if suffix in _JPEG else '.jpg'}"
    return f"{COMPARE_FOLDER}/{output}{'' if suffix in _H264 else '.mkv'}"


def is_current(comparison: Path, output: Path) -> bool:
    """Whether a comparison is there, and was made after its output was published."""
    try:
        # The output has the date of its source; its inode changed when it was published.
        return comparison.stat().st_mtime_ns >= output.stat().st_ctime_ns
    except OSError:
        return False
