"""Pictures of the training: the page of gray, truth, output, and the curves."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from colorize_core.atomic import publish_bytes
from colorize_core.color.lab import lab_to_rgb
from colorize_core.errors import UsageError
from colorize_core.media.photo.codec import decode_photo
from colorize_core.media.photo.raster import to_uint8
from colorize_core.media.picture.names import PHOTO_SUFFIXES
from colorize_core.media.picture.plain import encode_picture
from colorize_core.media.picture.resize import squeezed
from colorize_core.model.scale import net_to_ab, net_to_L
from colorize_core.training.data import UInt8Array
from colorize_core.training.degrade import whole_sample

_COLUMNS = 5  # triples per row of the page
_CHUNK = 16
_MAX_PIXELS = 250_000_000


def read_folder(folder: Path, size: int) -> Tensor:
    """Color photos of a folder, sorted by name and squeezed: uint8 [N,size,size,3].

    Raises:
        UsageError: there are none.
        InputError: one of them cannot be read.
    """
    squares = []
    for path in sorted(folder.iterdir() if folder.is_dir() else []):
        if path.suffix.lower() in PHOTO_SUFFIXES:
            photo = decode_photo(path.read_bytes(), name=path.name, max_pixels=_MAX_PIXELS)
            pixels = to_uint8(photo.pages[0].pixels)
            rgb = np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels
            squares.append(squeezed(rgb, size, size))
    if not squares:
        raise UsageError(f"{folder}: no validation photos found", remedy="check --val")
    return torch.from_numpy(np.stack(squares))


def lab_of(photos: Tensor, size: int) -> Tensor:
    """Photos uint8 [N,side,side,3] -> network-scaled L and ab [N,3,size,size]."""
    samples = [whole_sample(chunk, size) for chunk in torch.split(photos, _CHUNK)]
    return torch.cat([torch.cat([s.L, s.ab], 1) for s in samples])


def to_rgb(L: Tensor, ab: Tensor) -> UInt8Array:
    """Network-scaled L [N,1,H,W] and ab [N,2,H,W] -> uint8 [N,H,W,3], clipped to sRGB."""
    rgb = lab_to_rgb(torch.cat([net_to_L(L), net_to_ab(ab)], 1)).clamp(0, 1)
    pixels: UInt8Array = (rgb * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return pixels


def draw_page(truth: Tensor, ab: Tensor, path: Path) -> None:
    """Publish a PNG of triples gray, truth, output from network-scaled [N,3,H,W] and [N,2,H,W]."""
    L = truth[:, :1]
    triples = np.concatenate(
        [to_rgb(L, torch.zeros_like(ab)), to_rgb(L, truth[:, 1:]), to_rgb(L, ab)], axis=2
    )
    missing = -len(triples) % _COLUMNS
    triples = np.concatenate([triples, np.full((missing, *triples.shape[1:]), 255, np.uint8)])
    rows = [
        np.concatenate(list(triples[i : i + _COLUMNS]), axis=1)
        for i in range(0, len(triples), _COLUMNS)
    ]
    publish_bytes(path, encode_picture(".png", np.concatenate(rows)))


def draw_curves(log: Path, path: Path) -> None:
    """Publish a PNG with one panel for each column of `log` that has values."""
    from matplotlib.figure import Figure

    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        return
    skipped = {"step", "epoch", "stage"}
    names = [n for n in rows[0] if n not in skipped and any(row[n] for row in rows)]
    height = -(-len(names) // 3)
    figure = Figure(figsize=(15, 3 * height))
    figure.subplots_adjust(0.05, 0.06, 0.98, 0.95, 0.2, 0.4)
    for i, name in enumerate(names):
        axes = figure.add_subplot(height, 3, i + 1)
        points = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        axes.plot(*zip(*points, strict=True), linewidth=1, marker="." if len(points) < 60 else "")
        axes.set_title(name)
        axes.locator_params(nbins=4)
        axes.grid(alpha=0.3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=70)
    publish_bytes(path, buffer.getvalue())
