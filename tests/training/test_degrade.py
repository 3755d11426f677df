from __future__ import annotations

import numpy as np
import pytest
import torch
from msgspec.structs import fields, replace
from skimage import color, data

from colorize_core.config import DegradeConfig
from colorize_core.training.degrade import RandomStream, degrade, make_sample, whole_sample
from colorize_core.training.hints import simulate_hints

CPU = torch.device("cpu")
NONE = DegradeConfig(flip=0.0)
NO_FAULTS = ("flip", "min_crop", "squeeze", "paste", "border", "emulsion")
FAULTS = [f.name for f in fields(DegradeConfig) if f.name not in NO_FAULTS]


@pytest.fixture(scope="module")
def photos() -> torch.Tensor:
    astronaut = data.astronaut()
    return torch.from_numpy(np.stack([astronaut[:64, 200:264], astronaut[64:128, 200:264]]))


def test_without_faults_a_sample_is_lab(photos):
    sample = make_sample([photos], 64, NONE, RandomStream(0, CPU))
    expected = color.rgb2lab(photos.numpy())
    np.testing.assert_allclose((sample.L[:, 0] + 1) * 50, expected[..., 0], atol=0.05)
    np.testing.assert_allclose(sample.ab.permute(0, 2, 3, 1) * 110, expected[..., 1:], atol=0.1)
    whole = whole_sample(photos, 64)
    torch.testing.assert_close(whole.L, sample.L, atol=1e-3, rtol=0)


def test_the_same_seed_gives_the_same_sample(photos):
    config = DegradeConfig(min_crop=0.6, grain=0.5, border=0.5, scratches=0.5, jpeg=0.5)
    one, same, other = (make_sample([photos], 32, config, RandomStream(s, CPU)) for s in (1, 1, 2))
    torch.testing.assert_close(one.L, same.L, rtol=0, atol=0)
    assert not torch.equal(one.L, other.L)


def test_parts_of_several_sizes_make_one_batch(photos):
    config = DegradeConfig(min_crop=0.6, squeeze=0.5)
    sample = make_sample([photos[:, ::2, ::2], photos], 32, config, RandomStream(0, CPU))
    assert sample.L.shape == (4, 1, 32, 32)
    assert sample.ab.shape == (4, 2, 32, 32)


def test_flip_mirrors_L_and_ab_together(photos):
    plain = make_sample([photos], 64, NONE, RandomStream(0, CPU))
    flipped = make_sample([photos], 64, replace(NONE, flip=1.0), RandomStream(0, CPU))
    torch.testing.assert_close(flipped.L, plain.L.flip(-1))
    torch.testing.assert_close(flipped.ab, plain.ab.flip(-1))


def test_a_pasted_rectangle_brings_its_own_colors(photos):
    plain = make_sample([photos], 64, NONE, RandomStream(0, CPU))
    pasted = make_sample([photos], 64, replace(NONE, paste=1.0), RandomStream(0, CPU))
    for i in range(2):
        theirs = (pasted.ab[i] == plain.ab[1 - i]).all(0)
        assert 0.05 < theirs.float().mean() < 0.6
        rows, columns = torch.where(theirs)
        inside = (slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1))
        assert theirs[inside].float().mean() > 0.99
        torch.testing.assert_close(pasted.L[i, 0][theirs], plain.L[1 - i, 0][theirs])
        torch.testing.assert_close(pasted.ab[i][:, ~theirs], plain.ab[i][:, ~theirs])


def test_an_emulsion_weighs_the_colors_otherwise_and_leaves_gray_as_it_is(photos):
    plain = make_sample([photos], 64, NONE, RandomStream(0, CPU))
    seen = make_sample([photos], 64, replace(NONE, emulsion=1.0), RandomStream(0, CPU))
    torch.testing.assert_close(seen.ab, plain.ab)
    assert (seen.L - plain.L).abs().max() > 0.1
    gray = photos[..., :1].expand(-1, -1, -1, 3)
    plain, seen = (
        make_sample([gray], 64, replace(NONE, emulsion=x), RandomStream(0, CPU)) for x in (0.0, 1.0)
    )
    torch.testing.assert_close(seen.L, plain.L, atol=1e-3, rtol=0)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_changes_gray_and_never_ab(fault):
    gray = torch.rand(4, 1, 64, 64) * 0.8 + 0.1
    ab = torch.rand(4, 2, 64, 64)
    changed, same = degrade(gray, ab, replace(NONE, **{fault: 1.0}), RandomStream(3, CPU))
    assert (changed - gray).abs().mean() > 1e-3
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.equal(same, ab)
    untouched, _ = degrade(gray, ab, NONE, RandomStream(3, CPU))
    torch.testing.assert_close(untouched, gray)


def test_borders_are_paper_in_gray_and_in_color():
    gray, ab = torch.full((32, 1, 64, 64), 0.4), torch.full((32, 2, 64, 64), -30.0)
    bordered, paper = degrade(gray, ab, replace(NONE, border=1.0), RandomStream(0, CPU))
    outside = (paper != ab).any(1, keepdim=True)
    assert 0.05 < outside.float().mean() < 0.6
    assert torch.equal(bordered[~outside], gray[~outside])
    assert (bordered - gray)[outside].abs().mean() > 0.1
    assert paper.amax() <= 4
    assert paper.permute(0, 2, 3, 1)[outside[:, 0]].min() >= 0


def test_hints_are_true_colors_under_their_mask():
    ab = (torch.rand(1, 2, 1, 1) - 0.5).expand(6, 2, 64, 64)
    for seed in range(5):
        hints = simulate_hints(ab, RandomStream(seed, CPU))
        mask = hints[:, 2:]
        assert set(mask.unique().tolist()) <= {0.0, 1.0}
        assert (mask.sum((1, 2, 3)) >= 1).all()
        assert mask.mean() < 0.6
        torch.testing.assert_close(hints[:, :2], ab * mask, atol=1e-4, rtol=0)


def test_the_number_of_hints_varies():
    ab = torch.rand(64, 2, 64, 64)
    counts = [simulate_hints(ab, RandomStream(s, CPU))[:, 2].sum((1, 2)) for s in range(4)]
    few, many = torch.cat(counts).quantile(0.1), torch.cat(counts).quantile(0.9)
    assert many > 5 * few
