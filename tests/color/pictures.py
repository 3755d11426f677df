"""Pictures the color tests share: scikit-image's, as tensors."""

import numpy as np
import torch
from skimage import data

BUNDLED = ("astronaut", "coffee", "chelsea", "rocket")


def to_tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(image, dtype=np.float32)).permute(2, 0, 1)[None]


def to_array(tensor: torch.Tensor) -> np.ndarray:
    return tensor[0].permute(1, 2, 0).double().numpy()


def bundled(name: str, multiple: int = 1) -> torch.Tensor:
    """RGB [1,3,H,W] in [0,1], cut to a multiple in both directions."""
    image = getattr(data, name)()
    height, width = (side // multiple * multiple for side in image.shape[:2])
    return to_tensor(image[:height, :width]) / 255.0


def color_cube(steps: int) -> np.ndarray:
    """All combinations of `steps` levels of R, G and B: [1, steps^3, 3] in [0,1]."""
    axis = np.linspace(0, 1, steps)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(1, -1, 3)


def lab_grid(chroma: float = 120.0) -> torch.Tensor:
    """Lab far beyond sRGB in all directions: [1,3,41,41*41]."""
    L, a, b = torch.meshgrid(
        torch.linspace(0, 100, 41),
        torch.linspace(-chroma, chroma, 41),
        torch.linspace(-chroma, chroma, 41),
        indexing="ij",
    )
    return torch.stack((L, a, b)).reshape(1, 3, 41, -1)
