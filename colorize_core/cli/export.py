"""A generator as ONNX, for other programs: `colorize-archive export OUT.onnx`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from colorize_core.archive.source.scan import scan
from colorize_core.archive.storage.opening import user_path
from colorize_core.cli.command import Parser, command
from colorize_core.errors import EXIT_DONE, UsageError
from colorize_core.media.film.names import FILM_SUFFIXES
from colorize_core.media.picture.names import PHOTO_SUFFIXES
from colorize_core.model.files import resolve_weights


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(
        prog="colorize-archive export",
        description="Write a generator as ONNX: L (0..100) in, ab out, any batch and size.",
        epilog='needs the extra "onnx"; exit codes: 0 done, 1 cannot run',
    )
    p.add_argument("output", metavar="OUT.onnx", type=user_path, help="file to write")
    p.add_argument(
        "--weights", metavar="FILE", default="shipped", help='a .safetensors, or "shipped"'
    )
    p.add_argument(
        "--int8",
        metavar="PHOTOS",
        help="8-bit convolutions, calibrated on some of these photos (folder, file, zip, tar)",
    )
    return p


def run(args: argparse.Namespace) -> int:
    """Export, compare with torch, and say how well they agree."""
    if args.output.suffix != ".onnx":
        raise UsageError(f"{args.output}: not an .onnx name", remedy="give OUT.onnx")
    weights = resolve_weights(args.weights)
    from colorize_core.inference.calibration import calibration_pictures
    from colorize_core.model.onnx_export import export_int8, export_onnx

    if args.int8:
        found = scan(args.int8, photo_suffixes=PHOTO_SUFFIXES, film_suffixes=FILM_SUFFIXES)
        photos = [item for item in found.items if item.kind == "photo"]
        difference = export_int8(weights, args.output, list(calibration_pictures(photos)))
        print(f"{args.output}: ab {difference:.2g} (root mean square) from torch's")
    else:
        difference = export_onnx(weights, args.output)
        print(f"{args.output}: ab within {difference:.1g} of torch's")
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
