"""What a browser may put into the log: everything is checked before it is recorded."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from colorize_core.config import ColorizeConfig, from_tree
from colorize_core.errors import UsageError

SETTINGS: Final = ("render.strength", "render.look", "render.size")
_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_ID: Final = re.compile(r"[0-9a-f]{32}")
_LONGEST: Final = {"who": 80, "note": 2000, "name": 60}
_MOST_CORNERS: Final = 200
_LARGEST_SIZE: Final = 1024  # of what the generator sees, in the review


def checked(do: str, value: Any) -> Any:
    """The value of an event as it may be recorded.

    Raises:
        UsageError: it is not what such an event has.
    """
    check = _CHECKS.get(do)
    if check is None:
        raise UsageError(f"no such event: {do[:40]!r}")
    return check(value)


def text(value: Any, what: str) -> str:
    """A text of a length that fits what it is for."""
    if not isinstance(value, str) or len(value) > _LONGEST[what]:
        raise UsageError(f"{what}: expected text of at most {_LONGEST[what]} characters")
    return value.strip()


def color(value: Any) -> str:
    """A color "#rrggbb", in lower case."""
    if not isinstance(value, str) or not _COLOR.fullmatch(value):
        raise UsageError(f"{str(value)[:40]!r} is no color", remedy='write it like "#7a3b2e"')
    return value.lower()


def number(value: Any, what: str, low: float, high: float) -> float:
    """A finite number in a range."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{what}: {str(value)[:40]!r} is no number")
    if not low <= value <= high:
        raise UsageError(f"{what}: {value:g} is not from {low:g} to {high:g}")
    return float(value)


def _hint(value: Any) -> dict[str, Any]:
    given = _mapping(value)
    hint: dict[str, Any] = {
        "x": round(number(given.get("x"), "x", 0, 1), 4),
        "y": round(number(given.get("y"), "y", 0, 1), 4),
        "color": color(given.get("color")),
        "radius": round(number(given.get("radius", 0.02), "radius", 0.001, 0.5), 4),
    }
    if given.get("page", 1) != 1:
        hint["page"] = int(number(given["page"], "page", 1, 1e6))
    return hint | _time(given)


def _time(given: Mapping[str, Any]) -> dict[str, float]:
    time = given.get("time")
    return {} if time is None else {"time": round(number(time, "time", 0, 1e7), 3)}


def _polygon(value: Any) -> list[list[float]]:
    if not isinstance(value, list) or not 3 <= len(value) <= _MOST_CORNERS:
        raise UsageError(f"an area: expected 3 to {_MOST_CORNERS} corners")
    corners = [corner if isinstance(corner, list) and len(corner) == 2 else [] for corner in value]
    if not all(corners):
        raise UsageError("an area: each corner is [x, y]")
    return [[round(number(side, "corner", 0, 1), 4) for side in corner] for corner in corners]


def _settings(value: Any) -> dict[str, Any]:
    given = _mapping(value)
    for name, setting in given.items():
        if name not in SETTINGS:
            raise UsageError(f"{str(name)[:40]!r} is no setting of the review")
        if setting is None:
            continue
        group, _, key = name.partition(".")
        from_tree(ColorizeConfig, {group: {key: setting}}, where="review")
        if name == "render.size" and setting > _LARGEST_SIZE:
            raise UsageError(f"render.size: at most {_LARGEST_SIZE} in the review")
    return dict(given)


def _event_id(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise UsageError("expected the id of an event")
    return value


def _named(value: Any) -> dict[str, Any]:
    given = _mapping(value)
    name = text(given.get("name"), "name")
    if not name:
        raise UsageError("a color needs a name")
    found = given.get("color")
    return {"name": name, "color": None if found is None else color(found)}


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise UsageError("expected an object")
    return value


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "hint": _hint,
    "gray": _polygon,
    "color": _polygon,
    "remove": _event_id,
    "set": _settings,
    "accept": lambda _: None,
    "reject": lambda _: None,
    "undecided": lambda _: None,
    "note": lambda value: text(value, "note"),
    "name": _named,
}
