"""Film: integer Y' to L, and ab to integer Cb and Cr that leave Y' alone.

Matrices from Kr and Kb of ITU-R BT.601, BT.709 and BT.2020 (non-constant luminance); ranges as in
ISO/IEC 23091-2 (H.273). The matrix also decides the primaries: BT.2020 streams get BT.2020
primaries, all others BT.709's (those of BT.601 differ by less than the prediction's error).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import torch
from torch import Tensor

from colorize_core.color.lab import L_to_luminance, lab_to_linear
from colorize_core.color.matrices import KR_KB, Matrix
from colorize_core.color.transfer import (
    HDR,
    TRANSFERS,
    L_to_encoded,
    Transfer,
    encode,
    encoded_to_L,
    without_shoulder,
)
from colorize_core.color.upsample import Method, upsample_rows

# Linear light, BT.709 primaries to BT.2020 primaries (ITU-R BT.2087, table 2.2).
_709_TO_2020: Final = (
    (0.627403895934699, 0.329283038377884, 0.043313065687417),
    (0.069097289358232, 0.919540395075459, 0.011362315566309),
    (0.016391438875150, 0.088013307877226, 0.895595253247624),
)


@dataclass(frozen=True)
class YCbCrSpec:
    """How a stream codes color.

    Attributes:
        matrix: between Y'CbCr and R'G'B'.
        full_range: Y' runs over all codes; otherwise over 16..235 (times 2^(bit_depth - 8)).
        bit_depth: 8 to 16.
        transfer: between R'G'B' and light; "bt1886" stands for all camera curves.
    """

    matrix: Matrix
    full_range: bool
    bit_depth: int
    transfer: Transfer = "bt1886"

    def __post_init__(self) -> None:
        if self.matrix not in KR_KB:
            raise ValueError(f"matrix {self.matrix!r} is not one of {', '.join(KR_KB)}")
        if self.transfer not in TRANSFERS:
            raise ValueError(f"transfer {self.transfer!r} is unknown")
        if not 8 <= self.bit_depth <= 16:
            raise ValueError(f"bit depth {self.bit_depth} is not within 8..16")

    @property
    def middle(self) -> int:
        """Code of Cb = 0 and Cr = 0."""
        return 1 << (self.bit_depth - 1)

    @property
    def luma_span(self) -> tuple[int, int]:
        """Codes of Y' = 0 and Y' = 1."""
        if self.full_range:
            return 0, (1 << self.bit_depth) - 1
        return 16 << (self.bit_depth - 8), 235 << (self.bit_depth - 8)

    @property
    def chroma_span(self) -> int:
        """Codes between Cb = -0.5 and Cb = 0.5."""
        return (1 << self.bit_depth) - 1 if self.full_range else 224 << (self.bit_depth - 8)


def luma_to_L(Y: Tensor, spec: YCbCrSpec) -> Tensor:
    """Lightness of a decoded Y' plane, by table.

    Args:
        Y: integer codes, any shape. Codes outside the nominal range count as black or white.
        spec: of the stream.

    Returns:
        L of the same shape, float32, 0..100.
    """
    return _luma_table(spec).to(Y.device)[Y.long()]


@cache
def _luma_table(spec: YCbCrSpec) -> Tensor:
    black, white = spec.luma_span
    codes = torch.arange(1 << spec.bit_depth, dtype=torch.float64)
    return encoded_to_L(((codes - black) / (white - black)).clamp(0.0, 1.0), spec.transfer).float()


def codes_to_luma(Y: Tensor, spec: YCbCrSpec) -> Tensor:
    """Y' codes of any shape (or averages of codes, float) to float32 in [0,1]."""
    black, white = spec.luma_span
    return (Y.float() - black).mul_(1.0 / (white - black)).clamp_(0.0, 1.0)


def luma_to_codes(luma: Tensor, spec: YCbCrSpec) -> Tensor:
    """Y' in [0,1] of any shape to codes, float32, not rounded: the inverse of `codes_to_luma`."""
    black, white = spec.luma_span
    return luma * (white - black) + black


def codes_to_rgb(luma: Tensor, cbcr: Tensor, spec: YCbCrSpec) -> Tensor:
    """R'G'B' [B,3,h,w] in [0,1] of Y' [B,1,h,w] in [0,1] and of codes of Cb and Cr [B,2,h,w]."""
    kr, kb = KR_KB[spec.matrix]
    cb, cr = ((cbcr - spec.middle) / spec.chroma_span).unbind(1)
    Y = luma[:, 0]
    red, blue = Y + (2.0 - 2.0 * kr) * cr, Y + (2.0 - 2.0 * kb) * cb
    green = (Y - kr * red - kb * blue) / (1.0 - kr - kb)
    return torch.stack((red, green, blue), 1).clamp(0.0, 1.0)


def ab_to_cbcr(L: Tensor, ab: Tensor, spec: YCbCrSpec) -> Tensor:
    """Cb and Cr of the color (L, ab); its own Y' is discarded.

    Args:
        L: [B,1,h,w], 0..100.
        ab: [B,2,h,w].
        spec: of the stream.

    Returns:
        [B,2,h,w] float32, nominally -0.5..0.5; not yet fitted into the gamut.
    """
    lab = torch.cat((L, ab), 1).float()
    linear = lab_to_linear(lab)
    if spec.transfer in HDR:
        shown = L_to_luminance(lab[:, :1])
        linear = linear * (without_shoulder(lab[:, :1]) / shown.clamp(min=1e-9))
    if spec.matrix == "bt2020nc":
        r, g, b = linear.unbind(1)
        linear = torch.stack([r * m[0] + g * m[1] + b * m[2] for m in _709_TO_2020], 1)
    kr, kb = KR_KB[spec.matrix]
    red, green, blue = encode(linear, spec.transfer, (kr, kb)).unbind(1)
    luma = kr * red + (1.0 - kr - kb) * green + kb * blue
    return torch.stack(((blue - luma) / (2.0 - 2.0 * kb), (red - luma) / (2.0 - 2.0 * kr)), 1)


def fit_cbcr(luma: Tensor, cbcr: Tensor, spec: YCbCrSpec) -> tuple[Tensor, Tensor]:
    """Scale Cb and Cr down together until R'G'B' lies in [0,1] beside the source's Y', and round.

    Args:
        luma: [B,1,h,w], Y' of the source at the size of the chroma planes, 0..1 (`codes_to_luma`).
        cbcr: [B,2,h,w], nominally -0.5..0.5.
        spec: of the stream.

    Returns:
        Cb and Cr codes [B,h,w]: uint8 for 8 bits, else uint16.
    """
    cb, cr = cbcr.unbind(1)
    kr, kb = KR_KB[spec.matrix]
    red, blue = cr * (2.0 - 2.0 * kr), cb * (2.0 - 2.0 * kb)
    green = (red * kr).add_(blue * kb).mul_(-1.0 / (1.0 - kr - kb))
    highest = torch.maximum(red, blue)
    highest = torch.maximum(highest, green, out=highest).clamp_(min=1e-9)
    lowest = torch.minimum(red, blue, out=red)
    lowest = torch.minimum(lowest, green, out=lowest).clamp_(max=-1e-9)
    room = (1.0 - luma[:, 0]).div_(highest)
    share = torch.minimum(room, torch.div(-luma[:, 0], lowest, out=lowest), out=room)
    share.clamp_(0.0, 1.0)
    return _to_codes(cb * share, spec), _to_codes(cr * share, spec)


def chroma_from_ab(L: Tensor, ab: Tensor, spec: YCbCrSpec) -> tuple[Tensor, Tensor]:
    """Cb and Cr codes [B,h,w] of L [B,1,h,w] and ab [B,2,h,w]; `ab_to_cbcr`, then `fit_cbcr`."""
    luma = L_to_encoded(L.float(), spec.transfer)
    return fit_cbcr(luma, ab_to_cbcr(L, ab, spec), spec)


def chroma_planes(
    luma: Tensor, L_low: Tensor, ab_low: Tensor, spec: YCbCrSpec, *, method: Method = "guided"
) -> tuple[Tensor, Tensor]:
    """Chroma planes of film frames from ab at working size.

    The color is turned into Cb and Cr at working size, where this is cheap, then enlarged along the
    edges of Y' and fitted into the gamut at full size.

    Args:
        luma: [B,1,h,w], Y' at the size of the chroma planes, 0..1 (`codes_to_luma`).
        L_low: [B,1,h',w'], what the generator saw, without padding, 0..100.
        ab_low: [B,2,h',w'].
        spec: of the stream.
        method: see `upsample_ab`.

    Returns:
        Cb and Cr codes [B,h,w]: uint8 for 8 bits, else uint16.
    """
    batch, _, height, width = luma.shape
    dtype = torch.uint8 if spec.bit_depth == 8 else torch.uint16
    planes = torch.empty((2, batch, height, width), dtype=dtype, device=luma.device)
    cbcr = ab_to_cbcr(L_low, ab_low, spec)
    luma_low = L_to_encoded(L_low.float(), spec.transfer)
    # The guide is compared on the scale of L.
    for rows, strip in upsample_rows(cbcr, luma_low * 100.0, luma * 100.0, method=method):
        planes[0, :, rows], planes[1, :, rows] = fit_cbcr(luma[:, :, rows], strip, spec)
    return planes[0], planes[1]


def _to_codes(chroma: Tensor, spec: YCbCrSpec) -> Tensor:
    lowest, highest = 0, (1 << spec.bit_depth) - 1
    if not spec.full_range:
        lowest, highest = 16 << (spec.bit_depth - 8), 240 << (spec.bit_depth - 8)
    codes = chroma.mul(spec.chroma_span).round_().add_(spec.middle).clamp_(lowest, highest)
    return codes.to(torch.uint8 if spec.bit_depth == 8 else torch.uint16)
