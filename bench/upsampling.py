"""What upsampling along L's edges gains over bilinear: ab-PSNR near edges, on true colors.

python -m bench.upsampling
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from colorize_core.color.letterbox import Letterbox
from colorize_core.color.pixels import pixels_to_lab
from colorize_core.color.upsample import upsample_ab
from colorize_core.samples import sample_pictures

SIZE = 256
EDGE_SHARE = 0.1


def main() -> None:
    """Print dB per picture: all pixels, and the tenth with the strongest luma edges."""
    print(f"ab-PSNR in dB from working size {SIZE} (all / near edges)")
    for name, picture in sample_pictures().items():
        lab = pixels_to_lab(picture)
        L, ab = lab[:, :1], lab[:, 1:]
        box = Letterbox.of(*L.shape[-2:], SIZE)
        low_L, low_ab = box.shrink(L), box.shrink(ab)
        edges = strength_of_edges(L)
        near = edges >= edges.flatten().quantile(1 - EDGE_SHARE)
        cells = []
        for method in ("bilinear", "guided"):
            error = (upsample_ab(low_ab, low_L, L, method=method) - ab).square().mean(1)[0]
            cells.append(f"{method} {psnr(error.mean())} / {psnr(error[near].mean())}")
        print(f"{name:12}" + "   ".join(cells))


def strength_of_edges(L: torch.Tensor) -> torch.Tensor:
    """Central differences of L, (H, W)."""
    padded = F.pad(L, (1, 1, 1, 1), mode="replicate")[0, 0]
    across = padded[1:-1, 2:] - padded[1:-1, :-2]
    down = padded[2:, 1:-1] - padded[:-2, 1:-1]
    return torch.hypot(across, down)


def psnr(mean_square: torch.Tensor) -> str:
    """Against the range of ab, 220."""
    return f"{float(10 * torch.log10(220**2 / mean_square)):.2f}"


if __name__ == "__main__":
    main()
