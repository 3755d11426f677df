"""The generator's pictures per second in torch (fp32, bf16), as ONNX, and as ONNX in 8 bits.

python -m bench.engines [PHOTOS]

PHOTOS calibrate the 8 bits; without them the built-in sample does. Needs the extra "onnx".
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from colorize_core.archive.source.scan import scan
from colorize_core.inference.calibration import calibration_pictures
from colorize_core.inference.colorizer import Colorizer
from colorize_core.media.picture.names import PHOTO_SUFFIXES
from colorize_core.model.files import resolve_weights
from colorize_core.model.onnx_export import INPUT, export_int8, export_onnx
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


def side_by_side(sessions: list[Any], feed: dict[str, Any]) -> Run:
    """One batch in each session at once, as workers of one thread do on a machine's cores."""
    pool = ThreadPoolExecutor(len(sessions))
    return lambda: list(pool.map(lambda session: session.run(None, feed), sessions))


def main(photos: str | None = None) -> None:
    """Print a table for one thread, one for two, and one for two workers of one thread."""
    L = torch.rand(BATCH, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 100
    feed = {INPUT: L.numpy().astype(np.float32)}
    with tempfile.TemporaryDirectory() as folder:
        source = photos or str(write_sample(Path(folder) / "sample", film=False))
        items = scan(source, photo_suffixes=PHOTO_SUFFIXES, film_suffixes=frozenset()).items
        float32, int8 = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        export_onnx(resolve_weights("shipped"), float32)
        pictures = list(calibration_pictures(items))
        moved = export_int8(resolve_weights("shipped"), int8, pictures)
        for threads in (1, 2):
            torch.set_num_threads(threads)
            eager, half = (
                Colorizer.load(device="cpu", batch_size=BATCH, precision=precision)
                for precision in ("fp32", "bf16")
            )
            plain, small = session(float32, threads), session(int8, threads)
            best = best_seconds(
                {
                    "torch fp32": lambda eager=eager: eager.predict_ab(L),
                    "torch bf16": lambda half=half: half.predict_ab(L),
                    "ONNX fp32": lambda plain=plain: plain.run(None, feed),
                    f"ONNX int8 (ab {moved:.1f} off)": lambda small=small: small.run(None, feed),
                }
            )
            show(best, f"{threads} threads", BATCH)
        pairs = {
            name: side_by_side([session(path, 1) for _ in range(2)], feed)
            for name, path in (("ONNX fp32", float32), ("ONNX int8", int8))
        }
        show(best_seconds(pairs), "2 workers of 1 thread", 2 * BATCH)


def show(best: dict[str, float], where: str, pictures: int) -> None:
    """Print pictures per second, and their ratio to the first row's."""
    reference = next(iter(best.values()))
    for name, seconds in best.items():
        print(
            f"{name}, {SIDE}x{SIDE}, batch {BATCH}, {where}: "
            f"{pictures / seconds:.1f} pictures/s, x {reference / seconds:.2f}"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench.engines")
    parser.add_argument("photos", nargs="?", metavar="PHOTOS")
    main(parser.parse_args().photos)
