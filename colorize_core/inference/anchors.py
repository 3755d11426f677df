"""Colors that hold still over a shot: each frame is drawn to what key frames agree on.

Key frames spread over the shot are colored as any other frame. Each frame is then looked at in
coarse cells: what the generator's encoder recognizes in a cell, with its lightness and, a little,
its place, finds the same surface in every key frame (see `references`), and the robust mean of the
colors found there is the surface's color. The difference to what the generator says of this frame
is added along the edges of L. Where no key frame shows the same in the same light, nothing changes.

No frame depends on the one before it: the result is the same for any borders of segments and any
number of workers, errors do not add up, and nothing crosses a cut. The stabilizer comes after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.color.upsample import upsample_ab
from colorize_core.inference.references import Seen, cell_rows
from colorize_core.media.film.anchor_frames import AnchorShot

# L (n, 1, S, T) of key frames as the generator is shown them; what does not decode is left out.
Look = Callable[[Sequence[int]], Mapping[int, Tensor]]

_CELLS: Final = 32  # most along the long side
_CELL: Final = 8  # working pixels that one has at least
# Weights of the encoder's features at 1/8 and 1/16; those at 1/32 add nothing here.
_LEVELS: Final = ((2, 1 / 3), (3, 2 / 3))
_SHARPNESS: Final = 0.1  # cosine distance at which a cell counts 1/e of the best
_SIMILAR: Final = 20.0  # of L, in looking for the surface
_SAME_LIGHT: Final = 4.0  # of L, on the surface that was found
_NEAR: Final = 0.5  # of the long side
_UNLIKE, _ALIKE = 0.3, 0.6  # cosine similarity: from no confidence to all
_AGREEING: Final = 12.0  # ab from the mean at which a key frame counts half
_ROUNDS: Final = 4
_ENOUGH: Final = 2.0  # key frames that have to be sure
_LITTLE: Final = 0.02
_MOST_LIFT: Final = 1.25  # of the mean's chroma: means of several hues are grayer than each


class Generator(Protocol):
    """What a Colorizer does for anchors."""

    def recognize(self, L: Tensor) -> list[Tensor]:
        """The encoder's features, see Colorizer."""
        ...


@dataclass(frozen=True)
class _Key:
    """One part of a key frame, in n cells: what is recognized around `means`, and color."""

    frame: int
    means: tuple[Tensor, ...]
    recognized: Tensor
    L: Tensor
    place: Tensor
    color: Tensor  # [n, 3]: ab and chroma


class Anchors:
    """The colors that the shots of a segment agree on; holds the key frames in reach.

    Args:
        shots: those of the segment.
        look: reads key frames.
        generator: tells what is to be seen.
        predict_ab: L (B, 1, S, T) to ab (B, 2, S, T).
        reach: frames on each side that a key frame speaks for.
    """

    def __init__(
        self,
        shots: Iterable[AnchorShot],
        look: Look,
        generator: Generator,
        predict_ab: Callable[[Tensor], Tensor],
        *,
        reach: int,
    ) -> None:
        self._shots = tuple(shots)
        self._look, self._generator, self._predict_ab = look, generator, predict_ab
        self._reach = reach
        self._keys: dict[int, list[_Key]] = {}  # by frame, then by part of what is shown

    @torch.inference_mode()
    def hold(self, index: int, shown: Tensor, ab: Tensor, known: Tensor | None = None) -> Tensor:
        """The color of a frame, drawn to its shot's.

        Args:
            index: of the frame; they ascend.
            shown: L (n, 1, S, T) as the generator is shown it.
            ab: (n, 2, S, T), what it says, with what is known laid over it.
            known: (n, 3, S, T), see `references.carry`, or None.

        Returns:
            ab (n, 2, S, T).
        """
        keys = self._in_reach(index)
        if not keys:
            return ab
        fades = [(1 - ((index - frame[0].frame) / self._reach) ** 2) ** 2 for frame in keys]
        free = 1.0 if known is None else 1 - known[:, 2:]
        said = ab if known is None else _without(ab, known)
        parts = zip(torch.split(shown, 1), torch.split(said, 1), strict=True)
        corrections = [
            self._correction(L, color, [key[n] for key in keys], fades)
            for n, (L, color) in enumerate(parts)
        ]
        return ab + torch.cat(corrections) * free

    def _in_reach(self, index: int) -> list[list[_Key]]:
        shot = next((s for s in self._shots if s.start <= index < s.stop), None)
        wanted = [k for k in shot.frames if abs(k - index) < self._reach] if shot else []
        missing = [frame for frame in wanted if frame not in self._keys]
        seen = self._look(missing) if missing else {}
        made = {k: self._made(k, seen[k]) if k in seen else [] for k in missing}
        self._keys = {k: made[k] if k in made else self._keys[k] for k in wanted}
        return [self._keys[frame] for frame in wanted if self._keys[frame]]

    def _made(self, frame: int, shown: Tensor) -> list[_Key]:
        made = []
        for part, ab in zip(
            torch.split(shown, 1), torch.split(self._predict_ab(shown), 1), strict=True
        ):
            cells = _cells(self._generator, part)
            means = tuple(level.mean(0) for level in cells.levels)
            chroma = torch.cat([ab, ab.norm(dim=1, keepdim=True)], 1)
            color = cell_rows(F.adaptive_avg_pool2d(chroma, cells.size))
            seen = _recognized(cells, means)
            made.append(_Key(frame, means, seen, cells.L, cells.place, color))
        return made

    def _correction(
        self, shown: Tensor, ab: Tensor, keys: Sequence[_Key], fades: Sequence[float]
    ) -> Tensor:
        """What is to be added to the ab of one part, (1, 2, S, T)."""
        cells = _cells(self._generator, shown)
        fade = torch.tensor(fades)
        color, sure = _agreed(cells, keys, fade)
        off = color - cell_rows(F.adaptive_avg_pool2d(ab, cells.size))
        planes = (off * sure[:, None]).T.reshape(1, 2, *cells.size)
        return upsample_ab(planes, cells.L.reshape(1, 1, *cells.size), shown)


def _without(ab: Tensor, known: Tensor) -> Tensor:
    """What the generator alone said; next to nothing of it is left where all is known."""
    sure = known[:, 2:]
    return (ab - known[:, :2] * sure) / (1 - sure).clamp_min(_LITTLE)


def _cells(generator: Generator, shown: Tensor) -> Seen:
    high, wide = shown.shape[-2:]
    pixels = max(_CELL, -(-max(high, wide) // _CELLS))
    size = (max(1, high // pixels), max(1, wide // pixels))
    pyramid = generator.recognize(shown)
    levels = (F.interpolate(pyramid[i], size, mode="bilinear", antialias=True) for i, _ in _LEVELS)
    steps = ((torch.arange(side) + 0.5) / max(size) for side in size)
    return Seen(
        tuple(cell_rows(level) for level in levels),
        F.adaptive_avg_pool2d(shown, size).flatten(),
        torch.stack(torch.meshgrid(*steps, indexing="ij"), -1).flatten(0, 1),
        size,
    )


def _recognized(cells: Seen, means: Sequence[Tensor]) -> Tensor:
    """[n, C]: two rows' product is their mean cosine similarity over all levels."""
    parts = zip(cells.levels, means, _LEVELS, strict=True)
    return torch.cat(
        [F.normalize(level - mean) * weight**0.5 for level, mean, (_, weight) in parts], 1
    )


def _agreed(cells: Seen, keys: Sequence[_Key], fade: Tensor) -> tuple[Tensor, Tensor]:
    """Of each cell: the ab that key frames agree on, [n, 2], and how sure that is, [n], 0..1."""
    share = fade / fade.sum()
    # What all pictures of the shot have in common tells nothing.
    means = [
        (torch.stack(level, -1) * share).sum(-1)
        for level in zip(*(k.means for k in keys), strict=True)
    ]
    mine = _recognized(cells, means)
    found = [_matched(cells, mine, key) for key in keys]
    color, sure = (torch.stack(parts) for parts in zip(*found, strict=True))
    sure = sure * fade[:, None]
    weight = sure + 1e-6
    mean = _mean(color, weight)
    for _ in range(_ROUNDS):
        far = (color - mean)[..., :2].square().sum(2)
        mean = _mean(color, weight / (1 + far / _AGREEING**2))
    lift = mean[:, 2:] / mean[:, :2].norm(dim=1, keepdim=True).clamp_min(1e-3)
    return mean[:, :2] * lift.clamp(1, _MOST_LIFT), (sure.sum(0) / _ENOUGH).clamp(0, 1)


def _mean(color: Tensor, weight: Tensor) -> Tensor:
    return (color * weight[..., None]).sum(0) / weight.sum(0)[:, None]


def _matched(cells: Seen, mine: Tensor, key: _Key) -> tuple[Tensor, Tensor]:
    """Of each cell: ab and chroma of its like in a key frame, [n, 3], and how alike it is, [n]."""
    alike = mine @ key.recognized.T
    light = ((cells.L[:, None] - key.L) / _SIMILAR).square()
    far = (torch.cdist(cells.place, key.place) / _NEAR).square()
    shares = (alike / _SHARPNESS - light - far).softmax(1)
    like = ((shares * alike).sum(1) - _UNLIKE) / (_ALIKE - _UNLIKE)
    relit = ((cells.L - shares @ key.L) / _SAME_LIGHT).square()
    return shares @ key.color, like.clamp(0, 1) * torch.exp(-relit)
