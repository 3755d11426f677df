"""Film color against independent arithmetic, scikit-image and the standards' own numbers."""

import itertools

import numpy as np
import pytest
import torch
from skimage import color

from colorize_core.color.lab import rgb_to_lab
from colorize_core.color.transfer import L_to_encoded, encoded_to_L
from colorize_core.color.upsample import upsample_ab
from colorize_core.color.ycbcr import (
    YCbCrSpec,
    chroma_from_ab,
    chroma_planes,
    codes_to_luma,
    luma_to_codes,
    luma_to_L,
)
from tests.color.pictures import BUNDLED, bundled, lab_grid

# R'G'B' to Y', Cb, Cr as printed in the standards (BT.601-7, BT.709-6, BT.2020-2).
PRINTED = {
    "bt601": ((0.299, 0.587, 0.114), 1.772, 1.402),
    "bt709": ((0.2126, 0.7152, 0.0722), 1.8556, 1.5748),
    "bt2020nc": ((0.2627, 0.6780, 0.0593), 1.8814, 1.4746),
}
ALL_SPECS = [
    YCbCrSpec(matrix, full, depth, transfer)
    for matrix, full, depth, transfer in itertools.product(
        PRINTED, (False, True), (8, 10, 12), ("bt1886", "gamma22", "pq", "hlg")
    )
]


def to_rgb(Y: np.ndarray, Cb: np.ndarray, Cr: np.ndarray, spec: YCbCrSpec) -> np.ndarray:
    """Decode codes as a player does, [..., 3], not clipped."""
    (r, g, b), from_cb, from_cr = PRINTED[spec.matrix]
    top, scale = 2**spec.bit_depth - 1, 2 ** (spec.bit_depth - 8)
    black, white = (0, top) if spec.full_range else (16 * scale, 235 * scale)
    span = top if spec.full_range else 224 * scale
    luma = (Y.astype(float) - black) / (white - black)
    cb = (Cb.astype(float) - 128 * scale) / span
    cr = (Cr.astype(float) - 128 * scale) / span
    red, blue = luma + from_cr * cr, luma + from_cb * cb
    return np.stack((red, (luma - r * red - b * blue) / g, blue), -1)


def codes_of(spec: YCbCrSpec) -> torch.Tensor:
    black, white = spec.luma_span
    return torch.arange(black, white + 1)


@pytest.mark.parametrize("spec", ALL_SPECS, ids=str)
def test_gray_stays_neutral_and_luma_returns_from_L(spec):
    Y = codes_of(spec)[None, None, None]
    L = luma_to_L(Y, spec)
    assert L.min() >= 0
    assert L.max() <= 100
    assert (L.diff() > 0).all()
    Cb, Cr = chroma_from_ab(L, torch.zeros(1, 2, 1, Y.shape[-1]), spec)
    assert (Cb == spec.middle).all()
    assert (Cr == spec.middle).all()
    back = luma_to_codes(L_to_encoded(L, spec.transfer), spec)
    assert (back - Y).abs().max() < 0.3


@pytest.mark.parametrize("spec", ALL_SPECS, ids=str)
def test_decoded_picture_is_in_gamut_beside_the_sources_luma(spec):
    Y = codes_of(spec)[:: max(1, 2 ** (spec.bit_depth - 8))]
    ab = torch.randn(1, 2, 64, len(Y), generator=torch.Generator().manual_seed(0)) * 40
    Y = Y.expand(1, 1, 64, -1)
    Cb, Cr = chroma_from_ab(luma_to_L(Y, spec), ab, spec)
    assert Cb.dtype == (torch.uint8 if spec.bit_depth == 8 else torch.uint16)
    rgb = to_rgb(Y[0, 0].numpy(), Cb[0].int().numpy(), Cr[0].int().numpy(), spec)
    half_code = 0.5 / spec.chroma_span * 1.9  # rounding of Cb or Cr, at the largest coefficient
    assert rgb.min() >= -1.01 * half_code
    assert rgb.max() <= 1 + 1.01 * half_code
    assert (Cb != spec.middle).float().mean() > 0.5


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
def test_colors_agree_with_scikit_image(matrix):
    """Cb and Cr are those of scikit-image's rgb, wherever that needs no fitting."""
    spec = YCbCrSpec(matrix, full_range=True, bit_depth=12)
    lab = rgb_to_lab(
        torch.rand(1, 3, 40, 50, generator=torch.Generator().manual_seed(1)) * 0.4 + 0.3
    )
    Cb, Cr = chroma_from_ab(lab[:, :1], lab[:, 1:], spec)
    rgb = color.lab2rgb(lab[0].permute(1, 2, 0).double().numpy())
    weights, from_cb, from_cr = PRINTED[matrix]
    luma = rgb @ np.array(weights)
    np.testing.assert_allclose(Cb[0].int(), (rgb[..., 2] - luma) / from_cb * 4095 + 2048, atol=0.6)
    np.testing.assert_allclose(Cr[0].int(), (rgb[..., 0] - luma) / from_cr * 4095 + 2048, atol=0.6)


def test_fitting_scales_chroma_without_turning_it():
    spec = YCbCrSpec("bt709", full_range=True, bit_depth=12)
    lab = lab_grid(60.0)
    Cb, Cr = (c[0].double() - spec.middle for c in chroma_from_ab(lab[:, :1], lab[:, 1:], spec))
    free = chroma_from_ab(lab[:, :1], lab[:, 1:] * 0.02, spec)
    inner = [c[0].double() - spec.middle for c in free]
    long = (torch.hypot(*inner) > 15) & (torch.hypot(Cb, Cr) > 60)
    angle = torch.atan2(Cr, Cb)[long] - torch.atan2(inner[1], inner[0])[long]
    turned = torch.atan2(angle.sin(), angle.cos()).abs()
    assert long.sum() > 1000
    # Lab hues bend in Y'CbCr, so exact equality is not to be had.
    assert turned.median() < 0.1


def test_luma_wins_and_lightness_follows_closely():
    """On real pictures the kept Y' moves L* by about 1 on average, and color by a little more."""
    spec = YCbCrSpec("bt709", full_range=False, bit_depth=8)
    for name in BUNDLED[:3]:
        rgb = bundled(name)
        lab = rgb_to_lab(rgb)
        luma = (rgb * torch.tensor(PRINTED["bt709"][0]).view(1, 3, 1, 1)).sum(1, keepdim=True)
        Y = luma_to_codes(luma, spec).round()
        Cb, Cr = chroma_from_ab(luma_to_L(Y, spec), lab[:, 1:], spec)
        out = to_rgb(Y[0, 0].numpy(), Cb[0].int().numpy(), Cr[0].int().numpy(), spec).clip(0, 1)
        moved = np.abs(color.rgb2lab(out) - lab[0].permute(1, 2, 0).numpy()).mean((0, 1))
        assert moved[0] < 2.5
        assert moved[1:].max() < 4.0


@pytest.mark.parametrize("factor", [2, 4])
def test_converting_before_enlarging_gives_the_same_color(factor):
    """`chroma_planes` enlarges Cb and Cr, the slow way enlarges ab: both as close to the truth."""
    spec = YCbCrSpec("bt709", full_range=True, bit_depth=8)
    for name in BUNDLED[:3]:
        lab = rgb_to_lab(bundled(name, factor))
        small = torch.nn.functional.interpolate(
            lab, scale_factor=1 / factor, mode="bilinear", antialias=True
        )
        luma = L_to_encoded(lab[:, :1], spec.transfer)
        fast = chroma_planes(luma, small[:, :1], small[:, 1:], spec)
        ab = upsample_ab(small[:, 1:], small[:, :1], lab[:, :1])
        slow = chroma_from_ab(lab[:, :1], ab, spec)
        true = chroma_from_ab(lab[:, :1], lab[:, 1:], spec)
        error = [
            torch.stack(
                [(p.float() - t.float()).square().mean() for p, t in zip(x, true, strict=True)]
            ).mean()
            for x in (fast, slow)
        ]
        assert error[0] < 1.1 * error[1]


def test_standards_own_numbers():
    """BT.2408: 203 cd/m2, diffuse white, is 58 % PQ and 75 % HLG; black is black."""
    white = torch.tensor([0.5807, 0.7500, 0.0, 0.0])
    L = [encoded_to_L(white[:1], "pq"), encoded_to_L(white[1:2], "hlg")]
    assert abs(L[0] - 90.0) < 0.2  # the shoulder brings 100 to 90
    assert abs(L[1] - 90.0) < 0.2
    assert encoded_to_L(white[2:3], "pq") == 0
    assert encoded_to_L(white[3:], "hlg") == 0
    # 100 cd/m2 is 50.8 % PQ (ST 2084): L = 116 (100/203)^(1/3) - 16, below the shoulder.
    assert abs(encoded_to_L(torch.tensor(0.5081), "pq") - 75.61) < 0.1


def test_camera_curves_read_as_srgb_gray():
    gray = torch.linspace(0, 1, 256)
    expected = color.rgb2lab(gray.view(1, -1, 1).expand(1, -1, 3).numpy())[0, :, 0]
    np.testing.assert_allclose(encoded_to_L(gray, "bt1886"), expected, atol=0.01)


@pytest.mark.parametrize("transfer", ["pq", "hlg"])
def test_high_dynamic_range_keeps_chromaticity_through_the_shoulder(transfer):
    """Decoded light has the chromaticity of (L, ab), for dark, white and highlight alike."""
    spec = YCbCrSpec("bt709", full_range=True, bit_depth=16, transfer=transfer)
    L = torch.tensor([40.0, 70.0, 88.0, 94.0]).view(1, 1, 1, 4)
    ab = torch.tensor([6.0, 9.0]).view(1, 2, 1, 1).expand(1, 2, 1, 4)
    Cb, Cr = chroma_from_ab(L, ab, spec)
    Y = luma_to_codes(L_to_encoded(L, transfer), spec).round()
    encoded = torch.from_numpy(
        to_rgb(Y[0, 0].numpy(), Cb[0].int().numpy(), Cr[0].int().numpy(), spec)
    )[0]
    # Each channel alone, read as gray, gives its light; HLG's system gamma is left out as small.
    light = ((L_of(encoded, transfer) + 16) / 116) ** 3
    lab = torch.cat((L, ab), 1)
    expected = color.lab2rgb(lab[0].permute(1, 2, 0).double().numpy())[0]
    linear = np.where(expected > 0.04045, ((expected + 0.055) / 1.055) ** 2.4, expected / 12.92)
    ratio = (light / light.sum(-1, keepdim=True)).numpy()
    np.testing.assert_allclose(
        ratio, linear / linear.sum(-1, keepdims=True), atol=0.012 if transfer == "pq" else 0.03
    )


def L_of(encoded: torch.Tensor, transfer: str) -> torch.Tensor:
    """L without the shoulder."""
    L = encoded_to_L(encoded, transfer)
    above = (L - 80).clamp(min=0)
    return torch.where(L <= 80, L, 80 + 20 * above / (20 - above))


def test_codes_outside_the_nominal_range_are_black_and_white():
    spec = YCbCrSpec("bt709", full_range=False, bit_depth=8)
    L = luma_to_L(torch.tensor([0, 15, 16, 235, 236, 255], dtype=torch.uint8), spec)
    torch.testing.assert_close(L, torch.tensor([0.0, 0, 0, 100, 100, 100]), atol=1e-4, rtol=0)
    luma = codes_to_luma(torch.tensor([0, 16, 235, 255], dtype=torch.uint8), spec)
    torch.testing.assert_close(luma, torch.tensor([0.0, 0, 1, 1]))


@pytest.mark.parametrize(
    "bad", [("bt470", True, 8, "srgb"), ("bt709", True, 8, "log"), ("bt709", True, 7, "srgb")]
)
def test_unknown_codings_are_refused(bad):
    with pytest.raises(ValueError, match=r"bt470|log|7"):
        YCbCrSpec(*bad)


def test_primaries_are_converted_by_the_matrix_their_chromaticities_give():
    """BT.709's and BT.2020's xy of R, G, B and D65 (in the recommendations) give the table used."""
    from colorize_core.color import ycbcr

    def to_xyz(red: list[float], green: list[float], blue: list[float]) -> np.ndarray:
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in (red, green, blue)]).T
        white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
        return columns * np.linalg.solve(columns, white)

    bt709 = to_xyz([0.64, 0.33], [0.30, 0.60], [0.15, 0.06])
    bt2020 = to_xyz([0.708, 0.292], [0.170, 0.797], [0.131, 0.046])
    np.testing.assert_allclose(ycbcr._709_TO_2020, np.linalg.inv(bt2020) @ bt709, atol=1e-6)
    for matrix, xyz in (("bt709", bt709), ("bt2020nc", bt2020)):
        np.testing.assert_allclose(PRINTED[matrix][0], xyz[1], atol=1e-4)
