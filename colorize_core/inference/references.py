"""Colors carried from color pictures to a gray one, where both show the same.

Both are looked at by the generator's encoder, in cells of 8 x 8 working pixels. A cell of the gray
picture takes the mean color of the cells that are most like it in what the encoder recognizes, in
lightness and, a little, in place (as by non-local correspondence in Zhang et al. 2019, "Deep
Exemplar-based Video Colorization"). How alike they are is its confidence: where nothing is, the
generator's color stays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from colorize_core.archive.records.item_hints import Reference
from colorize_core.color.grayness import judge
from colorize_core.color.letterbox import Letterbox
from colorize_core.color.pixels import Pixels, pixels_to_lab
from colorize_core.color.upsample import upsample_ab
from colorize_core.errors import ChangedError, InputError, MissingError, UnsupportedError
from colorize_core.inference.colorizer import Colorizer
from colorize_core.media.photo.codec import decode_photo

CELL: Final = 8  # working pixels

# Weights of the encoder's features at 1/8, 1/16 and 1/32: the finer tell places, the others things.
_LEVELS: Final = ((2, 1.0), (3, 2.0), (4, 1.0))
_SHARPNESS: Final = 0.02  # cosine distance at which a cell counts 1/e of the best
_SIMILAR: Final = 12.0  # of L
_NEAR: Final = 0.5  # of the long side
_UNLIKE, _ALIKE = 0.3, 0.6  # cosine similarity: from no confidence to all
_AGREEING: Final = 15.0  # spread of ab among what a cell is like, at which confidence falls to 1/e


@dataclass(frozen=True)
class Seen:
    """What the encoder recognizes in a picture, a row for each of n cells.

    Attributes:
        levels: features [n, C] of each level, of any length.
        L: [n], 0..100.
        place: [n, 2], y and x as shares of the long side.
        size: rows and columns of cells.
    """

    levels: tuple[Tensor, ...]
    L: Tensor
    place: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class KnownColors:
    """A picture whose colors are known: ab [n, 2] of each cell, and how sure they are [n], 0..1."""

    seen: Seen
    ab: Tensor
    confidence: Tensor


def see(colorizer: Colorizer, shown: Tensor) -> Seen:
    """Look at one picture, L [1,1,S,T] as its letterbox shows it."""
    pyramid = colorizer.recognize(shown)
    size = (shown.shape[-2] // CELL, shown.shape[-1] // CELL)
    levels = (F.interpolate(pyramid[i], size, mode="bilinear") for i, _ in _LEVELS)
    steps = (torch.arange(side) / max(size) for side in size)
    return Seen(
        tuple(cell_rows(level) for level in levels),
        cell_rows(F.avg_pool2d(shown, CELL))[:, 0],
        torch.stack(torch.meshgrid(*steps, indexing="ij"), -1).flatten(0, 1),
        size,
    )


def cell_rows(x: Tensor) -> Tensor:
    """[1,C,h,w] to [h*w,C]."""
    return x[0].flatten(1).T


def known_colors(colorizer: Colorizer, pixels: Pixels) -> list[KnownColors]:
    """The colors of a picture (H, W, 3), one for each part that the generator is shown."""
    lab = pixels_to_lab(pixels)
    box = Letterbox.of_picture(lab, colorizer.render_size)
    shown = box.to_working(box.shrink(lab))
    found = []
    for part in torch.split(shown, 1):
        ab = cell_rows(F.avg_pool2d(part[:, 1:], CELL))
        found.append(KnownColors(see(colorizer, part[:, :1]), ab, torch.ones(len(ab))))
    return found


def carry_to(colorizer: Colorizer, shown: Tensor, known: Sequence[KnownColors]) -> Tensor | None:
    """`carry` to each part of a picture, L (n, 1, S, T); None where no colors are known."""
    if not known:
        return None
    return torch.cat([carry(see(colorizer, part), known, part) for part in torch.split(shown, 1)])


def carry(seen: Seen, known: Sequence[KnownColors], L: Tensor) -> Tensor:
    """Colors for a picture from pictures whose colors are known; the surest wins in each cell.

    Args:
        seen: of the picture.
        known: at least one.
        L: of the picture as it is shown, (1, 1, S, T).

    Returns:
        (1, 3, S, T): ab in Lab units, and the confidence 0..1.
    """
    found = torch.stack([_matched(seen, colors) for colors in known])
    best = found[:, :, 2].argmax(0)
    cells = found[best, torch.arange(len(best))].T.reshape(1, 3, *seen.size)
    return spread(cells, L)


def spread(cells: Tensor, L: Tensor) -> Tensor:
    """From cells (1, 3, S/8, T/8) to all pixels of L (1, 1, S, T), along its edges."""
    confidence = cells[:, 2:]
    # What is unsure takes the color of its surer neighbors.
    around = F.avg_pool2d(cells[:, :2] * confidence, 3, 1, 1)
    share = F.avg_pool2d(confidence, 3, 1, 1)
    ab = torch.lerp(around / share.clamp_min(1e-4), cells[:, :2], confidence)
    ab = upsample_ab(ab, F.avg_pool2d(L, CELL), L)
    return torch.cat([ab, F.interpolate(confidence, L.shape[-2:], mode="bilinear")], 1)


def _matched(seen: Seen, known: KnownColors) -> Tensor:
    """Of each cell: ab and confidence, [n, 3]."""
    other = known.seen
    alike = torch.zeros(len(seen.L), len(other.L))
    for (_, weight), mine, theirs in zip(_LEVELS, seen.levels, other.levels, strict=True):
        # What all of both pictures have in common tells nothing.
        mean = (mine.mean(0) + theirs.mean(0)) / 2
        alike += weight * F.normalize(mine - mean) @ F.normalize(theirs - mean).T
    alike /= sum(weight for _, weight in _LEVELS)
    light = (seen.L[:, None] - other.L) / _SIMILAR
    far = torch.cdist(seen.place, other.place) / _NEAR
    shares = (alike / _SHARPNESS - light.square() - far.square()).softmax(1)
    ab = shares @ known.ab
    spread = (shares @ known.ab.square() - ab.square()).sum(1).clamp_min(0)
    like = ((shares * alike).sum(1) - _UNLIKE) / (_ALIKE - _UNLIKE)
    confidence = like.clamp(0, 1) * torch.exp(-spread / _AGREEING**2)
    return torch.cat([ab, (confidence * (shares @ known.confidence))[:, None]], 1)


class References:
    """Reads the references of items, each once.

    Args:
        colorizer: looks at them.
        max_pixels: larger ones are not used.
    """

    def __init__(self, colorizer: Colorizer, max_pixels: int) -> None:
        self._colorizer, self._max_pixels = colorizer, max_pixels
        self._known: dict[str, list[KnownColors] | InputError] = {}

    def read(self, references: Iterable[Reference]) -> tuple[list[KnownColors], list[str]]:
        """Their colors, and a line for each that cannot be used."""
        known: list[KnownColors] = []
        problems = []
        for reference in references:
            key = reference.sha256 or reference.problem
            if key not in self._known:
                self._known[key] = self._read(reference)
            found = self._known[key]
            if isinstance(found, InputError):
                # The decoder names the file, too.
                problem = found.message.removeprefix(f"{reference.name}: ")
                problems.append(f"reference {reference.name}: {problem}")
            else:
                known += found
        return known, problems

    def _read(self, reference: Reference) -> list[KnownColors] | InputError:
        try:
            return known_colors(self._colorizer, read_reference(reference, self._max_pixels))
        except InputError as error:
            return error


def read_reference(reference: Reference, max_pixels: int) -> Pixels:
    """Its first page, (H, W, 3).

    Raises:
        InputError: it is not there, not as it was when the run began, no picture, too large, or
            has no color.
    """
    if reference.problem:
        raise InputError(reference.problem)
    try:
        data = reference.path.read_bytes()
    except OSError as error:
        raise MissingError(f"cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != reference.sha256:
        raise ChangedError("changed since the run began")
    return colored_pixels(
        decode_photo(data, name=reference.name, max_pixels=max_pixels).pages[0].pixels
    )


def colored_pixels(pixels: Pixels) -> Pixels:
    """A picture, if it has color.

    Raises:
        UnsupportedError: it is gray.
    """
    if pixels.ndim == 2 or judge(np.ascontiguousarray(pixels)).kind in ("gray", "toned"):
        raise UnsupportedError("it has no color", remedy="take a picture in color")
    return pixels
