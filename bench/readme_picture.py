"""Make docs/images/sample.jpg: gray above, the shipped generator's color below.

python -m bench.readme_picture
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from colorize_core import Colorizer
from colorize_core.color.pixels import L_to_pixels, pixels_to_L
from colorize_core.media.picture.plain import write_picture
from colorize_core.samples import sample_pictures

HEIGHT = 260
TARGET = Path(__file__).parents[1] / "docs" / "images" / "sample.jpg"


def main() -> None:
    """Write the picture."""
    colorizer = Colorizer.load(device="cpu")
    columns = []
    for picture in sample_pictures().values():
        gray = L_to_pixels(pixels_to_L(picture))
        width = round(gray.shape[1] * HEIGHT / gray.shape[0])
        pair = [np.repeat(gray[..., None], 3, 2), colorizer.colorize(gray)]
        small = [cv2.resize(p, (width, HEIGHT), interpolation=cv2.INTER_AREA) for p in pair]
        columns.append(np.concatenate(small, axis=0))
    write_picture(TARGET, np.concatenate(columns, axis=1))


if __name__ == "__main__":
    main()
