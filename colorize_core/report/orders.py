"""Orders and folders of the page: positions as numbers, so that a million items stay small."""

from __future__ import annotations

import posixpath
import re
from array import array
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from colorize_core.report.records import FILTERS, filters_of

_DATE: Final = re.compile(r"mtime_ns:(\d{1,20})")


class Orders:
    """Takes records as they pass by, and tells where each stands.

    A record's position is its place on the page, the most doubtful first; among equals that of its
    name, by which they come.
    """

    def __init__(self) -> None:
        self._doubts, self._folders, self._kinds = array("d"), array("I"), array("I")
        self._dates, self._flags = array("d"), array("B")
        self._folder_ids: dict[str, int] = {"": 0}
        self._folder_rows: list[list[Any]] = [["", -1, 0]]
        self._kind_ids: dict[str, int] = {}

    def add(self, record: Mapping[str, Any], doubt: float, stamp: object) -> None:
        """Take the next record.

        Args:
            record: see `page_record`.
            doubt: see `doubt_of`.
            stamp: of the item in its source: a date, where it has one.
        """
        name = str(record["name"])
        folder, _, file = name.rpartition("/")
        self._doubts.append(doubt)
        self._folders.append(self._count(folder))
        # PurePath would intern the name of every item.
        kind = "film" if record["kind"] == "film" else posixpath.splitext(file)[1].lower()
        self._kinds.append(self._kind_ids.setdefault(kind, len(self._kind_ids)))
        date = _DATE.match(str(stamp))
        self._dates.append(int(date[1]) / 1e9 if date else 0.0)
        shown = filters_of(record)
        self._flags.append(sum(1 << bit for bit, name in enumerate(FILTERS) if name in shown))

    @property
    def folders(self) -> list[list[Any]]:
        """Name, number of the parent and items in and below, of each folder; parents come first."""
        return self._folder_rows

    @property
    def by_doubt(self) -> NDArray[np.int64]:
        """Numbers of the records, as they came, in the order of the page."""
        return np.argsort(-np.array(self._doubts), kind="stable")

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """Positions in each order, and by position the folder and the filters of each record."""
        position = _positions(self.by_doubt)
        kinds = sorted(self._kind_ids)
        alphabetical = np.array([kinds.index(kind) for kind in self._kind_ids] or [0], np.int64)
        by_date = np.argsort(-np.array(self._dates), kind="stable")
        by_kind = np.argsort(alphabetical[np.array(self._kinds, np.int64)], kind="stable")
        return {
            "name": position,
            "date": position[by_date],
            "kind": position[by_kind],
            "folder": _by_position(self._folders, position),
            "flags": _by_position(self._flags, position),
        }

    def _count(self, folder: str) -> int:
        number = self._folder(folder)
        above = number
        while above >= 0:
            self._folder_rows[above][2] += 1
            above = self._folder_rows[above][1]
        return number

    def _folder(self, path: str) -> int:
        known = self._folder_ids.get(path)
        if known is not None:
            return known
        parent, _, name = path.rpartition("/")
        above = self._folder(parent)
        self._folder_ids[path] = len(self._folder_rows)
        self._folder_rows.append([name, above, 0])
        return self._folder_ids[path]


def _positions(order: NDArray[np.int64]) -> NDArray[np.int64]:
    position = np.empty(len(order), np.int64)
    position[order] = np.arange(len(order))
    return position


def _by_position(values: array[int], position: NDArray[np.int64]) -> NDArray[np.int64]:
    placed = np.empty(len(values), np.int64)
    placed[position] = values
    return placed
