"""Draws the house from its imports and writes its list of rooms: `python -m docs.house`.

The rooms and who may import whom are in `docs/rooms.toml`; arrows are what the code imports today.
"""

from __future__ import annotations

import ast
import textwrap
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
CORE = ROOT / "colorize_core"
PICTURE = ROOT / "docs" / "images" / "house.svg"
PAGE = ROOT / "docs" / "decisions" / "0001-rooms.md"
_BEGIN, _END = "<!-- rooms: written by python -m docs.house -->", "<!-- end of rooms -->"
# Nearly every room imports them: they are drawn as the ground, without arrows.
GROUND = ("errors", "atomic", "memory", "config")

Edges = Mapping[str, set[str]]

_BOX, _BEND, _GAP_X, _GAP_Y = (196, 54), 8, 20, 60
_STYLE = (
    "text{font-family:Helvetica,Arial,sans-serif;fill:#1b2733}"
    ".name{font-size:15px;font-weight:bold}.what{font-size:10px;fill:#4a5a68}"
    ".box{stroke:#5b7083;fill:#fff}.media .box{fill:#e3eefc}.archive .box{fill:#e9f6e6}"
    ".ground .box{fill:#efeae0}path{fill:none;stroke:#8a9aa8;stroke-width:1.3}"
)


def rules() -> dict[str, dict[str, object]]:
    """The rooms by name, each with `what` and `may`."""
    text = (ROOT / "docs" / "rooms.toml").read_text(encoding="utf-8")
    rooms: dict[str, dict[str, object]] = tomllib.loads(text)["rooms"]
    return rooms


def room_of(parts: Iterable[str], rooms: Iterable[str]) -> str:
    """The deepest listed room that holds a dotted name, given by its parts."""
    names = [part.removesuffix(".py") for part in parts]
    nested = ".".join(names[:2])
    return nested if nested in set(rooms) else names[0]


def imports(rooms: Iterable[str]) -> dict[str, set[str]]:
    """Which room imports which others, from the code."""
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for path in CORE.rglob("*.py"):
        room = room_of(path.relative_to(CORE).parts, found)
        for name in _modules(path):
            top, _, rest = name.partition(".")
            other = room_of(rest.split("."), found)
            if top == "colorize_core" and room in found and other in found and other != room:
                found[room].add(other)
    return found


def _modules(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def levels(edges: Edges) -> list[list[str]]:
    """Rooms in rows, the uppermost first: each above all that it imports."""
    height: dict[str, int] = {}

    def of(room: str) -> int:
        if room not in height:
            height[room] = 1 + max((of(other) for other in edges[room]), default=-1)
        return height[room]

    for room in edges:
        of(room)
    rows: list[list[str]] = [[] for _ in range(max(height.values()) + 1)]
    for room in edges:
        rows[height[room]].append(room)
    return rows[::-1]


def direct(edges: Edges) -> list[tuple[str, str]]:
    """Arrows without those that a way over another room says already."""

    def reach(room: str) -> set[str]:
        return edges[room] | {far for other in edges[room] for far in reach(other)}

    return [
        (room, other)
        for room, others in edges.items()
        for other in sorted(others)
        if not any(other in reach(between) for between in others - {other})
    ]


def draw(edges: Edges, rooms: Mapping[str, Mapping[str, object]]) -> str:
    """The picture as SVG."""
    upper = {room: others - set(GROUND) for room, others in edges.items() if room not in GROUND}
    rows, ways = _with_bends(levels(upper), direct(upper))
    rows = [*_ordered(rows, ways), list(GROUND)]
    width = max(map(_row_width, rows)) + 2 * _GAP_X
    places = {
        node: (x, 20 + number * (_BOX[1] + _GAP_Y))
        for number, row in enumerate(rows)
        for node, x in _spread(row, width)
    }
    height = max(y for _, y in places.values()) + _BOX[1] + 20
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
            "<title>The rooms of colorize_core: arrows point at what is imported</title>",
            f"<style>{_STYLE}</style>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" style="fill:#8a9aa8"/>'
            "</marker></defs>",
            f'<rect width="{width}" height="{height}" fill="#fbfbf9"/>',
            *(_arrow([places[node] for node in way], way) for way in ways),
            *(_box(room, places[room], str(rooms[room]["what"])) for room in rooms),
            "</svg>\n",
        ]
    )


def _with_bends(
    rows: list[list[str]], arrows: Iterable[tuple[str, str]]
) -> tuple[list[list[str]], list[list[str]]]:
    """Rows with a bend in each that an arrow crosses, and the way of each arrow from node to node.

    A bend is a node of little width: so arrows run between the boxes, not behind them.
    """
    rows = [list(row) for row in rows]
    level = {room: number for number, row in enumerate(rows) for room in row}
    ways = []
    for room, other in arrows:
        bends = [f"{room}>{other}>{n}" for n in range(level[room] + 1, level[other])]
        for number, bend in enumerate(bends, level[room] + 1):
            rows[number].append(bend)
        ways.append([room, *bends, other])
    return rows, ways


def _ordered(rows: list[list[str]], ways: Iterable[list[str]]) -> list[list[str]]:
    """Nodes of a row near those they lead to and come from, so that few arrows cross."""
    near: dict[str, set[str]] = {node: set() for row in rows for node in row}
    for way in ways:
        for node, following in pairwise(way):
            near[node].add(following)
            near[following].add(node)
    at = {node: _share(row, node) for row in rows for node in row}
    for sweep in range(24):
        for row in rows if sweep % 2 else reversed(rows):
            mean = {node: _mean([at[o] for o in near[node]], at[node]) for node in row}
            row.sort(key=mean.__getitem__)
            at |= {node: _share(row, node) for node in row}
    return rows


def _share(row: list[str], node: str) -> float:
    return (row.index(node) + 0.5) / len(row)


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _width(node: str) -> int:
    return _BEND if ">" in node else _BOX[0]


def _row_width(row: Iterable[str]) -> int:
    return sum(_width(node) + _GAP_X for node in row) - _GAP_X


def _spread(row: list[str], width: int) -> Iterator[tuple[str, int]]:
    """Nodes of a row with their left edges, in the middle of the picture."""
    x = (width - _row_width(row)) // 2
    for node in row:
        yield node, x
        x += _width(node) + _GAP_X


def _arrow(corners: list[tuple[int, int]], way: list[str]) -> str:
    """A curve from below the first box over the bends to the top of the last one."""
    (x, y), *_ = points = [
        (left + _width(node) // 2, top) for (left, top), node in zip(corners, way, strict=True)
    ]
    y += _BOX[1]
    path = f"M{x} {y}"
    for number, (next_x, top) in enumerate(points[1:], 1):
        middle = (y + top) // 2
        path += f"C{x} {middle} {next_x} {middle} {next_x} {top}"
        x, y = next_x, top
        if number < len(points) - 1:
            y += _BOX[1]
            path += f"V{y}"
    return f'<path d="{path}" marker-end="url(#tip)"/>'


def _box(room: str, place: tuple[int, int], what: str) -> str:
    x, y = place
    kind = "ground" if room in GROUND else room.partition(".")[0]
    lines = _wrapped(what)
    words = "".join(
        f'<text class="what" x="{x + 10}" y="{y + 34 + 12 * n}">{escape(line)}</text>'
        for n, line in enumerate(lines)
    )
    return (
        f'<g class="{kind}"><rect class="box" x="{x}" y="{y}" width="{_BOX[0]}" '
        f'height="{_BOX[1]}" rx="6"/><text class="name" x="{x + 10}" y="{y + 19}">{room}</text>'
        f"{words}</g>"
    )


def _wrapped(text: str, width: int = 36) -> list[str]:
    """At most two lines; what is longer ends in dots."""
    return textwrap.wrap(text, width, max_lines=2, placeholder=" ...")


def table() -> str:
    """The list of rooms for decision 0001."""
    text = tomllib.loads((ROOT / "docs" / "rooms.toml").read_text(encoding="utf-8"))
    alone: dict[str, list[str]] = {}
    for library, rooms in text["only_in"].items():
        for room in rooms:
            alone.setdefault(room, []).append(library)
    lines = ["| room | what | may import | alone has |", "|---|---|---|---|"]
    for name, room in text["rooms"].items():
        libraries = ", ".join(sorted(alone.get(name, [])))
        lines.append(f"| {name} | {room['what']} | {', '.join(room['may'])} | {libraries} |")
    return "\n".join(lines)


def page() -> str:
    """Decision 0001 with the list of rooms as it is now."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{table()}\n{_END}{after}"


def main() -> None:
    """Write the picture and the list."""
    rooms = rules()
    PICTURE.write_text(draw(imports(rooms), rooms), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
