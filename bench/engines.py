"""The generator's pictures per second in torch, as ONNX and as ONNX with 8-bit convolutions.

python -m bench.engines [PHOTOS]

PHOTOS calibrate the 8 bits; without them the built-in sample does. Needs the extra "onnx".
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from colorize_core.archive.source import scan
from colorize_core.inference.colorizer import Colorizer
from colorize_core.inference.export import INPUT, export_int8, export_onnx
from colorize_core.media.images import PHOTO_SUFFIXES
from colorize_core.model.files import resolve_weights
from colorize_core.samples import write_sample

BATCH, SIDE = 8, 256
TURNS = 12
Run = Callable[[], Any]


def session(path: Path, threads: int) -> Any:
    """ONNX Runtime on so many CPU threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def best_seconds(runs: dict[str, Run]) -> dict[str, float]:
    """Of one batch; the engines take turns, so that a busy machine slows all alike."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(TURNS):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - started)
    return best


def main(photos: str | None = None) -> None:
    """Print a table for one thread and one for two."""
    L = torch.rand(BATCH, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 100
    feed = {INPUT: L.numpy().astype(np.float32)}
    with tempfile.TemporaryDirectory() as folder:
        source = photos or str(write_sample(Path(folder) / "sample", film=False))
        items = scan(source, photo_suffixes=PHOTO_SUFFIXES, film_suffixes=frozenset()).items
        float32, int8 = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        export_onnx(resolve_weights("shipped"), float32)
        moved = export_int8(resolve_weights("shipped"), int8, items)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            colorizer = Colorizer.load(device="cpu", batch_size=BATCH)
            plain, small = session(float32, threads), session(int8, threads)
            best = best_seconds(
                {
                    "torch fp32": lambda colorizer=colorizer: colorizer.predict_ab(L),
                    "ONNX fp32": lambda plain=plain: plain.run(None, feed),
                    f"ONNX int8 (ab {moved:.1f} off)": lambda small=small: small.run(None, feed),
                }
            )
            reference = best["torch fp32"]
            for name, seconds in best.items():
                rate, ratio = BATCH / seconds, reference / seconds
                print(
                    f"{name}, {SIDE}x{SIDE}, batch {BATCH}, {threads} threads: "
                    f"{rate:.1f} pictures/s, x {ratio:.2f}"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.engines")
    parser.add_argument("photos", nargs="?", metavar="PHOTOS")
    main(parser.parse_args().photos)
