import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from skimage import color, data, transform

from colorize_core.errors import UsageError
from colorize_core.inference.signals import (
    FilmSignals,
    archive_median,
    combine,
    photo_signals,
    suspicions,
)


@pytest.fixture(scope="module")
def picture():
    lab = color.rgb2lab(transform.resize(data.astronaut(), (256, 256), anti_aliasing=True))
    lab = torch.from_numpy(lab).float().permute(2, 0, 1)[None]
    # As soft and pale as what a generator gives.
    ab = functional.avg_pool2d(lab[:, 1:] * 0.6, 31, 1, 15, count_include_pad=False)
    return lab[:, :1].contiguous(), ab


def disk(radius=30.0, center=(60, 60)):
    y, x = np.mgrid[:256, :256]
    distance = np.hypot(y - center[0], x - center[1])
    return torch.from_numpy(1 / (1 + np.exp((distance - radius) / 3))).float()


def names(reasons):
    return [reason.split(":")[0] for reason in reasons]


def test_a_good_picture_raises_no_suspicion(picture):
    signals = photo_signals(*picture)
    assert suspicions(signals, {"colorfulness": 12.0}) == []
    assert signals["colorfulness"] == pytest.approx(
        float(picture[1].square().sum(1).sqrt().mean()), abs=1e-3
    )


def test_dropped_chroma_is_suspicious_only_where_the_archive_has_color(picture):
    gray = photo_signals(picture[0], picture[1] * 0.05)
    assert names(suspicions(gray, {"colorfulness": 12.0})) == ["uncolored"]
    assert suspicions(gray, {"colorfulness": 1.0}) == []
    assert suspicions(gray, {}) == []


def test_a_patch_without_a_luma_edge_is_a_blotch():
    flat = torch.full((1, 1, 256, 256), 50.0)
    ab = torch.zeros(1, 2, 256, 256)
    ab[:, 0] = 50 * disk()
    assert names(suspicions(photo_signals(flat, ab), {})) == ["blotches"]
    supported = flat + 30 * disk()  # the same patch on an object of its own lightness
    assert suspicions(photo_signals(supported, ab), {}) == []


def test_the_worse_a_patch_the_higher_it_counts(picture):
    L, ab = picture
    good = photo_signals(L, ab)["blotches"]
    found = []
    for chroma in (20, 35, 55):
        worse = ab + chroma * disk(35, (150, 70)) * torch.tensor([0.9, -0.4]).view(1, 2, 1, 1)
        found.append(photo_signals(L, worse)["blotches"])
    assert [good, *found] == sorted([good, *found])
    assert good < 6 < 13 < found[-1], "a patch over cloth and flag, where luma has edges of its own"


def test_one_hue_over_everything_is_a_cast_and_one_object_is_not(picture):
    shifted = picture[1] * 0.6 + torch.tensor([25.0, -20.0]).view(1, 2, 1, 1)
    assert names(suspicions(photo_signals(picture[0], shifted), {})) == ["cast"]
    object_only = torch.zeros(1, 2, 256, 256)
    object_only[:, 0, :, :200] = 40
    assert photo_signals(picture[0], object_only)["cast"] == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 256), (5, 3), (33, 65)])
def test_any_size_gives_finite_numbers(size):
    signals = photo_signals(torch.rand(1, 1, *size) * 100, torch.randn(1, 2, *size) * 20)
    assert all(np.isfinite(value) and value >= 0 for value in signals.values())


def test_shapes_that_do_not_belong_together_are_refused():
    with pytest.raises(UsageError, match="expected one picture"):
        photo_signals(torch.zeros(1, 1, 4, 4), torch.zeros(1, 2, 4, 5))
    with pytest.raises(UsageError, match="expected one picture"):
        photo_signals(torch.zeros(2, 1, 4, 4), torch.zeros(2, 2, 4, 4))


def film(picture, shifts, cuts=(), pan=0, flashes=()):
    signals = FilmSignals()
    for number, shift in enumerate(shifts):
        frame_L, frame_ab = (torch.roll(part, number * pan, 3) for part in picture)
        if number in flashes:
            frame_L = (frame_L + 40).clamp(max=100)
        signals.add(frame_L, frame_ab + shift, cut=number in cuts)
    return signals.result()


def test_alternating_color_is_flicker_and_a_fade_or_pan_is_not(picture):
    flickering = film(picture, [0, 4] * 10)
    assert names(suspicions(flickering, {})) == ["flicker"]
    assert flickering["flicker"] == pytest.approx(4 * 2**0.5, rel=0.01)
    fading = film(picture, [0.3 * i for i in range(20)])
    assert fading["flicker"] < 0.01
    assert names(suspicions(film(picture, [0] * 20, pan=2), {})) == []


def test_a_new_shot_is_not_flicker(picture):
    steps = [0] * 6 + [20] * 6
    assert film(picture, steps, cuts=(6,))["flicker"] < 0.01
    assert film(picture, steps)["flicker"] > 1


def test_a_flash_of_the_source_is_not_flicker(picture):
    steps = [0, 0, 0, 8, 0, 0, 0]
    assert film(picture, steps, flashes=(3,))["flicker"] < film(picture, steps)["flicker"] / 2


def test_short_and_empty_segments():
    signals = FilmSignals()
    assert signals.result() == {}
    signals.add(torch.zeros(1, 1, 8, 8), torch.zeros(1, 2, 8, 8), cut=True)
    assert signals.result()["flicker"] == 0
    assert combine([]) == {}
    assert combine([{}]) == {}


def test_a_film_takes_the_mean_of_color_and_the_worst_flicker():
    base = {"blotches": 1.0, "cast": 0.0}
    film_signals = combine(
        [
            {**base, "colorfulness": 10.0, "flicker": 0.1, "frames": 300.0},
            {},
            {**base, "colorfulness": 4.0, "flicker": 3.0, "frames": 100.0},
        ]
    )
    assert film_signals["colorfulness"] == pytest.approx(8.5)
    assert film_signals["flicker"] == 3.0
    assert film_signals["frames"] == 400


def test_median_is_per_signal():
    median = archive_median([{"colorfulness": 1.0}, {"colorfulness": 9.0, "flicker": 2.0}, {}])
    assert median == {"colorfulness": 5.0, "flicker": 2.0}
    assert archive_median([]) == {}
