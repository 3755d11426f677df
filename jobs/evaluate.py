"""Figures of a generator on color photos: `python -m jobs.evaluate DATA`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from colorize_core.archive.source import scan
from colorize_core.config import EvaluateConfig, load_config
from colorize_core.errors import EXIT_DONE, EXIT_RESUME, EXIT_SOME_FAILED, UsageError
from colorize_core.media.images import PHOTO_SUFFIXES
from colorize_core.model.files import resolve_weights
from jobs.command import command, say

if TYPE_CHECKING:
    from colorize_core.archive.source import SourceItem
    from colorize_core.inference.evaluation import Evaluation, Example

_SECONDS_BETWEEN_LINES = 10.0


def parser() -> argparse.ArgumentParser:
    """All options of the job."""
    p = argparse.ArgumentParser(
        prog="python -m jobs.evaluate",
        description="Make color photos gray, color them, and compare with the truth.",
        epilog="exit codes: 0 done, 2 done but some photos failed, 75 stopped, 1 cannot run",
    )
    p.add_argument("data", metavar="DATA", help="color photos: folder, file, glob, zip, tar or URL")
    p.add_argument("--config", type=Path, metavar="YAML", help="settings (configs/evaluate)")
    p.add_argument("--weights", metavar="FILE", help='a .safetensors, or "shipped"')
    p.add_argument("--out", type=Path, default=Path("evaluation"), metavar="DIR")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting")
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    p.add_argument("--limit", type=int, metavar="N", help="only the first N photos")
    p.add_argument(
        "--save-pictures", action="store_true", help="every picture as PNG in DIR/pictures"
    )
    return p


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the table, write the files."""
    config = load_config(EvaluateConfig, args.config, args.set)
    if args.weights:
        config = replace(config, model=replace(config.model, weights=args.weights))
    found = scan(
        args.data, photo_suffixes=PHOTO_SUFFIXES, film_suffixes=frozenset(), exclude=args.out
    )
    items = found.items[: args.limit] if args.limit else found.items
    try:
        return _evaluate(args, config, items, len(found.problems))
    except KeyboardInterrupt:
        say("stopped; the same command starts again from the first photo")
        return EXIT_RESUME


def _evaluate(
    args: argparse.Namespace, config: EvaluateConfig, items: Sequence[SourceItem], problems: int
) -> int:
    from colorize_core.inference.colorizer import Colorizer
    from colorize_core.inference.evaluation import evaluate, load_networks

    colorizer = Colorizer.load(
        resolve_weights(config.model.weights),
        device=args.device,
        precision=config.model.precision,
        batch_size=config.render.batch_size,
        render_size=config.render.size,
    )
    networks = load_networks(config, colorizer.device)
    keeper = _Keeper(args, config, len(items))
    result = evaluate(items, config, colorizer, networks, on_example=keeper)
    for path, error in result.failed:
        say(f"failed: {path}: {error}")
    if not result.pictures:
        raise UsageError(f"{args.data}: no color photo could be read", remedy="check DATA")
    _write(args, config, result, keeper, colorizer.weights_sha256, networks.sha256)
    return EXIT_SOME_FAILED if result.failed or problems else EXIT_DONE


class _Keeper:
    """Keeps the examples of the page, saves pictures if asked to, and says how far it is."""

    def __init__(self, args: argparse.Namespace, config: EvaluateConfig, total: int) -> None:
        import torch

        order = torch.randperm(total, generator=torch.Generator().manual_seed(config.seed))
        self._wanted = set(order[: config.triples].tolist())
        self._folder = args.out / "pictures" if args.save_pictures else None
        self._total = total
        self._said = time.monotonic()
        self.examples: list[Example] = []

    def __call__(self, index: int, example: Example) -> None:
        """Take one picture."""
        if index in self._wanted:
            self.examples.append(example)
        if self._folder is not None:
            _save(self._folder, example)
        if time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            say(f"{index + 1} of {self._total} photos")
            self._said = time.monotonic()


def _save(folder: Path, example: Example) -> None:
    from colorize_core.media.plain import write_picture

    for row, pixels in example.pictures.items():
        write_picture(folder / row.replace(" ", "-") / f"{example.name}.png", pixels)


def _write(
    args: argparse.Namespace,
    config: EvaluateConfig,
    result: Evaluation,
    keeper: _Keeper,
    weights_sha256: str,
    networks: dict[str, str],
) -> None:
    from colorize_core.inference.evaluation import GENERATOR, GRAY, TRUTH, hint_row
    from colorize_core.inference.figures import figures
    from colorize_core.report.evaluation import as_text, write_evaluation

    found = figures(result, resamples=config.resamples, seed=config.seed)
    rows = {
        name: {metric: asdict(figure) for metric, figure in row.items()}
        for name, row in found.items()
    }
    size = "own size" if config.crop == "whole" else f"{config.side} x {config.side}"
    facts = {
        "data": args.data,
        "N": result.pictures,
        "failed": len(result.failed),
        "truth": f"{config.crop}, {size}, 8 bits",
        "working size": config.render.size,
        "weights": config.model.weights,
        "weights sha256": weights_sha256,
        "hints": "none" if hint_row(config) not in rows else f"{config.hints} true points",
        **{f"{name} sha256": digest for name, digest in networks.items()},
    }
    details = {
        "config": asdict(config),
        "failed": [{"path": path, "reason": str(error)} for path, error in result.failed],
    }
    shown = (GRAY, TRUTH, GENERATOR)
    examples = [(example.name, example.pictures) for example in keeper.examples]
    paths = write_evaluation(args.out, rows, facts, details, examples, shown)
    print(as_text(rows, facts))
    for path in paths:
        print(path)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)


if __name__ == "__main__":
    sys.exit(main())
