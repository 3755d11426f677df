"""The one gray rule, on scikit-image's pictures made gray in the ways of scanners and tapes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from skimage import color, data, transform

from bench.gray_pictures import KINDS, hand_tinted, tint, toned
from colorize_core.color.grayness import judge
from colorize_core.color.tone_model import area_means, lab_of

COLORED = ("astronaut", "coffee", "chelsea", "rocket", "colorwheel", "retina")
KEPT = ("mat", "scanner edge", "table", "target", "stamp")


def gray(name: str) -> np.ndarray:
    """[H, W] 0..1, about a third of a megapixel."""
    picture = getattr(data, name)()
    plain = color.rgb2gray(picture[..., :3]) if picture.ndim == 3 else picture / 255
    return transform.resize(plain, (480, 640), anti_aliasing=True)


def rounded(rgb: np.ndarray, levels: int = 255) -> np.ndarray:
    kind = np.uint8 if levels == 255 else np.uint16
    return (np.clip(rgb, 0, 1) * levels + 0.5).astype(kind)


@pytest.mark.parametrize("name", ["astronaut", "camera", "moon"])
@pytest.mark.parametrize("kind", KINDS)
def test_black_and_white_pictures_are_gray_however_they_were_taken(kind: str, name: str):
    picture = KINDS[kind][0](gray(name), np.random.default_rng(len(kind) + len(name)))
    found = judge(rounded(picture))
    assert found.kind != "colored"
    if kind in KEPT:
        assert found.kind == "partly colored"


@pytest.mark.parametrize("name", COLORED)
def test_color_photos_are_colored(name: str):
    picture = np.ascontiguousarray(getattr(data, name)()[..., :3])
    assert judge(picture).kind == "colored"
    assert judge(picture.astype(np.uint16) * 257).kind == "colored"
    half = (picture * 0.5 + picture.mean(2, keepdims=True) * 0.5).astype(np.uint8)
    assert judge(half).kind == "colored"


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_hand_tinted_prints_are_colored(name: str):
    photo = getattr(data, name)() / 255
    assert judge(rounded(hand_tinted(photo, np.random.default_rng(2)))).kind == "colored"


@pytest.mark.parametrize(("hue", "kind"), [(270, "colored"), (70, "toned")])
def test_blue_of_uneven_hue_is_sky_and_brown_is_paper(hue: float, kind: str):
    rng = np.random.default_rng(6)
    uneven = [ndimage.gaussian_filter(rng.normal(size=(480, 640)), 25) for _ in range(2)]
    along, across = (0.55 * field / field.std() for field in uneven)
    axis = np.radians([hue, hue + 90])
    ab = (15 + along)[..., None] * [np.cos(axis[0]), np.sin(axis[0])]
    ab = ab + across[..., None] * [np.cos(axis[1]), np.sin(axis[1])]
    assert judge(rounded(tint(gray("camera"), ab))).kind == kind


def test_strong_sepia_is_toned():
    strong = toned(70, 80, (29, 30))(gray("camera"), np.random.default_rng(3))
    assert judge(rounded(strong)).kind == "toned"


def test_what_is_truly_colored_is_marked_and_nothing_else():
    target = KINDS["target"][0](gray("camera"), np.random.default_rng(5))
    found = judge(rounded(target))
    assert found.own is not None
    own = np.asarray(Image.fromarray(found.own.astype(np.float32)).resize(target.shape[1::-1]))
    chroma = np.hypot(*np.moveaxis(color.rgb2lab(np.clip(target, 0, 1))[..., 1:], -1, 0))
    print_rows = np.zeros(chroma.shape, bool)
    print_rows[60:-120] = True
    assert own[chroma > 40].mean() > 0.8
    assert own[print_rows].max() == 0


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (33, 70), (5, 4000)])
def test_any_size_is_judged(shape: tuple[int, int]):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 1), dtype=np.uint8)
    assert judge(np.repeat(noise, 3, 2)).kind == "gray"
    assert judge(noise[..., 0]).kind == "gray"
    red = np.zeros((*shape, 3), np.uint8)
    red[..., 0] = np.linspace(60, 255, shape[1])
    assert judge(red).kind == "colored"


def test_area_means_are_numpys():
    pixels = np.random.default_rng(1).integers(0, 65536, (60, 90, 3), dtype=np.uint16)
    expected = pixels.reshape(10, 6, 15, 6, 3).mean((1, 3))
    np.testing.assert_allclose(area_means(pixels, 15), expected)
    uneven = area_means(pixels, 64)
    assert uneven.shape == (43, 64, 3)
    assert abs(uneven.mean() - pixels.mean()) < 200


def test_lab_is_scikit_images():
    rgb = np.random.default_rng(2).random((20, 20, 3))
    np.testing.assert_allclose(lab_of(rgb), color.rgb2lab(rgb), atol=0.02)


def test_no_torch_is_loaded():
    code = "import sys, colorize_core.color.grayness; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
