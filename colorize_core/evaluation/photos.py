"""Figures of a generator on color photos: each is made gray, colored, and compared with itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from colorize_core.archive.source.contents import MAX_FILE_BYTES, read_item
from colorize_core.archive.source.item import SourceItem
from colorize_core.color.lab import L_to_gray, gray_to_L, rgb_to_lab
from colorize_core.color.letterbox import Letterbox
from colorize_core.color.merge import merge
from colorize_core.color.pixels import rgb_to_pixels
from colorize_core.config import EvaluateConfig
from colorize_core.errors import InputError, UnsupportedError
from colorize_core.evaluation.networks import Networks
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.hints import draw_hint
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.photo.raster import to_uint8
from colorize_core.media.picture.resize import center_square, squeezed
from colorize_core.metrics import image
from colorize_core.model.scale import ab_to_net

GRAY, GENERATOR, TRUTH = "gray copy", "generator", "ground truth"


@dataclass
class Measured:
    """What was measured on every picture of one row; a value per picture and name."""

    scalars: dict[str, list[float]] = field(default_factory=dict)
    vectors: dict[str, list[Tensor]] = field(default_factory=dict)

    def add(self, scalars: dict[str, float], vectors: dict[str, Tensor]) -> None:
        """Add one picture."""
        for name, value in scalars.items():
            self.scalars.setdefault(name, []).append(value)
        for name, vector in vectors.items():
            self.vectors.setdefault(name, []).append(vector)

    def scalar(self, name: str) -> Tensor:
        """Values [N] of one name."""
        return torch.tensor(self.scalars[name], dtype=torch.float64)

    def vector(self, name: str) -> Tensor:
        """Vectors [N,D] of one name."""
        return torch.stack(self.vectors[name])

    def of(self, chosen: list[int]) -> Measured:
        """The same of some pictures."""
        return Measured(
            {name: [values[i] for i in chosen] for name, values in self.scalars.items()},
            {name: [vectors[i] for i in chosen] for name, vectors in self.vectors.items()},
        )


@dataclass(frozen=True)
class Example:
    """A picture with its results; [H,W,3] uint8 each, by row."""

    name: str
    pictures: dict[str, NDArray[np.uint8]]


@dataclass
class Evaluation:
    """Everything measured.

    Attributes:
        rows: by name, in the order of the table.
        paths: of the pictures measured, in their order.
        failed: items that gave no picture, as (path, error).
    """

    rows: dict[str, Measured]
    paths: list[str] = field(default_factory=list)
    failed: list[tuple[str, InputError]] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        """How many pictures were measured."""
        return len(self.paths)

    def by_folder(self) -> dict[str, Evaluation]:
        """The pictures of each first folder apart, by its name; empty if there is but one."""
        folders: dict[str, list[int]] = {}
        for i, path in enumerate(self.paths):
            folder, _, name = path.partition("/")
            folders.setdefault(folder if name else ".", []).append(i)
        if len(folders) < 2:
            return {}
        return {
            folder: Evaluation(
                {name: row.of(chosen) for name, row in self.rows.items()},
                [self.paths[i] for i in chosen],
            )
            for folder, chosen in sorted(folders.items())
        }


@dataclass(frozen=True)
class _Truth:
    """A photo as ground truth: sRGB [1,3,H,W] in 8-bit steps, and its place in the source."""

    name: str
    index: int
    rgb: Tensor


def hint_row(config: EvaluateConfig) -> str:
    """Name of the row with hints."""
    return f"with {config.hints} hints"


@torch.inference_mode()
def evaluate(
    items: Iterable[SourceItem],
    config: EvaluateConfig,
    colorizer: Colorizer,
    networks: Networks,
    *,
    on_example: Callable[[int, Example], None] = lambda _index, _example: None,
) -> Evaluation:
    """Measure the generator on photos, streamed: a batch of them is in memory at a time.

    Args:
        items: color photos.
        config: what to do with them.
        colorizer: with the batch and working size of `config.render`.
        networks: for the metrics that need one.
        on_example: gets every picture with its place in `items`, in their order.
    """
    has_hints = config.hints > 0 and colorizer.takes_hints
    names = [GRAY, GENERATOR, *([hint_row(config)] if has_hints else []), TRUTH]
    result = Evaluation({name: Measured() for name in names})
    truths = _truths(items, config, result.failed)
    while batch := list(islice(truths, config.render.batch_size)):
        for truth, outputs in zip(batch, _colored(batch, config, colorizer), strict=True):
            truth_lab = rgb_to_lab(truth.rgb)
            result.paths.append(truth.name)
            for name, rgb in outputs.items():
                result.rows[name].add(*_measure(name, rgb, truth.rgb, truth_lab, networks))
            pixels = {name: _to_uint8(rgb) for name, rgb in outputs.items()}
            on_example(truth.index, Example(truth.name, pixels))
    return result


def _truths(
    items: Iterable[SourceItem], config: EvaluateConfig, failed: list[tuple[str, InputError]]
) -> Iterator[_Truth]:
    for index, item in enumerate(items):
        try:
            pixels = _read_rgb(item, config)
        except InputError as error:
            failed.append((item.path, error))
            continue
        rgb = torch.from_numpy(pixels.astype(np.float32) / 255.0).permute(2, 0, 1)[None]
        yield _Truth(item.path, index, rgb.contiguous())


def _read_rgb(item: SourceItem, config: EvaluateConfig) -> NDArray[np.uint8]:
    data = read_item(item, max_bytes=MAX_FILE_BYTES)
    pixels = decode_photo(data, name=item.path, max_pixels=config.max_pixels).pages[0].pixels
    if pixels.ndim == 2:
        raise UnsupportedError("a gray photo is no ground truth", remedy="give color photos")
    pixels = to_uint8(pixels)
    if config.crop == "squeeze":
        pixels = squeezed(pixels, config.side, config.side)
    elif config.crop == "center":
        pixels = center_square(pixels, config.side)
    if min(pixels.shape[:2]) < image.SSIM_WINDOW:
        raise UnsupportedError(
            f"{pixels.shape[1]} x {pixels.shape[0]} pixels are too few to compare",
            remedy=f"give photos of {image.SSIM_WINDOW} pixels and more",
        )
    return pixels


def _colored(
    batch: list[_Truth], config: EvaluateConfig, colorizer: Colorizer
) -> Iterator[dict[str, Tensor]]:
    """The pictures of every row, sRGB [1,3,H,W] in 8-bit steps, for each truth of a batch."""
    labs = [rgb_to_lab(truth.rgb) for truth in batch]
    grays = [_in_steps(L_to_gray(lab[:, :1])) for lab in labs]
    # The generator gets what an 8-bit gray scan would give it.
    lights = [gray_to_L(gray) for gray in grays]
    boxes = [Letterbox.of_picture(L, config.render.size) for L in lights]
    lows = [box.shrink(L) for box, L in zip(boxes, lights, strict=True)]
    shown = [box.to_working(low) for box, low in zip(boxes, lows, strict=True)]
    look = config.render.look
    predictions = {GENERATOR: colorizer.predict_pictures(boxes, shown, look=look)}
    if config.hints and colorizer.takes_hints:
        hints = [
            _true_points(lab, box, config, truth.index)
            for truth, lab, box in zip(batch, labs, boxes, strict=True)
        ]
        predictions[hint_row(config)] = colorizer.predict_pictures(boxes, shown, hints, look=look)
    for i, truth in enumerate(batch):
        outputs = {GRAY: grays[i].expand(-1, 3, -1, -1)}
        for name, ab in predictions.items():
            rgb = merge(
                lights[i],
                ab[i],
                lows[i],
                strength=config.render.strength,
                upsample=config.render.upsample,
            )
            outputs[name] = _in_steps(rgb)
        yield {**outputs, TRUTH: truth.rgb}


def _true_points(lab: Tensor, box: Letterbox, config: EvaluateConfig, index: int) -> Tensor:
    """Hints [n,3,S,T]: the mean true ab around uniformly random points, and the mask."""
    radius = config.hint_radius
    ab = box.shrink(lab[:, 1:])
    means = F.avg_pool2d(ab, 2 * radius + 1, 1, radius, count_include_pad=False)
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + index)
    hints = torch.zeros(len(box.starts), 3, *box.shown_size)
    for _ in range(config.hints):
        y = int(torch.randint(box.height, (), generator=generator))
        x = int(torch.randint(box.width, (), generator=generator))
        for part, row, column in box.shown_at(y, x):
            draw_hint(hints[part], row, column, (radius, radius), ab_to_net(means[0, :, y, x]))
    return hints


def _measure(
    name: str, rgb: Tensor, truth: Tensor, truth_lab: Tensor, networks: Networks
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scalars and vectors of one picture."""
    lab = rgb_to_lab(rgb)
    scalars: dict[str, Any] = {
        "colorfulness": image.colorfulness(rgb),
        "colorfulness_signed": image.colorfulness_signed(rgb),
    }
    vectors = {"ab": image.ab_histogram(lab).flatten().float()}
    if name != TRUTH:
        scalars["mse"] = image.mse(rgb, truth)
        scalars["ssim"] = image.ssim(rgb, truth)
        scalars["ciede2000"] = image.ciede2000(lab, truth_lab).mean()
        vectors["ab_moments"] = image.ab_moments(lab, truth_lab)[0].flatten()
        scalars["delta_L"] = (lab[:, 0] - truth_lab[:, 0]).abs().mean()
        if networks.lpips is not None:
            scalars["lpips"] = networks.lpips(rgb, truth)
    if networks.squeezenet is not None:
        vectors["squeezenet"] = networks.squeezenet.features(rgb)[0]
    if networks.inception is not None:
        vectors["inception"] = networks.inception.features(rgb)[0]
        vectors["classes"] = networks.inception.probabilities(rgb)[0]
    return {key: float(value) for key, value in scalars.items()}, vectors


def _in_steps(x: Tensor) -> Tensor:
    return (x * 255.0).round() / 255.0


def _to_uint8(rgb: Tensor) -> NDArray[np.uint8]:
    return rgb_to_pixels(rgb, np.dtype(np.uint8)).astype(np.uint8, copy=False)
