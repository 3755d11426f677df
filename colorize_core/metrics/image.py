"""Metrics of single pictures, and of sets of pictures that need no network.

Pictures are sRGB, float32 [B,3,H,W] in [0,1]. PSNR and SSIM cannot rank colorizers (the gray copy
scores well): read them beside colorfulness and CIEDE2000.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

# Identical 8-bit pictures would have infinite PSNR, and one of them would hide all others' mean.
MSE_FLOOR: Final = 1e-3 / 255.0**2

SSIM_WINDOW: Final = 11
_SSIM_RADIUS: Final = SSIM_WINDOW // 2
AB_BINS: Final = 22
AB_LIMIT: Final = 110.0
# Gray lies where four cells meet, and rounding would deal gray pixels out to all of them. So it is
# put where scikit-image's Lab has it, whose white point is off its own matrix by this (times f(Y),
# and not for black).
_GRAY_NUDGE: Final = (-0.00246, 0.00465)
_NO_VARIANCE: Final = 1e-4  # of a or b: gray pixels vary by rounding


def mse(output: Tensor, truth: Tensor) -> Tensor:
    """Mean squared error per picture over all channels, [B]."""
    return (output.double() - truth.double()).square().mean((1, 2, 3))


def psnr(mse_per_picture: Tensor) -> Tensor:
    """PSNR in dB, peak 1, per picture from `mse`; at most 78.1 dB."""
    return -10.0 * torch.log10(mse_per_picture.clamp(min=MSE_FLOOR))


def pooled_psnr(mse_per_picture: Tensor) -> float:
    """PSNR in dB of the mean error over all pictures: dominated by the worst, unlike `psnr`."""
    return float(psnr(mse_per_picture.mean()))


def ssim(output: Tensor, truth: Tensor) -> Tensor:
    """SSIM per picture over RGB, [B] (Wang et al. 2004: Gaussian window 11, sigma 1.5).

    Only windows that lie inside the picture count, as in the paper; torchmetrics' own mean takes in
    the padded border too.

    Raises:
        ValueError: a side is shorter than the window.
    """
    if min(output.shape[-2:]) < SSIM_WINDOW:
        raise ValueError(f"SSIM needs sides of 11 pixels, found {tuple(output.shape[-2:])}")
    _, full = structural_similarity_index_measure(
        output, truth, data_range=1.0, reduction="none", return_full_image=True
    )
    inner = slice(_SSIM_RADIUS, -_SSIM_RADIUS)
    return torch.as_tensor(full)[:, :, inner, inner].mean((1, 2, 3))


def colorfulness(rgb: Tensor) -> Tensor:
    """Colorfulness as colorization papers compute it, [B]: |R - G| and |(R + G)/2 - B|, 0..255."""
    red_green, yellow_blue = _opponents(rgb)
    return _colorfulness(red_green.abs(), yellow_blue.abs())


def colorfulness_signed(rgb: Tensor) -> Tensor:
    """Colorfulness as Hasler and Suesstrunk (2003) defined it, [B]: with signs, 0..255."""
    return _colorfulness(*_opponents(rgb))


def _opponents(rgb: Tensor) -> tuple[Tensor, Tensor]:
    red, green, blue = (rgb.double() * 255.0).flatten(2).unbind(1)
    return red - green, 0.5 * (red + green) - blue


def _colorfulness(red_green: Tensor, yellow_blue: Tensor) -> Tensor:
    spread = torch.hypot(red_green.std(1, correction=0), yellow_blue.std(1, correction=0))
    return spread + 0.3 * torch.hypot(red_green.mean(1), yellow_blue.mean(1))


def ab_histogram(lab: Tensor) -> Tensor:
    """Share of pixels per cell of the ab plane, [B,22,22] over -110..110, rows are a.

    Pixels outside the plane's limits are left out.
    """
    batch = lab.shape[0]
    nudge = torch.tensor(_GRAY_NUDGE, dtype=torch.float64, device=lab.device)[:, None]
    L, ab = lab[:, :1].flatten(2).double(), lab[:, 1:].flatten(2).double()
    ab = ab + nudge * ((L + 16.0) / 116.0) * (L > 0)
    cells = ((ab + AB_LIMIT) * (AB_BINS / (2 * AB_LIMIT))).floor()
    inside = ((cells >= 0) & (cells < AB_BINS)).all(1)
    index = (cells[:, 0] * AB_BINS + cells[:, 1]).long().clamp(0, AB_BINS**2 - 1)
    counts = torch.zeros(batch, AB_BINS**2, dtype=torch.float64, device=lab.device)
    counts.scatter_add_(1, index, inside.double())
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1.0)
    return shares.view(batch, AB_BINS, AB_BINS)


def ab_moments(lab: Tensor, truth: Tensor) -> Tensor:
    """Means over a picture's pixels from which `explained_variance` is computed, [B,2,5].

    Of a and of b: predicted, true, predicted squared, true squared, predicted times true.

    Args:
        lab: [B,3,H,W].
        truth: the same.
    """
    predicted, true = lab[:, 1:].flatten(2).double(), truth[:, 1:].flatten(2).double()
    products = (predicted, true, predicted.square(), true.square(), predicted * true)
    return torch.stack([product.mean(2) for product in products], 2)


def explained_variance(moments: Tensor) -> Tensor:
    """Squared correlation of predicted and true a and b, [...,2]; 0 where one does not vary.

    How much of the truth is known at all: more or less saturation changes nothing in it.

    Args:
        moments: means of `ab_moments` over pictures, [...,2,5].
    """
    p, t, pp, tt, pt = moments.unbind(-1)
    predicted, true = pp - p.square(), tt - t.square()
    varies = (predicted > _NO_VARIANCE) & (true > _NO_VARIANCE)
    return torch.where(varies, (pt - p * t).square() / (predicted * true), 0.0)


def js_divergence(p: Tensor, q: Tensor) -> float:
    """Jensen-Shannon divergence of two distributions of one shape, natural logarithm, 0..ln 2."""
    middle = (p + q) / 2
    return float((_kl(p, middle) + _kl(q, middle)) / 2)


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return torch.xlogy(p, p / q.clamp(min=1e-300)).sum()


def ciede2000(lab1: Tensor, lab2: Tensor) -> Tensor:
    """CIEDE2000 color difference per pixel, [B,H,W] (Sharma, Wu and Dalal 2005; kL = kC = kH = 1).

    Args:
        lab1: [B,3,H,W].
        lab2: [B,3,H,W].
    """
    L1, a1, b1 = lab1.double().unbind(1)
    L2, a2, b2 = lab2.double().unbind(1)
    mean_chroma7 = ((torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2).pow(7)
    stretch = 1.5 - 0.5 * (mean_chroma7 / (mean_chroma7 + 25.0**7)).sqrt()
    a1, a2 = a1 * stretch, a2 * stretch
    chroma1, chroma2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    hue1, hue2 = _hue(a1, b1), _hue(a2, b2)
    turn, mean_hue = _hue_difference(hue1, hue2, (chroma1 * chroma2) == 0)
    delta_hue = 2 * (chroma1 * chroma2).sqrt() * torch.sin(turn / 2)
    mean_L, mean_chroma = (L1 + L2) / 2, (chroma1 + chroma2) / 2
    weight_L, weight_chroma, weight_hue, rotation = _weights(mean_L, mean_chroma, mean_hue)
    L_part = (L2 - L1) / weight_L
    chroma_part = (chroma2 - chroma1) / weight_chroma
    hue_part = delta_hue / weight_hue
    total = L_part**2 + chroma_part**2 + hue_part**2 + rotation * chroma_part * hue_part
    return total.clamp(min=0).sqrt()


def _hue(a: Tensor, b: Tensor) -> Tensor:
    return torch.atan2(b, a) % (2 * math.pi)


def _hue_difference(hue1: Tensor, hue2: Tensor, achromatic: Tensor) -> tuple[Tensor, Tensor]:
    """Signed turn from the first hue to the second, and the hue between; radians."""
    turn = hue2 - hue1
    total = hue1 + hue2
    is_far = turn.abs() > math.pi
    turn = torch.where(is_far, turn - 2 * math.pi * turn.sign(), turn)
    wrapped = torch.where(total < 2 * math.pi, total + 2 * math.pi, total - 2 * math.pi)
    mean = torch.where(is_far, wrapped, total) / 2
    return torch.where(achromatic, 0.0, turn), torch.where(achromatic, total, mean)


def _weights(L: Tensor, chroma: Tensor, hue: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """S_L, S_C, S_H and R_T of the formula."""
    t = (
        1
        - 0.17 * torch.cos(hue - math.radians(30))
        + 0.24 * torch.cos(2 * hue)
        + 0.32 * torch.cos(3 * hue + math.radians(6))
        - 0.20 * torch.cos(4 * hue - math.radians(63))
    )
    off_middle = (L - 50) ** 2
    bend = torch.exp(-(((torch.rad2deg(hue) - 275) / 25) ** 2)) * math.radians(30)
    chroma7 = chroma**7
    rotation = -2 * (chroma7 / (chroma7 + 25.0**7)).sqrt() * torch.sin(2 * bend)
    weight_L = 1 + 0.015 * off_middle / (20 + off_middle).sqrt()
    return weight_L, 1 + 0.045 * chroma, 1 + 0.015 * chroma * t, rotation
