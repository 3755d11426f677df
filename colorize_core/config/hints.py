"""What a user knows of the colors of an item, as `overrides.yaml` says it."""

from __future__ import annotations

import re
from typing import Annotated, Final

from colorize_core.config.settings import Settings, about, require

Polygon = tuple[tuple[float, float], ...]

HEX_COLOR: Final = re.compile(r"#[0-9a-fA-F]{6}")
_CORNERS: Final = 3
_PLACE: Final = "numbers from 0 to 1: [[x, y], [x, y], [x, y]]"


class ColorPoint(Settings, frozen=True):
    """A known color at one place; x and y are shares of the upright picture with square pixels."""

    x: Annotated[float, about("from 0, left, to 1, right", ge=0, le=1)]
    y: Annotated[float, about("from 0, top, to 1, bottom", ge=0, le=1)]
    color: Annotated[
        str, about('"#7a3b2e", or a name of the palette; its lightness does not count')
    ]
    radius: Annotated[
        float, about("of what has this color, as a share of the short side", gt=0, le=0.5)
    ] = 0.02
    page: Annotated[int, about("of a photo with several", ge=1)] = 1
    time: Annotated[float, about("seconds from the first frame of a film", ge=0)] = 0.0


class ShotReference(Settings, frozen=True):
    """A color picture of what a film shows at a time."""

    time: Annotated[float, about("seconds from the first frame of a film", ge=0)]
    file: Annotated[str, about("below the folder of this file, or in its references/")]


class HintSettings(Settings, frozen=True):
    """Known colors of the items that a glob fits."""

    hints: Annotated[tuple[ColorPoint, ...], about("known colors at places")] = ()
    keep_gray: Annotated[
        tuple[Polygon, ...], about("polygons [[x, y], ...] that get no color")
    ] = ()
    keep_color: Annotated[
        tuple[Polygon, ...],
        about("polygons [[x, y], ...] of a photo that keep the color that the source has there"),
    ] = ()
    reference: Annotated[
        str | tuple[str, ...],
        about("color pictures of the same things, below the folder of this file"),
    ] = ()
    references: Annotated[
        tuple[ShotReference, ...], about("color pictures for the shots of a film")
    ] = ()
    palette: Annotated[dict[str, str], about('names for colors: {"field gray": "#4d5d53"}')] = {}  # noqa: RUF012 - msgspec copies it

    def _check(self) -> None:
        for name in ("keep_gray", "keep_color"):
            for polygon in getattr(self, name):
                require(_is_polygon(polygon), name, [list(p) for p in polygon], _PLACE)
        for name, color in self.palette.items():
            require(is_color(color), f"palette.{name}", color, 'a color such as "#4d5d53"')


def is_color(text: str) -> bool:
    """Whether a text is a color: "#rrggbb"."""
    return HEX_COLOR.fullmatch(text) is not None


def _is_polygon(polygon: Polygon) -> bool:
    return len(polygon) >= _CORNERS and all(0 <= side <= 1 for place in polygon for side in place)
