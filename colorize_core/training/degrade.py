"""From uint8 photos to what the network sees: crop, flip, Lab, the faults of old photos in L.

Everything is batched, runs on the device, and draws from a generator that the caller seeds by step.
Pictures are sRGB-encoded gray [B,1,H,W] in [0,1] while they are degraded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from colorize_core.color.lab import L_to_gray, gray_to_L, rgb_to_lab
from colorize_core.config import DegradeConfig
from colorize_core.model.scale import L_to_net, ab_to_net

_PAPER_AB = (1.0, 4.0)  # the yellow of old paper in Lab; black borders are neutral
_ASPECT_JITTER = 0.22  # log range of the crop's aspect


@dataclass(frozen=True)
class Sample:
    """One training batch at the network's scale."""

    L: Tensor  # [B,1,H,W] in [-1,1], degraded
    ab: Tensor  # [B,2,H,W], ab/110 of the truth


class RandomStream:
    """Random draws on one device from one seeded stream."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.device = device
        self._generator = Generator(device=device).manual_seed(seed)

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Uniform numbers of this shape."""
        return torch.rand(shape, generator=self._generator, device=self.device) * (high - low) + low

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers of this shape."""
        return torch.randn(shape, generator=self._generator, device=self.device)

    def chance(self, batch: int, probability: float) -> Tensor:
        """[batch,1,1,1] of bool."""
        return self.uniform(batch, 1, 1, 1) < probability

    def number(self, low: float, high: float) -> float:
        """One uniform number."""
        return float(self.uniform(1, low=low, high=high))


def make_sample(
    parts: list[Tensor], size: int, config: DegradeConfig, stream: RandomStream
) -> Sample:
    """Crop, flip, convert and degrade uint8 photos [n,side,side,3] into one batch of `size`."""
    rgb = torch.cat([_crop(part, size, config, stream) for part in parts])
    flipped = stream.chance(len(rgb), config.flip)
    rgb = torch.where(flipped, rgb.flip(-1), rgb)
    if config.paste:
        rgb = _paste(rgb, config.paste, stream)
    lab = rgb_to_lab(rgb)
    gray = L_to_gray(lab[:, :1])
    if config.emulsion:
        gray = torch.where(stream.chance(len(rgb), config.emulsion), _emulsion(rgb, stream), gray)
    gray, ab = degrade(gray, lab[:, 1:], config, stream)
    return Sample(L=L_to_net(gray_to_L(gray)), ab=ab_to_net(ab))


def whole_sample(photos: Tensor, size: int) -> Sample:
    """Whole photos uint8 [n,side,side,3] at `size`, nothing random."""
    lab = rgb_to_lab(_resize(photos, size))
    return Sample(L=L_to_net(lab[:, :1]), ab=ab_to_net(lab[:, 1:]))


def _resize(photos: Tensor, height: int, width: int | None = None) -> Tensor:
    rgb = photos.permute(0, 3, 1, 2).float() / 255
    target = (height, width or height)
    if rgb.shape[-2:] == target:
        return rgb
    return F.interpolate(rgb, target, mode="bilinear", antialias=True, align_corners=False).clamp(
        0, 1
    )


def _crop(photos: Tensor, size: int, config: DegradeConfig, stream: RandomStream) -> Tensor:
    """One crop shape for the whole part, another place for each photo."""
    count, side = photos.shape[:2]
    if config.min_crop >= 1.0 or stream.number(0, 1) < config.squeeze:
        return _resize(photos, size)
    scale = side * stream.number(config.min_crop, 1.0)
    stretch = math.exp(stream.number(-_ASPECT_JITTER, _ASPECT_JITTER) / 2)
    height = min(side, max(8, round(scale * stretch)))
    width = min(side, max(8, round(scale / stretch)))
    tops = (stream.uniform(count) * (side - height + 1)).long().tolist()
    lefts = (stream.uniform(count) * (side - width + 1)).long().tolist()
    crops = [p[t : t + height, x : x + width] for p, t, x in zip(photos, tops, lefts, strict=True)]
    return _resize(torch.stack(crops), size)


def _paste(rgb: Tensor, chance: float, stream: RandomStream) -> Tensor:
    """A rectangle of the next picture, from the same place, on some of them.

    The picture as a whole then no longer tells which photo it is, so colors must be learned from
    what is where (CutMix: Yun et al. 2019).
    """
    count = len(rgb)
    rows, columns = _grid(rgb)
    area = stream.uniform(count, 1, 1, 1, low=0.1, high=0.5)
    stretch = torch.exp(stream.uniform(count, 1, 1, 1, low=-0.7, high=0.7))
    inside = stream.chance(count, chance)
    for place, share in ((rows, area * stretch), (columns, area / stretch)):
        half = share.sqrt().clamp_max(0.9)
        center = stream.uniform(count, 1, 1, 1, low=-1, high=1) * (1 - half)
        inside = inside & ((place - center).abs() < half)
    return torch.where(inside, rgb.roll(1, 0), rgb)


def degrade(
    gray: Tensor, ab: Tensor, config: DegradeConfig, stream: RandomStream
) -> tuple[Tensor, Tensor]:
    """Age `gray`; only paper borders change `ab` (Lab units), to the color of paper."""
    count = len(gray)

    def apply(changed: Tensor, probability: float) -> Tensor:
        return torch.where(stream.chance(count, probability), changed, gray)

    if config.contrast:
        gamma = torch.exp(stream.uniform(count, 1, 1, 1, low=-0.35, high=0.35))
        gray = apply(gray.clamp_min(1e-3).pow(gamma), config.contrast)
    if config.vignette:
        gray = apply(_vignette(gray, stream), config.vignette)
    if config.border:
        gray, ab = _border(gray, ab, config.border, stream)
    if config.blur:
        gray = apply(_blur(gray, stream.number(0.4, 1.6)), config.blur)
    if config.fade:
        low = stream.uniform(count, 1, 1, 1, high=0.25)
        high = stream.uniform(count, 1, 1, 1, low=0.7, high=1.0)
        gray = apply(low + gray * (high - low), config.fade)
    if config.grain:
        gray = apply(_grain(gray, stream), config.grain)
    if config.scratches:
        gray = apply(_scratches(gray, stream), config.scratches)
    if config.jpeg:
        gray = apply(_jpeg(gray, stream), config.jpeg)
    return gray.clamp(0, 1), ab


def _emulsion(rgb: Tensor, stream: RandomStream) -> Tensor:
    """As a film sees it that weighs red, green and blue otherwise than L does.

    Orthochromatic film is blind to red, panchromatic film sees more blue than we do, and filters go
    on top: any mixture may come up (Dirichlet distribution with all parameters 1).
    """
    shares = -torch.log(stream.uniform(len(rgb), 3, 1, 1).clamp_min(1e-6))
    return (rgb * (shares / shares.sum(1, keepdim=True))).sum(1, keepdim=True)


def _grid(x: Tensor) -> tuple[Tensor, Tensor]:
    height, width = x.shape[-2:]
    rows = torch.linspace(-1, 1, height, device=x.device)[None, None, :, None]
    columns = torch.linspace(-1, 1, width, device=x.device)[None, None, None, :]
    return rows, columns


def _vignette(gray: Tensor, stream: RandomStream) -> Tensor:
    rows, columns = _grid(gray)
    strength = stream.uniform(len(gray), 1, 1, 1, high=0.6)
    return gray * (1 - strength * (rows**2 + columns**2) / 2)


def _border(gray: Tensor, ab: Tensor, chance: float, stream: RandomStream) -> tuple[Tensor, Tensor]:
    """Paper, white or black around the picture: straight on each side, or an oval window."""
    count = len(gray)
    rows, columns = _grid(gray)
    # Mostly narrow, at most three tenths of the side: some scans show more paper than photo.
    widths = 0.6 * stream.uniform(4, count, 1, 1, 1) ** 2
    top, bottom, left, right = (
        widths * stream.chance(4 * count, 0.8).view(4, count, 1, 1, 1)
    ).unbind(0)
    outside = (rows < top - 1) | (rows > 1 - bottom) | (columns < left - 1) | (columns > 1 - right)
    radius = stream.uniform(count, 1, 1, 1, low=0.75, high=1.1)
    oval = rows**2 + columns**2 > radius**2
    outside = torch.where(stream.chance(count, 0.15), oval, outside)
    outside = outside & stream.chance(count, chance)

    dark = stream.chance(count, 0.25)
    tone = torch.where(
        dark,
        stream.uniform(count, 1, 1, 1, high=0.2),
        stream.uniform(count, 1, 1, 1, low=0.55, high=1.0),
    )
    slope = stream.uniform(count, 1, 1, 1, low=-0.05, high=0.05)
    paper = tone + slope * rows + 0.01 * stream.normal(*gray.shape)
    # Captions: short dark dashes on rows of the paper.
    wide = F.interpolate(stream.uniform(count, 1, 24, 16), gray.shape[-2:], mode="nearest")
    inked = (wide > 0.8) & stream.chance(count, 0.3) & ~dark
    paper = torch.where(inked, paper * 0.5, paper).clamp(0, 1)
    paper_ab = torch.tensor(_PAPER_AB, device=ab.device)[None, :, None, None] * (~dark)
    return torch.where(outside, paper, gray), torch.where(outside, paper_ab, ab)


def _blur(gray: Tensor, sigma: float) -> Tensor:
    reach = max(1, round(2.5 * sigma))
    offsets = torch.arange(-reach, reach + 1, device=gray.device, dtype=gray.dtype)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(gray, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))


def _grain(gray: Tensor, stream: RandomStream) -> Tensor:
    amount = stream.uniform(len(gray), 1, 1, 1, high=0.07)
    noise = stream.normal(*gray.shape)
    coarse = F.interpolate(
        stream.normal(len(gray), 1, gray.shape[-2] // 2, gray.shape[-1] // 2),
        gray.shape[-2:],
        mode="bilinear",
        align_corners=False,
    )
    # Film grain shows most in the mid-tones.
    return gray + amount * (0.6 * noise + 0.8 * coarse) * (1 - (2 * gray - 1) ** 2 * 0.6)


def _scratches(gray: Tensor, stream: RandomStream) -> Tensor:
    count, _, height, width = gray.shape
    near = (stream.uniform(count, 1, 1, width) > 0.985) & (
        torch.linspace(0, 1, height, device=gray.device)[None, None, :, None]
        < stream.uniform(count, 1, 1, width)
    )
    dust = stream.uniform(count, 1, height, width) > 0.9985
    tone = (stream.uniform(count, 1, 1, 1) > 0.4).to(gray.dtype)
    return torch.where(near | dust, 0.3 * gray + 0.7 * tone, gray)


def _jpeg(gray: Tensor, stream: RandomStream) -> Tensor:
    """Quantized 8x8 cosine transform (ITU-T T.81, luminance table approximated by its slope)."""
    count, _, height, width = gray.shape
    k = torch.arange(8, device=gray.device, dtype=gray.dtype)
    basis = torch.cos((2 * k[None, :] + 1) * k[:, None] * math.pi / 16) / 2
    basis[0] /= math.sqrt(2.0)
    blocks = gray.reshape(count, height // 8, 8, width // 8, 8).transpose(2, 3)
    table = (14 + 9 * (k[:, None] + k[None, :])) / 255
    coarseness = torch.exp(stream.uniform(count, 1, 1, 1, 1, low=math.log(0.2), high=math.log(3.0)))
    table = table * coarseness
    spectrum = torch.round(basis @ blocks @ basis.T / table) * table
    return (basis.T @ spectrum @ basis).transpose(2, 3).reshape(gray.shape)
