"""Memory for large photos, as a multiple of the picture that is written.

python -m bench.memory [--megapixels 40]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from colorize_core.archive.records.work import ImageShard, PhotoTask
from colorize_core.archive.source.item import SourceItem
from colorize_core.config import ColorizeConfig, ModelSettings
from colorize_core.media.picture.plain import write_picture
from colorize_core.model.files import identity_of, resolve_weights

CONFIG = ColorizeConfig(model=ModelSettings(precision="fp32"))


def made(height: int, width: int, dtype: type) -> np.ndarray:
    """Gray blobs with grain."""
    rng = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    rows, columns = np.sin(np.arange(height) / 97), np.cos(np.arange(width) / 61)
    picture = np.empty((height, width), dtype)
    for y in range(height):
        line = 0.5 + 0.4 * rows[y] * columns + rng.normal(0, 0.02, width)
        picture[y] = np.clip(line, 0, 1) * top
    return picture


def colorize(path: Path, out: Path) -> None:
    """One small photo, then this one, in the worker; prints the memory before and at the peak."""
    from colorize_core.inference.worker import Worker

    sha256 = identity_of(resolve_weights("shipped"))
    worker = Worker(out=out, weights="shipped", weights_sha256=sha256, device="cpu")
    peaks = []
    for photo in (path.with_name("small.png"), path):
        found = photo.stat()
        stamp = f"mtime_ns:{found.st_mtime_ns}"
        item = SourceItem(photo.name, str(photo), found.st_size, stamp, "photo")
        report = worker.run(ImageShard((PhotoTask("k", item, photo.name),), CONFIG))
        assert report.items[0].status in ("done", "degraded"), report.items[0].reason
        peaks.append(highest())
    print(json.dumps(peaks))


def highest() -> int:
    """Most bytes that this process had resident so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for a JPEG, one for a TIFF of 16 bits, one for a gray picture stored as RGB."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=40)
    pixels = parser.parse_args(arguments).megapixels * 1e6
    height = round((pixels * 3 / 4) ** 0.5)
    width = round(pixels / height)
    with tempfile.TemporaryDirectory() as folder:
        write_picture(Path(folder) / "small.png", made(300, 400, np.uint8))
        for name, dtype in (
            ("large.jpg", np.uint8), ("large.tif", np.uint16), ("rgb.tif", np.uint8),
        ):  # fmt: skip
            path = Path(folder) / name
            picture = made(height, width, dtype)
            save(path, np.repeat(picture[..., None], 3, 2) if name == "rgb.tif" else picture)
            code = "import sys; from pathlib import Path; from bench.memory import colorize; "
            code += "colorize(Path(sys.argv[1]), Path(sys.argv[2]))"
            command = [sys.executable, "-c", code, str(path), str(Path(folder) / "out")]
            before, peak = json.loads(
                subprocess.run(command, check=True, capture_output=True).stdout.splitlines()[-1]
            )
            decoded = 3 * height * width * np.dtype(dtype).itemsize
            print(
                f"{name} {width}x{height}, {path.stat().st_size / 1e6:.0f} MB: "
                f"{(peak - before) / 1e6:.0f} MB above the {before / 1e6:.0f} MB of a small photo, "
                f"{(peak - before) / decoded:.1f} x the RGB picture (goal: 6)"
            )


def save(path: Path, picture: np.ndarray) -> None:
    """As JPEG by the project's writer, as TIFF by tifffile."""
    if path.suffix == ".tif":
        import tifffile

        tifffile.imwrite(path, picture)
    else:
        write_picture(path, picture)


if __name__ == "__main__":
    main()
