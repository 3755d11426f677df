"""Picture metrics against scikit-image, numpy and published numbers."""

import numpy as np
import pytest
import torch
from skimage import color, data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torchmetrics.image import PeakSignalNoiseRatio

from colorize_core.color.lab import rgb_to_lab
from colorize_core.metrics import image as m


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Two batches of three pictures: noise, a photo, a dark photo; and noisier copies."""
    rng = np.random.default_rng(0)
    photo = data.astronaut()[100:164, 180:260] / 255.0
    truth = np.stack([rng.random(photo.shape), photo, photo * 0.3])
    output = np.clip(truth + rng.normal(0, [[[[0.2]]], [[[0.05]]], [[[0.01]]]], truth.shape), 0, 1)
    return tuple(torch.from_numpy(x).permute(0, 3, 1, 2).float() for x in (output, truth))


def arrays(batch: torch.Tensor) -> list[np.ndarray]:
    return [x.permute(1, 2, 0).double().numpy() for x in batch]


def test_psnr_per_picture_and_pooled(pair):
    errors = m.mse(*pair)
    expected = [
        peak_signal_noise_ratio(t, o, data_range=1.0)
        for o, t in zip(*map(arrays, pair), strict=True)
    ]
    np.testing.assert_allclose(m.psnr(errors), expected, atol=1e-4)
    pooled = PeakSignalNoiseRatio(data_range=1.0)
    pooled.update(*pair)
    assert m.pooled_psnr(errors) == pytest.approx(float(pooled.compute()), abs=1e-4)
    assert m.pooled_psnr(errors) < float(m.psnr(errors).mean())


def test_psnr_of_equal_pictures_is_finite():
    same = torch.rand(1, 3, 8, 8)
    assert m.psnr(m.mse(same, same)) == pytest.approx(78.13, abs=0.01)


def test_ssim(pair):
    expected = [
        structural_similarity(
            t,
            o,
            data_range=1.0,
            channel_axis=2,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for o, t in zip(*map(arrays, pair), strict=True)
    ]
    np.testing.assert_allclose(m.ssim(*pair), expected, atol=1e-4)


def test_ciede2000_on_pictures_and_random_colors(pair):
    labs = [rgb_to_lab(x) for x in pair]
    expected = color.deltaE_ciede2000(*(x.permute(0, 2, 3, 1).double().numpy() for x in labs))
    np.testing.assert_allclose(m.ciede2000(*labs), expected, atol=1e-6)
    rng = np.random.default_rng(1)
    colors = rng.uniform([[0, -110, -110]], [[100, 110, 110]], (2, 20_000, 3))
    ours = m.ciede2000(*(torch.from_numpy(c).T[None, :, None] for c in colors))[0, 0]
    np.testing.assert_allclose(ours, color.deltaE_ciede2000(*colors), atol=1e-6)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [  # Sharma, Wu and Dalal (2005), table 1: pairs 1, 4, 7, 10, 13, 17, 20, 25
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.4900, -0.0010), (50, -2.4900, 0.0010), 7.1792),
        ((50, -0.0010, 2.4900), (50, 0.0009, -2.4900), 4.8045),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, 2.5, 0), (50, 3.1736, 0.5854), 1.0000),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ],
)
def test_ciede2000_of_published_pairs(first, second, expected):
    lab = [torch.tensor(c, dtype=torch.float64).view(1, 3, 1, 1) for c in (first, second)]
    assert float(m.ciede2000(*lab)) == pytest.approx(expected, abs=1e-4)
    assert float(m.ciede2000(*lab[::-1])) == pytest.approx(expected, abs=1e-4)


def test_colorfulness_in_both_definitions(pair):
    for picture, papers, signed in zip(
        arrays(pair[1]), m.colorfulness(pair[1]), m.colorfulness_signed(pair[1]), strict=True
    ):
        r, g, b = np.moveaxis(picture * 255, -1, 0)
        rg, yb = r - g, 0.5 * (r + g) - b
        hasler = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
        assert signed == pytest.approx(hasler, abs=1e-3)
        rg, yb = np.abs(rg), np.abs(yb)
        absolute = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
        assert papers == pytest.approx(absolute, abs=1e-3)
    gray = torch.rand(1, 1, 9, 9).expand(1, 3, 9, 9)
    assert m.colorfulness(gray).item() == pytest.approx(0.0, abs=1e-9)


def test_ab_histogram_and_its_divergence(pair):
    labs = [rgb_to_lab(x) for x in pair]
    labs[0][0, 1, 1, 1] = 130.0  # outside does not count
    ours = [m.ab_histogram(x) for x in labs]
    theirs = []
    for batch in labs:
        grids = []
        for L, a, b in batch.double().flatten(2).numpy():
            f = (L + 16) / 116 * (L > 0)
            shifted = a - 0.00246 * f, b + 0.00465 * f
            grid = np.histogram2d(*shifted, bins=22, range=[[-110, 110]] * 2)[0]
            grids.append(grid / grid.sum())
        theirs.append(np.stack(grids))
    np.testing.assert_allclose(ours[0], theirs[0], atol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], atol=1e-12)
    p, q = theirs[0].mean(0), theirs[1].mean(0)
    half = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = sum(np.where(x > 0, x * np.log(x / half), 0).sum() for x in (p, q)) / 2
    assert m.js_divergence(ours[0].mean(0), ours[1].mean(0)) == pytest.approx(expected, abs=1e-12)


def test_gray_pixels_share_cells_with_scikit_images_gray():
    gray = torch.linspace(0, 1, 256).expand(1, 3, 4, 256)
    ours = m.ab_histogram(rgb_to_lab(gray))[0]
    lab = color.rgb2lab(gray[0].permute(1, 2, 0).double().numpy())
    theirs = np.histogram2d(lab[..., 1].ravel(), lab[..., 2].ravel(), 22, [[-110, 110]] * 2)[0]
    np.testing.assert_allclose(ours, theirs / theirs.sum(), atol=1e-12)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea"])
def test_histogram_of_pictures_agrees_with_scikit_images_lab(name):
    picture = getattr(data, name)()
    lab = color.rgb2lab(picture)
    theirs = np.histogram2d(lab[..., 1].ravel(), lab[..., 2].ravel(), 22, [[-110, 110]] * 2)[0]
    rgb = torch.from_numpy(picture / 255.0).permute(2, 0, 1)[None].float()
    ours = m.ab_histogram(rgb_to_lab(rgb))[0].numpy()
    assert np.abs(ours - theirs / theirs.sum()).sum() < 1e-3


def test_divergence_runs_from_zero_to_log_two():
    p, q = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.0, 1.0]).double()
    assert m.js_divergence(p, p) == 0
    assert m.js_divergence(p, q) == pytest.approx(np.log(2))
