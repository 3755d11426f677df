from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from colorize_core.color.letterbox import Letterbox
from colorize_core.color.pixels import pixels_to_L, pixels_to_lab
from colorize_core.config import ColorizeConfig
from colorize_core.inference import photo_pages
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.picture.note import ComputedColorNote

NOTE = ComputedColorNote("test", "0" * 64)


def scan(dtype: type, kind: str) -> bytes:
    """A gray ramp with texture from black to white, as a file."""
    y, x = np.mgrid[:96, :128]
    unit = np.clip(x / 127 + 0.05 * np.sin(y / 3), 0, 1)
    picture = np.round(unit * np.iinfo(dtype).max).astype(dtype)
    ok, data = cv2.imencode(f".{kind}", picture)
    assert ok
    return data.tobytes()


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("ab", [(0, 0), (90, 70), (-80, 75), (40, -100), (5, 10)], ids=str)
def test_lightness_is_kept_even_for_colors_that_do_not_exist(
    kind: str, dtype: type, ab: tuple[int, int]
):
    photo = decode_photo(scan(dtype, kind), name=f"a.{kind}", max_pixels=10**6)
    page = photo_pages.prepare_page(photo.pages[0], 64)
    planes = torch.tensor(ab, dtype=torch.float32)[None, :, None, None]
    planes = planes.expand(1, 2, *page.low.shape[-2:])
    pixels = photo_pages.finish_page(page, planes, ColorizeConfig())
    assert pixels.dtype == dtype
    data = photo_pages.encode(photo, [pixels], ColorizeConfig(), NOTE)
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.dtype == dtype
    rgb = np.ascontiguousarray(decoded[..., ::-1])
    moved = (pixels_to_lab(rgb)[:, :1] - page.L).abs().flatten()
    assert moved.quantile(0.999) < 0.5


def test_a_result_without_color_is_noticed():
    L = pixels_to_L(np.tile(np.arange(0, 256, 4, dtype=np.uint8), (64, 1)))
    box = Letterbox.of(64, 64, 64)
    page = photo_pages.PreparedPage(L, L, box.to_working(L), box, np.dtype(np.uint8))
    gray = photo_pages.signals_of(page, torch.zeros(1, 2, 64, 64))
    colored = photo_pages.signals_of(page, torch.full((1, 2, 64, 64), 9.0))
    assert photo_pages.is_gray_result(gray, page)
    assert not photo_pages.is_gray_result(colored, page)
    blank = photo_pages.PreparedPage(
        L, torch.full_like(L, 90.0), box.to_working(L), box, np.dtype(np.uint8)
    )
    assert not photo_pages.is_gray_result(gray, blank)
