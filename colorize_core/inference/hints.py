"""Color hints: known colors at a few places of a picture, and how they spread from there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.color.lab import rgb_to_lab
from colorize_core.color.letterbox import Letterbox
from colorize_core.color.upsample import upsample_ab
from colorize_core.config.hints import ColorPoint, is_color
from colorize_core.errors import ConfigError
from colorize_core.model.scale import ab_to_net, net_to_ab

_CELL = 4  # pixels; chroma is smooth
_REACH = 0.25  # of the working side: how far a correction carries
_SIMILAR = 15.0  # of L: how much alike in lightness the places must be
_NOISE = 0.2  # variance of a hint relative to that of the generator's error
_FACTOR = 0.001  # variance of the factor on the generator's ab, relative to its error's in Lab
_SEEN = 8  # pixels of a cell that an encoder tells apart
_SEEN_WEIGHTS = (1 / 3, 2 / 3)  # of its features at 1/8 and at 1/16
_UNLIKE, _ALIKE = -0.1, 0.25  # cosine similarity: from nothing like it to a part of it
_BESIDE = 0.04  # of the working side: what is as near as that belongs to it anyway
_MOST_CELLS = 1024  # the equations grow with the cube of it


@dataclass(frozen=True)
class Hint:
    """A known color at one place of a picture.

    Args:
        y: row in picture pixels.
        x: column in picture pixels.
        a: CIE Lab a, about -110..110.
        b: CIE Lab b, about -110..110.
        radius: half side of the square that has this color, in picture pixels.
    """

    y: int
    x: int
    a: float
    b: float
    radius: int = 3

    @classmethod
    def rgb(cls, y: int, x: int, color: str, *, radius: int = 3) -> Self:
        """One with the hue and chroma of a color; its lightness does not count.

        Args:
            y: see the class.
            x: see the class.
            color: "#7a3b2e", sRGB.
            radius: see the class.

        Raises:
            ConfigError: not such a color.
        """
        a, b = ab_of(color)
        return cls(y, x, a, b, radius)


def ab_of(color: str) -> tuple[float, float]:
    """CIE Lab a and b of "#rrggbb".

    Raises:
        ConfigError: not such a color.
    """
    if not is_color(color):
        raise ConfigError(f"{color!r} is no color", remedy='write it like "#7a3b2e"')
    rgb = torch.tensor([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    _, a, b = rgb_to_lab(rgb.view(1, 3, 1, 1)).flatten().tolist()
    return a, b


def hints_of(points: Iterable[ColorPoint], size: Sequence[int]) -> list[Hint]:
    """The points of an item in pixels of a picture of this height and width."""
    height, width = size
    return [
        Hint.rgb(
            min(int(point.y * height), height - 1),
            min(int(point.x * width), width - 1),
            point.color,
            radius=round(point.radius * min(height, width)),
        )
        for point in points
    ]


def hint_planes(hints: Sequence[Hint], box: Letterbox, size: Sequence[int]) -> Tensor:
    """Draw hints at working size.

    Args:
        hints: in picture pixels.
        box: how the picture is shown; upright pictures only.
        size: height and width of the picture.

    Returns:
        (n, 3, S, T) float32, one per part: ab/110 and a mask of 0 and 1.

    Raises:
        ConfigError: a hint lies outside the picture.
    """
    height, width = size
    planes = torch.zeros(len(box.starts), 3, *box.shown_size)
    scale_y, scale_x = box.height / height, box.width / width
    for hint in hints:
        if not (0 <= hint.y < height and 0 <= hint.x < width):
            raise ConfigError(
                f"hint at ({hint.y}, {hint.x}) is outside of {height}x{width}",
                remedy="give y and x in picture pixels",
            )
        ry, rx = int(hint.radius * scale_y), int(hint.radius * scale_x)
        ab = ab_to_net(torch.tensor([hint.a, hint.b]))
        for part, y, x in box.shown_at(int(hint.y * scale_y), int(hint.x * scale_x)):
            draw_hint(planes[part], y, x, (ry, rx), ab)
    return planes


def draw_hint(planes: Tensor, y: int, x: int, radii: tuple[int, int], ab: Tensor) -> None:
    """Write ab/110 [2] and the mask on a rectangle of planes [3,S,T] around (y, x)."""
    rows = slice(max(y - radii[0], 0), y + radii[0] + 1)
    columns = slice(max(x - radii[1], 0), x + radii[1] + 1)
    planes[:2, rows, columns] = ab[:, None, None]
    planes[2, rows, columns] = 1.0


def follow_hints(ab: Tensor, L: Tensor, hints: Tensor) -> Tensor:
    """Carry what the generator still gets wrong at the hints to similar places around them.

    The generator sees the hints, but only bends toward them. What is left is taken as a Gaussian
    process over place and lightness (kriging; Rasmussen & Williams 2006, equation 2.25), plus a
    random factor on the generator's own color (section 2.7 there): hints that find it wrong also
    make it fade where none is near. A single place tells nothing of the others.

    Args:
        ab: (B, 2, S, T) float32, the generator's, S and T multiples of 4.
        L: (B, 1, S, T), 0..100.
        hints: (B, 3, S, T) ab/110 and mask, as `hint_planes` draws them.

    Returns:
        (B, 2, S, T); a picture whose mask is empty stays as it is.
    """
    mask = hints[:, 2:]
    share = F.avg_pool2d(mask, _CELL)

    def at_hints(x: Tensor) -> Tensor:
        return F.avg_pool2d(x * mask, _CELL) / share.clamp_min(1e-6)

    seen_ab, seen_L = at_hints(ab).double(), at_hints(L)
    error = at_hints(net_to_ab(hints[:, :2])).double() - seen_ab
    all_L = F.avg_pool2d(L, _CELL)
    high, wide = share.shape[-2:]
    reach = _REACH * max(high, wide)
    steps = (torch.arange(side, dtype=torch.float64) / reach for side in (high, wide))
    place = torch.stack(torch.meshgrid(*steps, indexing="ij")).flatten(1).T
    corrections = torch.zeros(len(ab), 2, high, wide)
    factors = torch.ones(len(ab), 2, 1, 1)
    for i in range(len(ab)):
        known = torch.nonzero(share[i, 0].flatten() > 0)[:, 0]
        if len(known) == 0:
            continue
        known = known[:: -(-len(known) // _MOST_CELLS)]
        everywhere = _coordinates(place, all_L[i])
        seen = _coordinates(place, seen_L[i])[known]
        near = _kernel(seen, seen) + _NOISE * torch.eye(len(known), dtype=torch.float64)
        own = seen_ab[i].flatten(1)[:, known]
        factor = _FACTOR * _told_apart(place[known])
        covariance = near + factor * own[:, :, None] * own[:, None, :]
        weights = torch.linalg.solve(covariance, error[i].flatten(1)[:, known])
        corrections[i] = (weights @ _kernel(everywhere, seen).T).reshape(2, high, wide)
        factors[i, :, 0, 0] += factor * (own * weights).sum(1)
    return factors * ab + F.interpolate(corrections, ab.shape[-2:], mode="bilinear")


def _told_apart(place: Tensor) -> float:
    """0 for hints at one place, 1 from two that are far apart; `place` [n, 2] in reaches."""
    together = _kernel(place, place)
    independent = len(place) ** 2 / float(together.square().sum())  # participation ratio
    return min(1.0, independent - 1.0)


def what_is_meant(levels: Sequence[Tensor], L: Tensor, hints: Tensor) -> Tensor:
    """How far each place is a part of what a hint lies on, by what an encoder recognizes there.

    Args:
        levels: its features at 1/8 and 1/16, (B, C, S/8, T/8) and half of that.
        L: (B, 1, S, T), 0..100.
        hints: (B, 3, S, T) as `hint_planes` draws them.

    Returns:
        (B, 1, S, T), 0 to 1: 1 at the hints, 0 for what is nothing like it.
    """
    share = F.avg_pool2d(hints[:, 2:], _SEEN)
    size = share.shape[-2:]
    # Cells at the rim of a hint show other things, too.
    inside = (share > 0) & (share >= 0.5 * F.max_pool2d(share, 3, 1, 1))
    steps = (torch.arange(side) / max(size) for side in size)
    place = torch.stack(torch.meshgrid(*steps, indexing="ij")).flatten(1).T
    found = torch.zeros(len(L), 1, *size)
    for i in range(len(L)):
        known = torch.nonzero(inside[i, 0].flatten())[:, 0]
        if len(known) == 0:
            continue
        known = known[:: -(-len(known) // _MOST_CELLS)]
        alike = torch.zeros(size.numel(), len(known))
        for weight, level in zip(_SEEN_WEIGHTS, levels, strict=True):
            cells = F.interpolate(level[i : i + 1], size, mode="bilinear")[0].flatten(1).T
            # What all of a picture has in common tells nothing.
            cells = F.normalize(cells - cells.mean(0))
            alike += weight * cells @ cells[known].T
        like = ((alike - _UNLIKE) / (_ALIKE - _UNLIKE)).clamp(0, 1)
        beside = torch.exp(-0.5 * (torch.cdist(place, place[known]) / _BESIDE).square())
        found[i] = torch.maximum(like, beside).max(1).values.view(1, *size)
    # It ends where the thing does.
    planes = upsample_ab(100 * found.expand(-1, 2, -1, -1), F.avg_pool2d(L, _SEEN), L)
    return planes[:, :1].clamp(0, 100) / 100


def _coordinates(place: Tensor, L: Tensor) -> Tensor:
    return torch.cat([place, L.flatten()[:, None].double() / _SIMILAR], 1)


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return torch.exp(-0.5 * torch.cdist(x, y).square())
