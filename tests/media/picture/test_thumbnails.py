import cv2
import numpy as np
import pytest
from skimage import data

from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.media.picture.resize import fit, shrink
from colorize_core.media.picture.thumbnails import LONG_SIDE, write_pair


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_pair_shows_both_pictures_small_and_the_same_size(tmp_path):
    rgb = data.astronaut()
    gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    details = write_pair(gray, rgb, tmp_path, "ab12")
    assert (details.width, details.height) == (LONG_SIDE, LONG_SIDE)
    before, after = (read(tmp_path / getattr(details, role)) for role in ("before", "after"))
    assert before.shape == (LONG_SIDE, LONG_SIDE)  # one channel: half the bytes
    assert after.shape == (LONG_SIDE, LONG_SIDE, 3)
    truth = cv2.resize(rgb, (LONG_SIDE, LONG_SIDE), interpolation=cv2.INTER_AREA)
    # Mean error of a JPEG at this quality; swapped channels would give about 40.
    assert np.abs(after[..., ::-1].astype(float) - truth).mean() < 6
    assert all(
        (tmp_path / getattr(details, role)).stat().st_size < 60_000 for role in ("before", "after")
    )


def test_files_are_spread_over_subfolders_and_no_temporary_is_left(tmp_path):
    picture = np.full((8, 8, 3), 90, np.uint8)
    for key in ("aa1", "aa2", "bb1"):
        write_pair(picture, picture, RunFolder(tmp_path).thumbs, key)
    names = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.jpg"))
    assert names == [
        f"report/thumbs/{key[:2]}/{key}-{role}.jpg"
        for key in ("aa1", "aa2", "bb1")
        for role in ("after", "before")
    ]


def test_small_pictures_are_not_enlarged_and_before_follows_after(tmp_path):
    details = write_pair(
        np.zeros((50, 100), np.uint8), np.zeros((25, 50, 3), np.uint8), tmp_path, "k"
    )
    assert (details.width, details.height) == (50, 25)
    assert read(tmp_path / details.before).shape == (25, 50)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_extreme_shapes(tmp_path, size):
    picture = np.zeros((*size, 3), np.uint8)
    details = write_pair(picture, picture, tmp_path, "x")
    assert read(tmp_path / details.after).shape[:2] == (details.height, details.width)


def test_fit_keeps_aspect():
    assert fit(4000, 3000, 400) == (400, 300)
    assert fit(100, 50, 400) == (100, 50)


@pytest.mark.parametrize("key", ["../x", "a/b", "", ".", "a\0", "é"])
def test_a_key_cannot_leave_the_folder(tmp_path, key):
    with pytest.raises(ValueError, match="thumbnail key"):
        write_pair(np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.uint8), tmp_path, key)
    assert list(tmp_path.iterdir()) == []


def test_wrong_type_and_empty_are_named():
    with pytest.raises(ValueError, match="float32"):
        shrink(np.zeros((4, 4), np.float32), 2, 2)
    with pytest.raises(ValueError, match="0 x 4"):
        fit(0, 4, 10)
