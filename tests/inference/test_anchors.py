from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
import torch
from skimage import data

from colorize_core.color.lab import rgb_to_lab
from colorize_core.inference.anchors import Anchors
from colorize_core.inference.colorizer import Colorizer
from colorize_core.media.film.anchor_frames import AnchorShot, spread_frames

FRAMES, HIGH, WIDE = 12, 128, 192


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load(device="cpu")


@lru_cache
def pan(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """L [n,1,H,W] and the true ab [n,2,H,W] of a view that moves over a photo."""
    photo = torch.from_numpy(getattr(data, name)().astype(np.float32) / 255).permute(2, 0, 1)[None]
    lab = torch.nn.functional.interpolate(rgb_to_lab(photo), (176, 240), mode="area")
    views = [lab[:, :, 10 + t : 10 + t + HIGH, t : t + WIDE] for t in range(FRAMES)]
    frames = torch.cat(views).contiguous()
    return frames[:, :1], frames[:, 1:]


def wandering(ab: torch.Tensor) -> torch.Tensor:
    """What a generator might say that goes from one cast to another within a shot."""
    turn = torch.linspace(0, 3, len(ab))
    cast = 6 * torch.stack([turn.sin(), turn.cos()], 1)
    return ab + cast[:, :, None, None]


def hold(colorizer, L, said, cuts=(), only=None, *, given=None, known=None):
    """Every frame, or one alone, as a segment would hold it."""
    borders = [0, *cuts, len(L)]
    shots = [AnchorShot(a, b, spread_frames(a, b, FRAMES / 5)) for a, b in pairwise(borders)]
    by_light = {frame.numpy().tobytes(): ab for frame, ab in zip(L, said, strict=True)}

    def predict(shown):
        """The encoder's own features, with the color that the test says."""
        found = colorizer.predict_and_recognize(shown)
        return replace(found, ab=torch.stack([by_light[x.numpy().tobytes()] for x in shown]))

    anchors = Anchors(shots, lambda frames: {n: L[n : n + 1] for n in frames}, predict, reach=1000)
    held = []
    for n in range(len(L)) if only is None else only:
        found = predict(L[n : n + 1])
        found = found if given is None else replace(found, ab=given)
        held.append(anchors.hold(n, L[n : n + 1], found, known))
    return torch.cat(held)


def surfaces(ab, numbers=range(FRAMES)):
    """Ab of places of the photo that stay in view, followed along the pan: [n, 2, places]."""
    places = [(y, x) for y in range(24, 120, 8) for x in range(24, 184, 12)]
    followed = [
        torch.stack([frame[:, y - t - 2 : y - t + 3, x - t - 2 : x - t + 3].mean((1, 2))
                     for y, x in places], 1)
        for t, frame in zip(numbers, ab, strict=True)
    ]  # fmt: skip
    return torch.stack(followed)


def drift(ab):
    return float((surfaces(ab) - surfaces(ab)[:1]).square().sum(1).mean().sqrt())


def test_surfaces_hold_their_color(colorizer):
    L, ab = pan("coffee")
    said = wandering(ab)
    held = hold(colorizer, L, said)
    assert drift(ab) < 0.5
    assert drift(said) > 6
    assert drift(held) < 0.3 * drift(said)
    # The detail of each frame's own color stays.
    assert (held - held.mean((2, 3), keepdim=True)).std() > 0.9 * ab.std()
    assert held.norm(dim=1).mean() > 0.97 * said.norm(dim=1).mean()


def test_a_frame_does_not_depend_on_those_before_it_nor_on_other_shots(colorizer):
    (L, ab), (L2, ab2) = pan("coffee"), pan("astronaut")
    lights, said = torch.cat([L, L2]), wandering(torch.cat([ab, ab2]))
    some = [3, FRAMES - 1, FRAMES, FRAMES + 9]
    whole = hold(colorizer, lights, said, cuts=[FRAMES], only=some)
    alone = [hold(colorizer, lights, said, cuts=[FRAMES], only=[n]) for n in some[1:3]]
    assert torch.equal(torch.cat(alone), whole[1:3])
    # Another second shot leaves the first as it is.
    other = torch.cat([said[:FRAMES], -said[FRAMES:]])
    assert torch.equal(hold(colorizer, lights, other, cuts=[FRAMES], only=some[:2]), whole[:2])
    # Without the cut it would not: the test can tell.
    assert not torch.equal(hold(colorizer, lights, other, only=some[:1]), whole[:1])


@pytest.mark.parametrize("color", [(0.0, 0.0), (14.0, 10.0)])
def test_light_that_changes_is_followed(colorizer, color):
    """A dusk by scaling, or a colored light that fades in; both change L."""
    L, ab = pan("coffee")
    share = torch.linspace(0, 1, FRAMES)[:, None, None, None]
    light = torch.tensor(color)[None, :, None, None]
    if any(color):
        lights, truth = 0.5 * L + 40 * share, ab + share * light
    else:
        lights, truth = L * (1 - 0.7 * share), ab * (1 - 0.7 * share)
    ends = [0, FRAMES - 1]
    held = surfaces(hold(colorizer, lights, truth, only=ends), ends)
    real = surfaces(truth)
    change, followed = real[-1] - real[0], held[1] - held[0]
    assert float((followed * change).sum() / change.square().sum()) > 0.75
    assert float((held - real[ends]).norm(dim=1).mean()) < 4


def test_what_is_known_stays(colorizer):
    L, ab = pan("coffee")
    said = wandering(ab)
    plain = hold(colorizer, L, said, only=[5])
    known = torch.zeros(1, 3, HIGH, WIDE)
    known[:, 0] = 30
    for sure in (1.0, 0.5):
        known[:, 2, :, : WIDE // 2] = sure
        given = torch.lerp(said[5:6], known[:, :2], known[:, 2:])
        held = hold(colorizer, L, said, only=[5], given=given, known=known)
        wanted = torch.lerp(plain, known[:, :2], known[:, 2:])
        assert float((held - wanted).abs()[..., : WIDE // 2 - 16].max()) < 0.01
    assert torch.equal(held[..., WIDE // 2 + 16 :], plain[..., WIDE // 2 + 16 :])
