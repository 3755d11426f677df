"""What a hint does beyond the generator: kriging of what is left at the hints."""

from __future__ import annotations

import torch

from colorize_core.inference.hints import follow_hints, what_is_meant
from colorize_core.model.scale import ab_to_net

S = 64
RED = torch.tensor([50.0, 30.0])


def one_hint(y: int, x: int, color: torch.Tensor = RED) -> torch.Tensor:
    hints = torch.zeros(1, 3, S, S)
    hints[0, :2, y - 3 : y + 4, x - 3 : x + 4] = ab_to_net(color)[:, None, None]
    hints[0, 2, y - 3 : y + 4, x - 3 : x + 4] = 1.0
    return hints


def test_pictures_without_hints_stay_as_they_are():
    ab, L = torch.randn(2, 2, S, S), torch.rand(2, 1, S, S) * 100
    hints = torch.cat([torch.zeros(1, 3, S, S), one_hint(20, 20)])
    out = follow_hints(ab, L, hints)
    assert torch.equal(out[0], ab[0])
    assert not torch.equal(out[1], ab[1])


def test_a_hint_is_met_and_fades_with_distance():
    L = torch.full((1, 1, S, S), 50.0)
    out = follow_hints(torch.zeros(1, 2, S, S), L, one_hint(16, 16))[0]
    torch.testing.assert_close(out[:, 16, 16], RED, rtol=0.1, atol=0)
    strength = out.norm(dim=0)
    assert strength[16, 16] > strength[16, 30] > strength[16, 44] > strength[60, 60]
    assert strength[60, 60] < 0.05 * strength[16, 16]


def test_a_hint_stays_on_what_is_as_light():
    L = torch.full((1, 1, S, S), 30.0)
    L[..., 32:] = 80.0
    out = follow_hints(torch.zeros(1, 2, S, S), L, one_hint(32, 24))[0]
    inside, across = out[:, 32, 16].norm(), out[:, 32, 40].norm()  # both 8 columns off the edge
    assert inside > 40
    assert across < 1


def test_where_the_generator_is_right_nothing_changes():
    ab = RED.view(1, 2, 1, 1).expand(1, 2, S, S).clone()
    out = follow_hints(ab, torch.full((1, 1, S, S), 50.0), one_hint(16, 16))
    torch.testing.assert_close(out, ab, rtol=0, atol=1e-3)


def test_one_hint_tells_nothing_of_other_places():
    ab, L = torch.full((1, 2, S, S), 20.0), torch.full((1, 1, S, S), 50.0)
    L[..., 40:, :] = 95.0
    out = follow_hints(ab, L, one_hint(8, 8, torch.tensor([-20.0, -40.0])))
    assert out[0, 1, 8, 8] < -20
    assert (out[..., 56:, 56:] - 20).abs().max() < 2


def test_a_picture_covered_with_hints_gets_their_colors():
    L = torch.rand(1, 1, 256, 256) * 100
    color = RED.view(1, 2, 1, 1).expand(1, 2, 256, 256)
    hints = torch.cat([ab_to_net(color), torch.ones(1, 1, 256, 256)], 1)
    out = follow_hints(torch.zeros(1, 2, 256, 256), L, hints)
    assert torch.isfinite(out).all()
    assert (out - color).abs().mean() < 5


def test_hints_that_find_the_generator_wrong_fade_it_elsewhere():
    ab, L = torch.full((1, 2, 64, 64), 20.0), torch.full((1, 1, 64, 64), 50.0)
    L[..., 40:, :] = 95.0  # nothing like the place of the hints
    hints = torch.zeros(1, 3, 64, 64)
    for x in (4, 24, 44):
        hints[:, 2, 4:8, x : x + 4] = 1.0  # neutral gray
    far = follow_hints(ab, L, hints)[..., 48:, :]
    assert far.min() > 0
    assert far.max() < 17
    hints[:, :2] = hints[:, 2:] * 20 / 110
    torch.testing.assert_close(follow_hints(ab, L, hints), ab)


def two_things() -> tuple[torch.Tensor, torch.Tensor]:
    """Features at 1/8 and 1/16 of a picture whose right half is something else."""
    levels = [torch.zeros(1, 6, S // cell, S // cell) for cell in (8, 16)]
    for level in levels:
        half = level.shape[-1] // 2
        level[:, :3, :, :half] = torch.tensor([1.0, 2.0, 0.5])[:, None, None]
        level[:, 3:, :, half:] = torch.tensor([2.0, 1.0, 1.0])[:, None, None]
    return levels[0], levels[1]


def test_a_hint_means_what_it_lies_on():
    L = torch.full((1, 1, S, S), 50.0)
    meant = what_is_meant(two_things(), L, one_hint(12, 12))[0, 0]
    assert meant[:, :24].min() > 0.95, "all of the thing, near and far"
    assert meant[:, 44:].max() < 0.05, "nothing of the other, however near"
    assert meant[12, 12] > 0.99
    both = what_is_meant(two_things(), L, torch.maximum(one_hint(12, 12), one_hint(50, 50)))
    assert both.min() > 0.95
    assert what_is_meant(two_things(), L, torch.zeros(1, 3, S, S)).max() == 0


def test_a_hint_beside_a_border_does_not_mean_what_is_behind_it():
    L = torch.full((1, 1, S, S), 50.0)
    meant = what_is_meant(two_things(), L, one_hint(30, 27))[0, 0]  # ends a pixel before it
    assert meant[:, :24].min() > 0.95
    assert meant[:, 48:].max() < 0.05
