"""Colors that hold still over a shot: each frame is drawn to what key frames agree on.

Key frames spread over the shot are colored as any other frame. Each frame is then looked at in
coarse cells: what the generator's encoder recognizes in a cell, with its lightness and, a little,
its place, finds the same surface in every key frame (see `references`), and the mean of the colors
found there is the surface's color. The difference to what the generator says of this frame
is added along the edges of L. Where no key frame shows the same in the same light, nothing changes.

No frame depends on the one before it: the result is the same for any borders of segments and any
number of workers, errors do not add up, and nothing crosses a cut. The stabilizer comes after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.color.upsample import upsample_ab
from colorize_core.inference.generator_pass import Recognized
from colorize_core.inference.references import Seen, cell_rows
from colorize_core.media.film.anchor_frames import AnchorShot

# L (n, 1, S, T) of key frames as the generator is shown them; what does not decode is left out.
Look = Callable[[Sequence[int]], Mapping[int, Tensor]]

_CELLS: Final = 32  # most along the long side
_CELL: Final = 8  # working pixels that one has at least
_LEVELS: Final = (
    1 / 3,
    2 / 3,
)  # weights of the features at 1/8 and 1/16; those at 1/32 add nothing
_SHARPNESS: Final = 0.05  # cosine distance at which a cell counts 1/e of the best
_SIMILAR: Final = 20.0  # of L, in looking for the surface
_SAME_LIGHT: Final = 6.0  # of L, on the surface that was found
_NEAR: Final = 0.5  # of the long side
_UNLIKE, _ALIKE = 0.3, 0.6  # cosine similarity: from no confidence to all
_ENOUGH: Final = 2.0  # key frames that have to be sure
_LITTLE: Final = 0.02
_MOST_LIFT: Final = 1.07  # of all chroma: a mean of several hues is grayer than each
_RANK: Final = 48  # dimensions of the features by which a key frame's cells differ most


@dataclass(frozen=True)
class _Key:
    """One part of a key frame, in n cells.

    Attributes:
        frame: its number.
        means: of its features, by level.
        basis: [C, r], to the dimensions in which its cells differ.
        sought: [r + 4, n], what a cell is found by, see `_matched`.
        found: [n, 8], what is taken from where it is found: ab, chroma, and for the light and place
            of the match L, L squared, y, x, and their sum of squares.
    """

    frame: int
    means: tuple[Tensor, ...]
    basis: Tensor
    sought: Tensor
    found: Tensor


class Anchors:
    """The colors that the shots of a segment agree on; holds the key frames in reach.

    Args:
        shots: those of the segment.
        look: reads key frames.
        predict: L (B, 1, S, T) to what the generator says of it; also with `carried`.
        reach: frames on each side that a key frame speaks for.
    """

    def __init__(
        self,
        shots: Iterable[AnchorShot],
        look: Look,
        predict: Callable[..., Recognized],
        *,
        reach: int,
    ) -> None:
        self._shots = tuple(shots)
        self._look, self.predict = look, predict
        self._reach = reach
        self._keys: dict[int, list[_Key]] = {}  # by frame, then by part of what is shown

    @torch.inference_mode()
    def hold(
        self, index: int, shown: Tensor, said: Recognized, known: Tensor | None = None
    ) -> Tensor:
        """The color of a frame, drawn to its shot's.

        Args:
            index: of the frame; they ascend.
            shown: L (n, 1, S, T) as the generator is shown it.
            said: of the frame, with what is known laid over it.
            known: (n, 3, S, T), see `references.carry`, or None.

        Returns:
            ab (n, 2, S, T).
        """
        keys = self._in_reach(index)
        if not keys:
            return said.ab
        fade = torch.tensor(
            [(1 - ((index - key[0].frame) / self._reach) ** 2) ** 2 for key in keys]
        )
        ab = said.ab if known is None else _without(said.ab, known)
        parts = zip(
            torch.split(shown, 1),
            torch.split(ab, 1),
            said.chunk(len(shown)),
            zip(*keys, strict=True),
            strict=True,
        )
        corrections = [
            _correction(_cells(L, part.levels), L, own, key, fade) for L, own, part, key in parts
        ]
        correction = torch.cat(corrections)
        return said.ab + (correction if known is None else correction * (1 - known[:, 2:]))

    def _in_reach(self, index: int) -> list[list[_Key]]:
        shot = next((s for s in self._shots if s.start <= index < s.stop), None)
        wanted = [k for k in shot.frames if abs(k - index) < self._reach] if shot else []
        missing = [frame for frame in wanted if frame not in self._keys]
        if missing:
            made = self._made(self._look(missing))
            self._keys.update((frame, made.get(frame, [])) for frame in missing)
        self._keys = {frame: self._keys[frame] for frame in wanted}
        return [key for key in self._keys.values() if key]

    def _made(self, seen: Mapping[int, Tensor]) -> dict[int, list[_Key]]:
        """All at once: the generator is fastest in batches, and fills them up anyway."""
        if not seen:
            return {}
        said = self.predict(torch.cat(list(seen.values()))).chunk(len(seen))
        return {
            frame: [
                _key(frame, L, part)
                for L, part in zip(torch.split(shown, 1), whole.chunk(len(shown)), strict=True)
            ]
            for (frame, shown), whole in zip(seen.items(), said, strict=True)
        }


def _key(frame: int, shown: Tensor, said: Recognized) -> _Key:
    cells = _cells(shown, said.levels)
    means = tuple(level.mean(0) for level in cells.levels)
    chroma = torch.cat([said.ab, said.ab.norm(dim=1, keepdim=True)], 1)
    color = cell_rows(F.adaptive_avg_pool2d(chroma, cells.size))
    L, place = cells.L[:, None], cells.place
    squares = place.square().sum(1, keepdim=True)
    away = -(L / _SIMILAR).square() - squares / _NEAR**2
    recognized = _recognized(cells, means)
    basis = torch.linalg.eigh(recognized.T @ recognized).eigenvectors[:, -_RANK:].contiguous()
    sought = torch.cat([recognized @ basis, L, place, away], 1)
    found = torch.cat([color, L, L.square(), place, squares], 1)
    return _Key(frame, means, basis, sought.T.contiguous(), found)


def _correction(
    cells: Seen, shown: Tensor, ab: Tensor, keys: Sequence[_Key], fade: Tensor
) -> Tensor:
    """What is to be added to the ab of one part, (1, 2, S, T)."""
    color, sure = _agreed(cells, keys, fade)
    off = color - cell_rows(F.adaptive_avg_pool2d(ab, cells.size))
    planes = (off * sure[:, None]).T.reshape(1, 2, *cells.size)
    return upsample_ab(planes, cells.L.reshape(1, 1, *cells.size), shown)


def _without(ab: Tensor, known: Tensor) -> Tensor:
    """What the generator alone said; next to nothing of it is left where all is known."""
    sure = known[:, 2:]
    return (ab - known[:, :2] * sure) / (1 - sure).clamp_min(_LITTLE)


def _cells(shown: Tensor, levels: Sequence[Tensor]) -> Seen:
    high, wide = shown.shape[-2:]
    pixels = max(_CELL, -(-max(high, wide) // _CELLS))
    size = (max(1, high // pixels), max(1, wide // pixels))
    steps = ((torch.arange(side) + 0.5) / max(size) for side in size)
    return Seen(
        tuple(cell_rows(_resized(level, size)) for level in levels),
        F.adaptive_avg_pool2d(shown, size).flatten(),
        torch.stack(torch.meshgrid(*steps, indexing="ij"), -1).flatten(0, 1),
        size,
    )


def _resized(level: Tensor, size: tuple[int, int]) -> Tensor:
    if level.shape[-2:] == size:
        return level
    return F.interpolate(level, size, mode="bilinear", antialias=True)


def _recognized(cells: Seen, means: Sequence[Tensor]) -> Tensor:
    """[n, C]: two rows' product is their mean cosine similarity over all levels."""
    parts = zip(cells.levels, means, _LEVELS, strict=True)
    return torch.cat([F.normalize(level - mean) * weight**0.5 for level, mean, weight in parts], 1)


def _agreed(cells: Seen, keys: Sequence[_Key], fade: Tensor) -> tuple[Tensor, Tensor]:
    """Of each cell: the ab that key frames agree on, [n, 2], and how sure that is, [n], 0..1."""
    share = fade / fade.sum()
    # What all pictures of the shot have in common tells nothing.
    means = [
        (torch.stack(level, -1) * share).sum(-1)
        for level in zip(*(k.means for k in keys), strict=True)
    ]
    mine = _recognized(cells, means) / _SHARPNESS
    found = [_matched(cells, mine, key) for key in keys]
    colors, sure = (torch.stack(parts) for parts in zip(*found, strict=True))
    sure = sure * fade[:, None]
    weight = sure + 1e-6
    color = (colors * weight[..., None]).sum(0) / weight.sum(0)[:, None]
    certain = (sure.sum(0) / _ENOUGH).clamp(0, 1)
    chroma = color[:, :2].norm(dim=1)
    lift = (certain @ color[:, 2]) / (certain @ chroma).clamp_min(1e-3)
    return color[:, :2] * lift.clamp(1, _MOST_LIFT), certain


def _matched(cells: Seen, mine: Tensor, key: _Key) -> tuple[Tensor, Tensor]:
    """Of each cell: ab and chroma of its like in a key frame, [n, 3], and how alike it is, [n].

    How like two cells are is their similarity over _SHARPNESS, less the squares of the distances in
    light and place, in one product; what all cells of the key have in common is left out, for
    shares do not depend on it.
    """
    light, place = cells.L[:, None] * (2 / _SIMILAR**2), cells.place * (2 / _NEAR**2)
    scores = torch.cat([mine @ key.basis, light, place, torch.ones_like(light)], 1) @ key.sought
    shares = scores.softmax(1)
    found = shares @ key.found
    L, square, there, squares = found[:, 3], found[:, 4], found[:, 5:7], found[:, 7]
    # The mean score, less its share of light and place, is the mean similarity.
    other = light[:, 0] * L - square / _SIMILAR**2 + (place * there).sum(1) - squares / _NEAR**2
    alike = (torch.linalg.vecdot(shares, scores) - other) * _SHARPNESS
    like = (alike - _UNLIKE) / (_ALIKE - _UNLIKE)
    relit = ((cells.L - L) / _SAME_LIGHT).square()
    return found[:, :3], like.clamp(0, 1) * torch.exp(-relit)
