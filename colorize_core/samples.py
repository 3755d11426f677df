"""The built-in sample: real pictures that scikit-image bundles, made gray, and a short clip.

For the first run, tests and benchmarks. Nothing is downloaded. All of these are in the public
domain (astronaut: NASA; rocket: SpaceX) or CC0 (the others), as scikit-image documents.
"""

# scikit-image is only partly annotated:
# mypy: disable-error-code="no-untyped-call"

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from skimage import color, data, util

from colorize_core.media.picture.plain import write_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLIP = "film/portraits.mp4"


def sample_pictures() -> dict[str, NDArray[np.uint8]]:
    """Four color photos to make gray and compare with: [H, W, 3], uint8 sRGB, by name."""
    return {
        "astronaut": data.astronaut(),
        "cat": data.cat(),
        "coffee": data.coffee(),
        "rocket": data.rocket(),
    }


def gray_sample(name: str) -> NDArray[np.float64]:
    """One of `sample_pictures` as gray, [H, W] in 0..1."""
    gray: NDArray[np.float64] = color.rgb2gray(sample_pictures()[name])
    return gray


def write_sample(folder: Path, *, film: bool = True) -> Path:
    """Write what is missing of the sample under `folder` and return it.

    Seven pictures (JPEG, 8- and 16-bit PNG, 16-bit TIFF, BMP, WebP; one of them sepia) in
    subfolders, and with `film` a clip of three seconds. Every file appears whole or not at all;
    files that are there are left alone, so that a second run has nothing to do.

    Raises:
        OSError: `folder` cannot be written.
    """
    for name, make in _PICTURES.items():
        if not (folder / name).exists():
            write_picture(folder / name, make())
    if film and not (folder / CLIP).exists():
        # Stills must work where PyAV is not installed.
        from colorize_core.media.film.sample_clip import write_clip

        shots = [util.img_as_ubyte(gray_sample(name)) for name in ("astronaut", "cat")]
        write_clip(folder / CLIP, shots)
    return folder


def _gray_8(name: str) -> NDArray[np.uint8]:
    gray: NDArray[np.uint8] = util.img_as_ubyte(gray_sample(name))
    return gray


def _gray_16(name: str) -> NDArray[np.uint16]:
    gray: NDArray[np.uint16] = util.img_as_uint(gray_sample(name))
    return gray


def _sepia(name: str) -> NDArray[np.uint8]:
    """A brown print: still a gray picture, stored as RGB."""
    tone: NDArray[np.uint8] = util.img_as_ubyte(gray_sample(name)[..., None] * (1.0, 0.9, 0.74))
    return tone


_PICTURES: dict[str, Callable[[], NDArray[np.uint8] | NDArray[np.uint16]]] = {
    "people/astronaut.jpg": lambda: _gray_8("astronaut"),
    "people/photographer.png": data.camera,
    "animals/cat, 16 bit.png": lambda: _gray_16("cat"),
    "still life/coffee, 16 bit.tif": lambda: _gray_16("coffee"),
    "places/launch, sepia.jpg": lambda: _sepia("rocket"),
    "places/grass.bmp": data.grass,
    "places/bricks.webp": data.brick,
}
