"""A folder of numbered pictures as the frames of a film: their order, and what is missing."""

from __future__ import annotations

import io
import itertools
import os
import re
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from colorize_core.errors import UndecodableError, UnsupportedError
from colorize_core.media.film.names import FRAME_SUFFIXES

_DIGITS = re.compile(r"\d+")
_MICROSECONDS = 1_000_000
# SMPTE ST 268: a header of 2048 bytes; the first number says where the samples begin.
_DPX_MAGIC = {b"SDPX": ">", b"XPDS": "<"}
_DPX_HEADER = 2048
_DPX_FILM_RATE, _DPX_TIME_CODE, _DPX_RATE = 1724, 1920, 1940


@dataclass(frozen=True)
class FrameFiles:
    """Pictures of a folder in their running order.

    Attributes:
        files: one for each frame; a frame that is missing or empty has its neighbor's.
        pattern: FFmpeg's glob for the same, None where its order by name is another.
        notes: what is missing, in words.
    """

    files: tuple[Path, ...]
    pattern: str | None
    notes: tuple[str, ...]


def find_frames(folder: Path) -> FrameFiles:
    """Put a folder's pictures, but for hidden ones, in the order of their numbers.

    Raises:
        UndecodableError: it holds no pictures, or only empty files.
        UnsupportedError: they have several suffixes (`.PNG` is as `.png`), or their order is
            unclear.
    """
    sizes = _pictures(folder)
    if not any(sizes.values()):
        raise UndecodableError(f"{folder.name}: holds no pictures to make a film of")
    suffixes = sorted({Path(name).suffix.lower() for name in sizes})
    if len(suffixes) > 1:
        raise UnsupportedError(
            f"{folder.name}: holds pictures of several kinds: {', '.join(suffixes)}",
            remedy="convert them to one, or move those that are no frames out of the folder",
        )
    names = _ordered(folder, sizes)
    places, notes = _places(names)
    empty = [name for name in names if not sizes[name]]
    if empty:
        notes += (f"{_count(len(empty))} empty ({_few(empty)}), shown as a neighbor",)
    files = _fill([None if name in empty else name for name in places])
    is_plain = not notes and names == sorted(names)
    return FrameFiles(
        files=tuple(folder / name for name in files),
        pattern=_pattern(folder, names) if is_plain else None,
        notes=notes,
    )


def sound_beside(folder: Path) -> Path | None:
    """The one WAV in a folder of pictures, or the one beside it under its name."""
    inside = [f for f in folder.iterdir() if f.suffix.lower() == ".wav" and f.name[0] != "."]
    if inside:
        return inside[0] if len(inside) == 1 else None
    beside = (folder.with_name(folder.name + suffix) for suffix in (".wav", ".WAV"))
    return next((file for file in beside if file.is_file()), None)


def sound_notes(sound: str, *, is_wanted: bool) -> tuple[str, ...]:
    """What is to be said about the WAV of a folder of pictures, given as in FilmProbe."""
    if not sound:
        return ()
    name = Path(sound).name
    return (f"its sound is {name}" if is_wanted else f"--sound takes {name} for its sound",)


def _pictures(folder: Path) -> dict[str, int]:
    with os.scandir(folder) as entries:
        return {
            entry.name: entry.stat().st_size
            for entry in entries
            if Path(entry.name).suffix.lower() in FRAME_SUFFIXES and entry.name[0] != "."
        }


def _ordered(folder: Path, sizes: dict[str, int]) -> list[str]:
    names = sorted(sizes, key=_by_number)
    is_one_series = len({_DIGITS.sub("#", Path(name).stem) for name in names}) == 1
    numbers = [_numbers(name) for name in names]
    is_clear = len(set(numbers)) == len(names) if is_one_series else names == sorted(names)
    if not is_clear:
        raise UnsupportedError(
            f"{folder.name}: the order of its pictures is unclear",
            remedy="give them one name with running numbers: 1, 2, ... or 0001, 0002, ...",
        )
    return names


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in _DIGITS.findall(Path(name).stem))


def _by_number(name: str) -> tuple[tuple[int, ...], str]:
    return _numbers(name), name


def _places(names: Sequence[str]) -> tuple[list[str | None], tuple[str, ...]]:
    """Names with None where numbers are missing, and what is to be said about them."""
    whole: list[str | None] = list(names)
    if len({_DIGITS.sub("#", Path(name).stem) for name in names}) > 1:
        return whole, ()
    columns = [c for c in zip(*(_numbers(name) for name in names), strict=True) if len(set(c)) > 1]
    if len(columns) != 1:
        return whole, ()
    running = columns[0]
    steps = [after - before for before, after in itertools.pairwise(running)]
    step = Counter(steps).most_common(1)[0][0]
    gaps = [max(0, s // step - 1) for s in steps]
    missing = sum(gaps)
    if not missing:
        return whole, ()
    if missing > len(names):
        leap = f"its numbers leap, from {running[0]} to {running[-1]} in {len(names)} pictures"
        return whole, (f"{leap}: taken one after the other",)
    places: list[str | None] = [names[0]]
    lost: list[str] = []
    for name, number, gap in zip(names[1:], running, gaps, strict=False):
        places += [*[None] * gap, name]
        lost += [str(number + step * (i + 1)) for i in range(gap)]
    return places, (f"{_count(missing)} missing (numbers {_few(lost)}), shown as a neighbor",)


def _count(number: int) -> str:
    return f"{number} pictures are" if number > 1 else "1 picture is"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _fill(names: Sequence[str | None]) -> list[str]:
    """Each None as the name before it; at the start, as the first one there is."""
    last = next(name for name in names if name is not None)
    filled = []
    for name in names:
        last = name if name is not None else last
        filled.append(last)
    return filled


def _pattern(folder: Path, names: Sequence[str]) -> str:
    spellings = sorted({Path(name).suffix for name in names})
    suffix = spellings[0] if len(spellings) == 1 else _in_any_case(spellings[0].lower())
    return f"{_escape(str(folder))}/*{suffix}"


def _in_any_case(suffix: str) -> str:
    return "." + "".join(f"[{letter}{letter.upper()}]" for letter in suffix[1:])


def _escape(path: str) -> str:
    # FFmpeg's glob takes a backslash, where Python's takes brackets.
    return re.sub(r"([][*?{}\\])", r"\\\1", path)


def concat_list(files: Sequence[Path], rate: Fraction, first: int = 0) -> io.BytesIO:
    """A list for FFmpeg's concat demuxer that shows each picture for one frame.

    Pictures have no index to seek in, so the list begins where reading should: behind it comes
    frame `first`, at its own time. In front of it the same picture stands for all before.

    Raises:
        UnsupportedError: a name that such a list cannot hold.
    """
    lines = ["ffconcat version 1.0"]
    ends = [round(i / rate * _MICROSECONDS) for i in range(len(files) + 1)]
    entries = [(files[first], ends[first])] if first else []
    entries += [(files[i], ends[i + 1] - ends[i]) for i in range(first, len(files))]
    for file, microseconds in entries:
        if "\n" in str(file) or re.search(r"%\d*d", str(file)):
            raise UnsupportedError(
                f"{file.name!r}: FFmpeg cannot take this name in a list",
                remedy="rename it, without line breaks and %d",
            )
        quoted = str(file).replace("'", r"'\''")
        lines += [f"file 'file:{quoted}'", f"option framerate {rate}"]
        lines.append(f"duration {microseconds}us")
    return io.BytesIO("\n".join(lines).encode(errors="surrogateescape"))


@dataclass(frozen=True)
class DpxTimes:
    """What the header of a DPX says; None where it is silent."""

    rate: float | None
    time_code: str | None


def read_dpx_times(path: Path) -> DpxTimes:
    """Frame rate and time code (SMPTE ST 268, television header); of other files, nothing."""
    if path.suffix.lower() != ".dpx":
        return DpxTimes(None, None)
    with path.open("rb") as file:
        head = file.read(_DPX_HEADER)
    order = _DPX_MAGIC.get(head[:4])
    if order is None or len(head) < _DPX_HEADER:
        return DpxTimes(None, None)
    if struct.unpack_from(f"{order}I", head, 4)[0] < _DPX_HEADER:
        return DpxTimes(None, None)  # samples begin where these headers would be
    rates = [struct.unpack_from(f"{order}f", head, o)[0] for o in (_DPX_RATE, _DPX_FILM_RATE)]
    (code,) = struct.unpack_from(f"{order}I", head, _DPX_TIME_CODE)
    digits = f"{code:08x}"
    parts = [digits[i : i + 2] for i in range(0, 8, 2)]
    is_code = code and digits.isdecimal() and parts[1] < "60" and parts[2] < "60"
    return DpxTimes(
        rate=next((round(r, 3) for r in rates if 1 <= r <= 1000), None),
        time_code=":".join(parts) if is_code else None,
    )
