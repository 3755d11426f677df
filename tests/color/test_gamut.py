"""Gamut mapping: what it keeps, measured by scikit-image."""

import numpy as np
import pytest
import torch
from skimage import color

from colorize_core.color.gamut import fit_chroma, lab_to_fitted_rgb
from colorize_core.color.lab import lab_to_rgb, rgb_to_lab
from tests.color.pictures import bundled, color_cube, lab_grid, to_array, to_tensor


def test_every_color_ends_inside_srgb():
    lab = lab_grid()
    assert lab_to_rgb(lab).amin() < -0.5
    rgb = lab_to_rgb(fit_chroma(lab))
    assert rgb.amin() > -1e-4
    assert rgb.amax() < 1 + 1e-4


def test_lightness_and_hue_stay_and_chroma_never_grows():
    lab = lab_grid()
    fitted = fit_chroma(lab)
    torch.testing.assert_close(fitted[:, 0], lab[:, 0], rtol=0, atol=0)
    cross = fitted[:, 1] * lab[:, 2] - fitted[:, 2] * lab[:, 1]
    assert cross.abs().max() < 1e-2
    dot = (fitted[:, 1:] * lab[:, 1:]).sum(1)
    assert dot.min() >= 0
    assert (fitted[:, 1:].norm(dim=1) - lab[:, 1:].norm(dim=1)).max() < 1e-4


def test_colors_inside_come_back_bit_for_bit():
    lab = rgb_to_lab(to_tensor(color_cube(33)))
    torch.testing.assert_close(fit_chroma(lab), lab, rtol=0, atol=0)


def test_no_more_chroma_is_given_up_than_needed():
    lab = lab_grid()
    fitted = fit_chroma(lab)
    changed = (fitted != lab).any(1, keepdim=True).expand_as(lab)
    more = torch.cat((fitted[:, :1], fitted[:, 1:] + 0.004 * lab[:, 1:]), 1)
    rgb = lab_to_rgb(more)
    is_outside = (rgb.amin(1) < 0) | (rgb.amax(1) > 1)
    # Concave sections of the gamut let a few rays leave and enter again: bisection may find any.
    assert is_outside[changed[:, 0]].float().mean() > 0.99


@pytest.mark.parametrize("levels", [255, 65535])
def test_lightness_moves_by_less_than_half_after_rounding(levels):
    lab = lab_grid()
    rgb = (lab_to_fitted_rgb(lab) * levels).round() / levels
    L_out = color.rgb2lab(to_array(rgb))[..., 0]
    moved = np.abs(L_out - lab[0, 0].double().numpy())
    assert moved.max() < (0.3 if levels == 255 else 0.01)


def test_saturated_pictures_with_chroma_doubled():
    lab = rgb_to_lab(bundled("astronaut"))
    lab[:, 1:] *= 2
    rgb = lab_to_fitted_rgb(lab)
    assert 0 <= rgb.min() <= rgb.max() <= 1
    assert (rgb_to_lab(rgb)[:, 0] - lab[:, 0]).abs().max() < 0.01


def test_fitted_rgb_is_the_rgb_of_fitted_lab():
    lab = lab_grid()
    expected = lab_to_rgb(fit_chroma(lab)).clamp(0, 1)
    torch.testing.assert_close(lab_to_fitted_rgb(lab), expected, rtol=0, atol=5e-6)


def test_batches_keep_their_order():
    lab = torch.stack([lab_grid()[0, :, 20, :25].reshape(3, 5, 5) * k for k in (0.3, 1.0)])
    one_by_one = torch.cat([fit_chroma(lab[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(fit_chroma(lab), one_by_one, rtol=0, atol=0)


def test_lightness_beyond_the_scale_is_clamped():
    lab = torch.tensor([-1.0, 0, 0, 101, 5, 5]).view(2, 3, 1, 1)
    torch.testing.assert_close(fit_chroma(lab)[:, 0].flatten(), torch.tensor([0.0, 100.0]))
