"""What a scan looks for, what it leaves out and why, and which member names are safe."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from colorize_core.atomic import STATE_FOLDER, TEMP_PREFIX
from colorize_core.errors import InputError, UnsafePathError

ARCHIVE_SUFFIXES = (
    ".zip",
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tar.xz",
    ".txz",
)

JUNK = "junk"
OTHER = "not a picture or film"
ARCHIVE = "archive inside the source (give it as SRC)"
LINK = "link not followed"
SPECIAL = "not a regular file"
TWICE = "listed twice"
OUTPUT = "inside OUT"

_JUNK_NAMES = frozenset(
    {
        ".ds_store",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "__macosx",
        ".appledouble",
        ".spotlight-v100",
        ".trashes",
        ".fseventsd",
        "$recycle.bin",
        "system volume information",
        ".thumbnails",
        "@eadir",
        STATE_FOLDER,
    }
)
_DRIVE = re.compile(r"^[A-Za-z]:")
_NAME_BYTES = 255  # what common file systems allow for one name


class Row(NamedTuple):
    """One found file.

    `location` None stands for the scan's prefix + `path`; an integer stamp is mtime_ns.
    """

    path: str
    location: str | None
    size: int
    stamp: int | str


@dataclass
class ScanFilter:
    """What a scan looks for, and what it met besides."""

    photo_suffixes: frozenset[str]
    film_suffixes: frozenset[str]
    ignored: Counter[str] = field(default_factory=Counter)
    problems: list[tuple[str, InputError]] = field(default_factory=list)

    def is_wanted(self, name: str) -> bool:
        """Whether a file name has the suffix of a photo or film."""
        suffix = suffix_of(name)
        return suffix in self.photo_suffixes or suffix in self.film_suffixes

    def accept(self, name: str) -> bool:
        """Like `is_wanted`, but counts what is not, by reason."""
        if is_junk(name):
            self.ignored[JUNK] += 1
        elif self.is_wanted(name):
            return True
        elif is_archive(name):
            self.ignored[ARCHIVE] += 1
        else:
            self.ignored[OTHER] += 1
        return False

    def problem(self, path: str, error: InputError) -> None:
        """Record an item that cannot be used."""
        self.problems.append((path, error))


def suffix_of(name: str) -> str:
    """Lower-case suffix with its dot; empty for names such as `.jpg`, which only hide a file."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return dot + suffix.lower() if stem else ""


def is_archive(name: str) -> bool:
    """Whether the name is that of a zip or tar."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_junk(name: str) -> bool:
    """Whether an operating system or this program left the file or folder behind."""
    return name.startswith(("._", TEMP_PREFIX)) or name.lower() in _JUNK_NAMES


def is_own(path: str) -> bool:
    """Whether a relative path is one that a run makes for itself and may remove again."""
    parts = path.casefold().split("/")
    return parts[0] == STATE_FOLDER or any(part.startswith(TEMP_PREFIX) for part in parts)


def check_length(path: str, output: str) -> None:
    """Check that a file system can hold the names in the output of the item `path`.

    Raises:
        UnsafePathError: one of them is too long.
    """
    # One byte for each surrogate: they stand for the bytes of names that are not UTF-8.
    if any(len(name.encode("utf-8", "replace")) > _NAME_BYTES for name in output.split("/")):
        raise UnsafePathError(
            f"{path}: its output {output.rpartition('/')[2]} would have a name of more than "
            f"{_NAME_BYTES} bytes",
            remedy="give it a shorter name in the source",
        )


def safe_member_path(name: str) -> str:
    """Relative POSIX path of an archive member or URL, with `.` and empty parts removed.

    Raises:
        UnsafePathError: absolute, with a drive letter, leading upwards, with a NUL, or with a part
            that no file system can hold.
    """
    path = name.replace("\\", "/")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    reason = ""
    if path.startswith("/") or _DRIVE.match(path):
        reason = "is absolute"
    elif ".." in parts:
        reason = "leads out of the archive"
    elif "\0" in path or not parts:
        reason = "is not a file name"
    elif any(len(part.encode("utf-8", "surrogatepass")) > _NAME_BYTES for part in parts):
        reason = f"has a part longer than {_NAME_BYTES} bytes"
    if reason:
        raise UnsafePathError(
            f"the member name {name[:200]!r} {reason}", remedy="rename it inside the archive"
        )
    return "/".join(parts)
