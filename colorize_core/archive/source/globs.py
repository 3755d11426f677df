"""Globs over paths of a source: `*` and `?` stay within a name, `**` crosses folders.

One language for overrides, `--exclude` and `--include`. A match takes time in proportion to the
path: every gap is an atomic group that takes the first place where what follows it fits. That is
enough because the parts between two gaps have a fixed number of names, or stand in one name.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Final

from colorize_core.errors import ConfigError

_MOST_CROSSINGS: Final = 3  # of `a**b`: each doubles the pattern
_COMPARED: Final = 50_000  # paths looked at for the nearest name
_NEAR: Final = 0.6


@dataclass(frozen=True)
class Glob:
    """One glob, as the user wrote it.

    A glob without "/" fits a name in any folder, "./name" only what lies at the top; "[...]" is a
    set of characters, "[!...]" its complement; what the set means is as in a shell. A backslash
    reads as "/".

    Raises:
        ConfigError: `**` stands inside of too many names, or a set of characters is none.
    """

    text: str

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        text = comparable(self.text)
        glob = text.removeprefix("./")
        glob = glob.rstrip("/") if glob.strip("/") else glob
        is_placed = "/" in glob or text.startswith("./")
        parts = (glob if is_placed else f"**/{glob}").split("/")
        ways = [_path(way) for way in _crossings(parts)]
        try:
            return re.compile("|".join(ways), re.DOTALL)
        except re.error as error:  # a range such as [z-a]
            raise ConfigError(f"glob {self.text!r}: {error}") from error

    def __post_init__(self) -> None:
        _ = self._pattern

    def fits(self, path: str) -> bool:
        """Whether the whole path fits; it may be any that `comparable` makes equal to it."""
        return self._pattern.fullmatch(comparable(path)) is not None

    def fits_here_or_above(self, path: str) -> bool:
        """Whether the path or one of the folders that it lies in fits."""
        while path:
            if self.fits(path):
                return True
            path = path.rpartition("/")[0]
        return False


def comparable(path: str) -> str:
    """Composed (NFC) and with "/": two spellings of one name become equal."""
    path = path.replace("\\", "/") if "\\" in path else path
    return path if path.isascii() else unicodedata.normalize("NFC", path)


def exact_glob(path: str) -> str:
    """The glob that fits this path and, apart from other spellings of it, no other."""
    text = re.sub(r"([*?[])", r"[\1]", comparable(path))
    return text if "/" in text else f"./{text}"


def nearest(text: str, paths: Iterable[str]) -> str:
    """The path that is most like a glob or name that fits nothing; empty if none is like it."""
    wanted = comparable(text).strip("*/")
    is_name = "/" not in wanted
    candidates: dict[str, str] = {}
    for path in islice(paths, _COMPARED):
        known = comparable(path)
        # A glob may be meant for a file, or for a folder and all in it.
        for part in known.split("/") if is_name else (known, known.rpartition("/")[0]):
            candidates.setdefault(part, path if "/" in part or part == known else part)
    found = difflib.get_close_matches(wanted, candidates, 1, _NEAR)
    return candidates[found[0]] if found else ""


def _crossings(parts: list[str]) -> list[list[str]]:
    """Write `a**b` out: in one name, or with folders between."""
    at = next((i for i, part in enumerate(parts) if "**" in part and part.strip("*")), None)
    if at is None:
        return [["**" if part.strip("*") == "" and len(part) > 1 else part for part in parts]]
    if sum("**" in part and bool(part.strip("*")) for part in parts) > _MOST_CROSSINGS:
        raise ConfigError(
            f"glob {'/'.join(parts)!r}: `**` stands inside of too many names",
            remedy="let ** stand alone between slashes",
        )
    before, _, after = parts[at].partition("**")
    after = after.lstrip("*")
    within = [*parts[:at], f"{before}*{after}", *parts[at + 1 :]]
    across = [*parts[:at], f"{before}*", "**", f"*{after}", *parts[at + 1 :]]
    return [*_crossings(within), *_crossings(across)]


def _path(parts: list[str]) -> str:
    """Regular expression of a path, its names given one by one."""
    text = ""
    run: list[str] = []
    is_after_gap = False
    for part in parts:
        if part != "**":
            run.append(_name(part))
            continue
        names = "".join(f"{name}/" for name in run)
        text += f"(?>(?:[^/]+/)*?{names})" if is_after_gap and run else names
        run, is_after_gap = [], True
    if not run:  # the glob ends in `**`: everything below
        return text + ".*"
    return text + ("(?:[^/]+/)*" if is_after_gap else "") + "/".join(run)


def _name(glob: str) -> str:
    """Regular expression of one name."""
    first, *others = [_fixed(piece) for piece in _pieces(glob)]
    if not others:
        return first
    middle = "".join(f"(?>[^/]*?{piece})" for piece in others[:-1])
    return f"{first}{middle}[^/]*{others[-1]}"


def _pieces(glob: str) -> list[list[str]]:
    """What stands between the stars: characters, "?" and sets."""
    pieces: list[list[str]] = [[]]
    at = 0
    while at < len(glob):
        # As in a shell, a "]" right after the bracket belongs to the set.
        end = glob.find("]", at + 3 if glob[at + 1 : at + 2] in ("!", "^") else at + 2)
        if glob[at] == "[" and end > 0:
            pieces[-1].append(glob[at : end + 1])
            at = end + 1
            continue
        if glob[at] == "*":
            pieces.append([])
        else:
            pieces[-1].append(glob[at])
        at += 1
    return [pieces[0], *(piece for piece in pieces[1:-1] if piece), *pieces[1:][-1:]]


def _fixed(piece: list[str]) -> str:
    return "".join(
        "[^/]" if mark == "?" else _characters(mark[1:-1]) if len(mark) > 1 else re.escape(mark)
        for mark in piece
    )


def _characters(body: str) -> str:
    is_negated = body[0] in "!^"
    escaped = re.sub(r"([\\\[\]&~|^])", r"\\\1", body[1:] if is_negated else body)
    return f"(?!/)[{'^' if is_negated else ''}{escaped}]"
