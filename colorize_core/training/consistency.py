"""What teachers say of a picture moved and mirrored, for a generator to agree with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorize_core.training.degrade import RandomStream
from colorize_core.training.losses import color_distance

_MOST_SHIFT = 16  # pixels: half of the encoder's stride, so every phase comes up


@dataclass(frozen=True)
class TeacherTarget:
    """ab/110 [B,2,H,W] of the view that lies this many pixels down and right."""

    ab: Tensor
    down: int
    right: int

    def distance(self, predicted: Tensor, beta: float) -> Tensor:
        """Mean smooth-L1 distance (width `beta`) to ab/110 predicted for the picture unmoved."""
        # Only what both see is compared, not what the edges' reflection shows.
        (ours_y, theirs_y), (ours_x, theirs_x) = _overlap(self.down), _overlap(self.right)
        return color_distance(
            predicted[..., ours_y, ours_x], self.ab[..., theirs_y, theirs_x], beta
        ).mean()


@torch.no_grad()
def teacher_target(
    teachers: Sequence[nn.Module], L: Tensor, hints: Tensor | None, stream: RandomStream
) -> TeacherTarget:
    """The mean of what the teachers predict for the picture, moved, and perhaps mirrored for each.

    What a network predicts depends on how a picture lies on its grid of strides, and on which way
    round it is: one that learns the teacher's mean over all views is steadier than the teacher and
    knows more, and the mean of several knows more than each (Hinton et al. 2015). The moving
    average of the network itself is a calmer judge than the network (Tarvainen & Valpola 2017).
    None needs a backward pass.

    Args:
        teachers: one at least.
        L: [B,1,H,W] in [-1,1], without the grain that the pupil sees.
        hints: [B,3,H,W] as `simulate_hints` makes them, or none.
        stream: randomness of the step.
    """
    down, right = (int(stream.number(0, 2 * _MOST_SHIFT + 1)) - _MOST_SHIFT for _ in range(2))
    moved = _moved(L, down, right)
    moved_hints = None if hints is None else _moved(hints, down, right)
    predicted = [
        _seen_by(teacher, moved, moved_hints, stream.number(0, 1) < 0.5) for teacher in teachers
    ]
    return TeacherTarget(torch.stack(predicted).mean(0), down, right)


def _moved(x: Tensor, down: int, right: int) -> Tensor:
    """The view this far down and right, of the same size, edges reflected."""
    padded = F.pad(x, [_MOST_SHIFT] * 4, mode="reflect")
    top, left = _MOST_SHIFT + down, _MOST_SHIFT + right
    cut = padded[..., top : top + x.shape[-2], left : left + x.shape[-1]]
    return cut.contiguous(memory_format=torch.channels_last)


def _overlap(shift: int) -> tuple[slice, slice]:
    """Where a picture and its view moved by `shift` show the same: in it, and in the view."""
    ahead, back = max(0, shift), max(0, -shift)
    return slice(ahead, -back or None), slice(back, -ahead or None)


def _seen_by(teacher: nn.Module, L: Tensor, hints: Tensor | None, mirrored: bool) -> Tensor:
    """ab/110 that the teacher predicts for this view, or for its mirror image and mirrored back."""
    if mirrored:
        L, hints = L.flip(-1), None if hints is None else hints.flip(-1)
    predicted: Tensor = teacher(L, hints).float()
    return predicted.flip(-1) if mirrored else predicted
