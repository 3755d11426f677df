"""Lab against scikit-image, and what the rest of the house relies on."""

import numpy as np
import pytest
import torch
from skimage import color, data

from colorize_core.color import lab as lab_math
from tests.color.pictures import color_cube, to_array, to_tensor


@pytest.mark.parametrize("image", [color_cube(33), data.astronaut()[::3, ::3] / 255.0])
def test_lab_agrees_with_scikit_image(image):
    ours = to_array(lab_math.rgb_to_lab(to_tensor(image)))
    distance = np.linalg.norm(ours - color.rgb2lab(image), axis=-1)
    assert distance.max() < 0.01


def test_rgb_from_lab_agrees_with_scikit_image_inside_the_gamut():
    lab = color.rgb2lab(color_cube(21))
    ours = to_array(lab_math.lab_to_rgb(to_tensor(lab)))
    assert np.abs(ours - color.lab2rgb(lab)).max() < 1e-3


def test_round_trip_through_lab_is_exact_to_16_bits():
    rgb = to_tensor(color_cube(33))
    assert (lab_math.lab_to_rgb(lab_math.rgb_to_lab(rgb)) - rgb).abs().max() < 0.5 / 65535


def test_colors_outside_srgb_survive_the_round_trip():
    lab = to_tensor(np.array([[[50.0, 100.0, -100.0], [20.0, -80.0, 60.0], [95.0, 40.0, 90.0]]]))
    rgb = lab_math.lab_to_rgb(lab)
    assert rgb.min() < 0
    assert rgb.max() > 1
    assert (lab_math.rgb_to_lab(rgb) - lab).abs().max() < 0.02


def test_gray_has_no_chroma_and_comes_back():
    gray = torch.linspace(0, 1, 65536)[None, None, None]
    lab = lab_math.rgb_to_lab(gray.expand(1, 3, 1, -1))
    assert lab[:, 1:].abs().max() < 1e-4
    assert (lab_math.gray_to_L(gray) - lab[:, :1]).abs().max() < 1e-4
    assert (lab_math.L_to_gray(lab_math.gray_to_L(gray)) - gray).abs().max() < 0.25 / 65535


def test_white_and_black_span_the_scale():
    ends = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    torch.testing.assert_close(
        lab_math.gray_to_L(ends).flatten(), torch.tensor([0.0, 100.0]), atol=1e-4, rtol=0
    )


def test_gradients_are_finite_where_the_curves_have_knees():
    lab = to_tensor(np.array([[[0.0, 0.0, 0.0], [0.0, 90.0, -90.0], [100.0, 0.0, 0.0]]]))
    lab.requires_grad_(True)
    lab_math.lab_to_rgb(lab).sum().backward()
    assert torch.isfinite(lab.grad).all()
    rgb = to_tensor(np.array([[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 1.0, 0.04045]]]))
    rgb.requires_grad_(True)
    lab_math.rgb_to_lab(rgb).sum().backward()
    assert torch.isfinite(rgb.grad).all()


def test_half_precision_modes_do_not_reach_the_math():
    rgb = to_tensor(color_cube(9))
    expected = lab_math.rgb_to_lab(rgb)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(lab_math.rgb_to_lab(rgb), expected, rtol=0, atol=0)


def test_fast_encoding_agrees_with_the_exact_one():
    linear = torch.cat((torch.linspace(0, 1, 100_001), torch.linspace(0, 0.01, 10_001)))
    error = (lab_math.unit_to_srgb(linear) - lab_math.linear_to_srgb(linear)).abs().max()
    assert error < 0.25 / 65535
