"""Contact sheets: small pictures side by side under titles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from colorize_core.media.picture.resize import fit, shrink

_TITLE_HEIGHT: Final = 18
_GAP: Final = 8


def contact_sheet(
    groups: Sequence[Sequence[NDArray[np.uint8]]], titles: Sequence[str], *, columns: int, side: int
) -> NDArray[np.uint8]:
    """Draw groups of pictures, `columns` groups beside each other, on white.

    Args:
        groups: at least one, each with one picture [H, W, 3] per title; larger ones are shrunk.
        titles: of the pictures of a group, written above each column.
        columns: groups per line.
        side: of the square that a picture is fitted into, in pixels.

    Returns:
        [H, W, 3] uint8.
    """
    lines = -(-len(groups) // columns)
    group_width = len(titles) * side + _GAP
    size = (columns * group_width - _GAP, _TITLE_HEIGHT + lines * (side + _GAP) - _GAP)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column in range(min(columns, len(groups))):
        for i, title in enumerate(titles):
            draw.text((column * group_width + i * side + 2, 3), title, fill="black")
    for number, group in enumerate(groups):
        line, column = divmod(number, columns)
        for i, picture in enumerate(group):
            width, height = fit(picture.shape[1], picture.shape[0], side)
            left = column * group_width + i * side + (side - width) // 2
            top = _TITLE_HEIGHT + line * (side + _GAP) + (side - height) // 2
            sheet.paste(Image.fromarray(shrink(picture, width, height)), (left, top))
    return np.asarray(sheet)
