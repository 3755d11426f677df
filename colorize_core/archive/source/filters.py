"""What a scan looks for, what it leaves out and why, and which member names are safe."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from colorize_core.archive.source.globs import Glob, comparable
from colorize_core.archive.source.kinds import (
    DOUBTFUL_FILMS,
    SIDECARS,
    Unread,
    is_mpeg,
    says_nothing,
    unread_by_head,
    unread_by_suffix,
)
from colorize_core.archive.source.leftovers import leftover
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

OTHER = "not a picture or film"
LINK = "link not followed"
SPECIAL = "not a regular file"
TWICE = "listed twice"
OUTPUT = "inside OUT"
EXCLUDED = "left out by --exclude"
REFERENCE = "named as a reference"
NOT_INCLUDED = "not named by --include"

_DRIVE = re.compile(r"^[A-Za-z]:")
_NAME_BYTES = 255  # what common file systems allow for one name

Head = Callable[[], bytes]


class Row(NamedTuple):
    """One found file.

    `location` None stands for the scan's prefix + `path`; an integer stamp is mtime_ns. `added` is
    the suffix that a photo's output gets in addition. `pieces` are names in the same folder that
    follow this file in one film. `is_film` says that it is one whatever its suffix.
    """

    path: str
    location: str | None
    size: int
    stamp: int | str
    added: str = ""
    pieces: tuple[str, ...] = ()
    is_film: bool = False


def _same_name(path: str, _head: Head) -> str:
    return path


@dataclass
class ScanFilter:
    """What a scan looks for, and what it met besides.

    Attributes:
        photo_suffixes: lower case, with the dot.
        film_suffixes: likewise.
        name_photo: from a photo's path, and what gives its first bytes, to its output's path: the
            same, or with one suffix more. It reads the bytes only where they can matter.
        is_photo: whether the first bytes are those of a photo, under a suffix that says nothing.
        is_film: whether a file that is named, under another suffix, is a film by its content.
        exclude: files and folders that are left out.
        include: where there are any, only what fits one of them is taken. A bin or another leftover
            that one of them names is entered too.
        ignored: counts by reason of what is left out on purpose.
        unread: what looks like a picture, film, document or archive and is not read.
        problems: items that cannot be used, by path.
        used: the globs that fitted something.
        references: paths that are no items, because others take their colors from them; made
            `comparable`.
    """

    photo_suffixes: frozenset[str]
    film_suffixes: frozenset[str]
    name_photo: Callable[[str, Head], str] = _same_name
    is_photo: Callable[[bytes], bool] = lambda _head: False
    is_film: Callable[[str], bool] = lambda _location: False
    exclude: tuple[Glob, ...] = ()
    include: tuple[Glob, ...] = ()
    ignored: Counter[str] = field(default_factory=Counter)
    unread: list[Unread] = field(default_factory=list)
    problems: list[tuple[str, InputError]] = field(default_factory=list)
    used: set[Glob] = field(default_factory=set)
    references: frozenset[str] = frozenset()

    def is_wanted(self, name: str) -> bool:
        """Whether a file name has the suffix of a photo or film."""
        suffix = suffix_of(name)
        return suffix in self.photo_suffixes or suffix in self.film_suffixes

    def is_named_film(self, location: str) -> bool:
        """Whether a local file that is named by itself is a film under another suffix."""
        return not self.is_wanted(location) and self.is_film(location)

    def accept(self, path: str, head: Head, *, may_look: bool = True) -> str | None:
        """What is added to the path of a wanted file; None, counted, for all others.

        Args:
            path: of the file, whose folders have been looked at.
            head: gives its first HEAD_BYTES.
            may_look: into files; else suffixes are believed.
        """
        if self.leaves_out(path) or not self._is_included(path):
            return None
        if self.references and comparable(path) in self.references:
            self.ignored[REFERENCE] += 1
            return None
        suffix = suffix_of(path)
        if suffix in self.film_suffixes:
            if suffix not in DOUBTFUL_FILMS or (may_look and is_mpeg(head())):
                return ""
            self.ignored[OTHER] += 1
            return None
        if suffix in self.photo_suffixes:
            return self._added(path, head if may_look else bytes)
        found = unread_by_suffix(path, suffix)
        if found is None and may_look and says_nothing(suffix):
            data = head()
            if self.is_photo(data):
                return self._added(path, lambda: data)
            found = unread_by_head(path, suffix, data)
        if found is not None:
            self.unread.append(found)
        else:
            self.ignored[f"sidecar {suffix}" if suffix in SIDECARS else OTHER] += 1
        return None

    def accept_inside(self, path: str, head: Head, *, may_look: bool = True) -> str | None:
        """Like `accept`, for a file whose folders nobody has looked at."""
        if any(self.leaves_out(folder) for folder in _folders(path)):
            return None
        return self.accept(path, head, may_look=may_look)

    def accept_named(self, path: str, head: Head) -> str | None:
        """Like `accept`, for a file that a list names: it is wanted also in a bin."""
        if any(self._is_excluded(folder) for folder in _folders(path)):
            return None
        return self.accept(path, head)

    def leaves_out(self, path: str) -> bool:
        """Whether a file or folder is left out by its own name; counted."""
        reason = leftover(path.rpartition("/")[2])
        if reason and not self._names_it(path):
            self.ignored[reason] += 1
            return True
        return self._is_excluded(path)

    def _is_excluded(self, path: str) -> bool:
        for glob in self.exclude:
            if glob.fits(path):
                self.used.add(glob)
                self.ignored[EXCLUDED] += 1
                return True
        return False

    def problem(self, path: str, error: InputError) -> None:
        """Record an item that cannot be used."""
        self.problems.append((path, error))

    def fresh(self) -> ScanFilter:
        """One that looks for the same, and has met nothing yet."""
        return replace(self, ignored=Counter(), unread=[], problems=[], used=set())

    @property
    def wanted(self) -> list[list[str]]:
        """What decides about a name; JSON values."""
        globs = ([glob.text for glob in globs] for globs in (self.exclude, self.include))
        return [sorted(self.photo_suffixes), sorted(self.film_suffixes), *globs]

    def unused(self) -> list[Glob]:
        """The globs that fitted nothing."""
        return [glob for glob in (*self.exclude, *self.include) if glob not in self.used]

    def _is_included(self, path: str) -> bool:
        if not self.include:
            return True
        fitting = [glob for glob in self.include if glob.fits_here_or_above(path)]
        self.used.update(fitting)
        self.ignored[NOT_INCLUDED] += not fitting
        return bool(fitting)

    def _names_it(self, path: str) -> bool:
        name = comparable(path).rpartition("/")[2]
        return any(name in comparable(glob.text).split("/") for glob in self.include)

    def _added(self, path: str, head: Head) -> str:
        return self.name_photo(path, head).removeprefix(path)


def _folders(path: str) -> Iterator[str]:
    """The folders that a file lies in, outermost first."""
    at = path.find("/")
    while at > 0:
        yield path[:at]
        at = path.find("/", at + 1)


def suffix_of(name: str) -> str:
    """Lower-case suffix with its dot; empty for names such as `.jpg`, which only hide a file."""
    stem, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return dot + suffix.lower() if stem else ""


def is_archive(name: str) -> bool:
    """Whether the name is that of a zip or tar that can be a source."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def is_own(path: str) -> bool:
    """Whether a relative path is one that a run makes for itself and may remove again."""
    folded = path.casefold()
    if STATE_FOLDER not in folded:  # with which TEMP_PREFIX begins
        return False
    parts = folded.split("/")
    return parts[0] == STATE_FOLDER or any(part.startswith(TEMP_PREFIX) for part in parts)


def check_length(path: str, output: str) -> None:
    """Check that a file system can hold the names in the output of the item `path`.

    Raises:
        UnsafePathError: one of them is too long.
    """
    if len(output) <= _NAME_BYTES and output.isascii():
        return
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
