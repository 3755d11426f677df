"""Contact sheets and the squares that metrics look at."""

import numpy as np
import pytest

from colorize_core.media.picture.resize import center_square, squeezed
from colorize_core.media.picture.sheet import contact_sheet


def filled(height: int, width: int, color: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)


def test_pictures_stand_under_their_titles_in_order():
    red, green, blue = filled(32, 32, (255, 0, 0)), filled(64, 32, (0, 255, 0)), (0, 0, 255)
    groups = [[red, green], [filled(8, 32, blue), red], [green, green]]
    sheet = contact_sheet(groups, ["one", "two"], columns=2, side=32)
    assert sheet.shape == (18 + 2 * 32 + 8, 2 * 64 + 8, 3)
    top, low = 18 + 16, 18 + 40 + 16
    left = [16, 48, 72 + 16, 72 + 48]
    seen = [tuple(sheet[top, x]) for x in left] + [tuple(sheet[low, x]) for x in left]
    r, g, b, white = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
    assert seen == [r, g, b, r, g, g, white, white]
    # Aspect is kept: the wide picture leaves white above it, the tall one beside it.
    assert tuple(sheet[18 + 2, 72 + 16]) == white
    assert tuple(sheet[top, 33]) == white
    assert sheet[:16, :30].min() < 100


def test_squeezing_takes_the_whole_picture_and_cropping_its_middle():
    picture = np.concatenate([filled(20, 20, c) for c in ((0, 0, 0), (99, 9, 9), (255, 0, 0))], 1)
    small = squeezed(picture, 10, 30)
    assert small.shape == (10, 30, 3)
    assert [tuple(small[5, x]) for x in (4, 15, 26)] == [(0, 0, 0), (99, 9, 9), (255, 0, 0)]
    assert squeezed(picture, 20, 60) is picture
    middle = center_square(picture, 10)
    assert middle.shape == (10, 10, 3)
    assert (middle == (99, 9, 9)).all()


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (7, 5)])
def test_any_shape_can_be_squeezed(shape):
    assert center_square(filled(*shape, (1, 2, 3)), 16).shape == (16, 16, 3)
    assert squeezed(filled(*shape, (1, 2, 3)), 16, 16).shape == (16, 16, 3)
