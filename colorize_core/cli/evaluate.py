"""Figures of a generator on color photos and films: `colorize-archive evaluate DATA`."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from colorize_core.archive.source.scan import scan
from colorize_core.archive.storage.opening import user_path
from colorize_core.cli.command import Parser, command, say, settings_file
from colorize_core.config import EvaluateConfig, as_tree, load_config
from colorize_core.errors import EXIT_DONE, EXIT_RESUME, EXIT_SOME_FAILED, UsageError
from colorize_core.media.film.names import FILM_SUFFIXES
from colorize_core.media.picture.names import PHOTO_SUFFIXES
from colorize_core.model.files import resolve_weights

if TYPE_CHECKING:
    from colorize_core.archive.source.item import SourceItem
    from colorize_core.errors import InputError
    from colorize_core.evaluation.clips import ClipEvaluation
    from colorize_core.evaluation.networks import Networks
    from colorize_core.evaluation.photos import Evaluation, Example
    from colorize_core.inference.colorizer import Colorizer
    from colorize_core.report.evaluation import Rows

_SECONDS_BETWEEN_LINES = 10.0


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(
        settings=EvaluateConfig,
        prog="colorize-archive evaluate",
        description="Make color photos and films gray, color them, and compare with the truth.",
        epilog="exit codes: 0 done, 2 done but some items failed, 75 stopped, 1 cannot run",
    )
    p.add_argument(
        "data", metavar="DATA", help="color photos or films: folder, file, glob, zip, tar or URL"
    )
    p.add_argument(
        "--config",
        type=settings_file("evaluate"),
        metavar="YAML",
        help="settings (configs/evaluate)",
    )
    p.add_argument("--weights", metavar="FILE", help='a .safetensors, or "shipped"')
    p.add_argument("--out", type=user_path, default=Path("evaluation"), metavar="DIR")
    p.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="one setting")
    p.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    p.add_argument("--limit", type=int, metavar="N", help="only the first N photos and N films")
    p.add_argument(
        "--save-pictures", action="store_true", help="every picture as PNG in DIR/pictures"
    )
    return p


def run(args: argparse.Namespace) -> int:
    """Evaluate, print the tables, write the files."""
    config = load_config(EvaluateConfig, args.config, args.set)
    if args.weights:
        config = replace(config, model=replace(config.model, weights=args.weights))
    found = scan(
        args.data, photo_suffixes=PHOTO_SUFFIXES, film_suffixes=FILM_SUFFIXES, exclude=args.out
    )
    try:
        return _evaluate(args, config, found.items, len(found.problems))
    except KeyboardInterrupt:
        say("stopped; the same command starts again from the first photo")
        return EXIT_RESUME


@dataclass
class _Judged:
    """What was found, and the pictures of the page."""

    photos: Evaluation
    films: ClipEvaluation
    examples: list[Example]

    @property
    def failed(self) -> list[tuple[str, InputError]]:
        return [*self.photos.failed, *self.films.failed]


def _evaluate(
    args: argparse.Namespace, config: EvaluateConfig, items: Sequence[SourceItem], problems: int
) -> int:
    from colorize_core.evaluation.networks import load_networks
    from colorize_core.inference.colorizer import Colorizer

    colorizer = Colorizer.load(
        resolve_weights(config.model.weights),
        device=args.device,
        precision=config.model.precision,
        batch_size=config.render.batch_size,
        render_size=config.render.size,
    )
    networks = load_networks(config, colorizer.device)
    judged = _judge(args, config, items, colorizer, networks)
    for path, error in judged.failed:
        say(f"failed: {path}: {error}")
    if not judged.photos.pictures and not judged.films.clips:
        raise UsageError(f"{args.data}: no color photo or film could be read", remedy="check DATA")
    _write(args, config, judged, colorizer.weights_sha256, networks.sha256)
    return EXIT_SOME_FAILED if judged.failed or problems else EXIT_DONE


def _judge(
    args: argparse.Namespace,
    config: EvaluateConfig,
    items: Sequence[SourceItem],
    colorizer: Colorizer,
    networks: Networks,
) -> _Judged:
    from colorize_core.evaluation.clips import evaluate_clips
    from colorize_core.evaluation.photos import evaluate

    photos = [item for item in items if item.kind == "photo"][: args.limit]
    films = [item for item in items if item.kind == "film"][: args.limit]
    keeper = _Keeper(args, config, len(photos))
    found = evaluate(photos, config, colorizer, networks, on_example=keeper)
    with tempfile.TemporaryDirectory(prefix="evaluate-") as staging:
        clips = evaluate_clips(films, config, colorizer, Path(staging))
    return _Judged(found, clips, [*keeper.examples, *clips.examples])


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
    from colorize_core.media.picture.plain import write_picture

    for row, pixels in example.pictures.items():
        write_picture(folder / row.replace(" ", "-") / f"{example.name}.png", pixels)


def _write(
    args: argparse.Namespace,
    config: EvaluateConfig,
    judged: _Judged,
    weights_sha256: str,
    networks: dict[str, str],
) -> None:
    from colorize_core.evaluation.photos import GENERATOR, GRAY, TRUTH
    from colorize_core.report.evaluation import as_text, write_evaluation

    tables = _tables(judged, config)
    facts = {
        "data": args.data,
        **_photo_facts(judged, config),
        **_film_facts(judged, config),
        "failed": len(judged.failed),
        "working size": config.render.size,
        "weights": config.model.weights,
        "weights sha256": weights_sha256,
        **{f"{name} sha256": digest for name, digest in networks.items()},
    }
    details = {
        "config": as_tree(config),
        "failed": [{"path": path, "reason": str(error)} for path, error in judged.failed],
        "each film": {
            path: {name: row.figures() for name, row in rows.items()}
            for path, rows in judged.films.clips.items()
        },
    }
    examples = [(example.name, example.pictures) for example in judged.examples]
    paths = write_evaluation(args.out, tables, facts, details, examples, (GRAY, TRUTH, GENERATOR))
    print(as_text(tables, facts))
    for path in paths:
        print(path)


def _tables(judged: _Judged, config: EvaluateConfig) -> dict[str, Rows]:
    from colorize_core.evaluation.figures import clip_figures, figures, folder_figures

    drawn = {"resamples": config.resamples, "seed": config.seed}
    tables = {}
    if judged.photos.pictures:
        tables["photos"] = figures(judged.photos, **drawn)
        if folders := folder_figures(judged.photos, **drawn):
            tables["photos by folder"] = folders
    if judged.films.clips:
        tables["films"] = clip_figures(judged.films, **drawn)
    return {
        title: {
            name: {metric: asdict(figure) for metric, figure in row.items()}
            for name, row in rows.items()
        }
        for title, rows in tables.items()
    }


def _photo_facts(judged: _Judged, config: EvaluateConfig) -> dict[str, object]:
    from colorize_core.evaluation.photos import hint_row

    if not judged.photos.pictures:
        return {}
    size = "own size" if config.crop == "whole" else f"{config.side} x {config.side}"
    has_hints = hint_row(config) in judged.photos.rows
    return {
        "N": judged.photos.pictures,
        "truth": f"{config.crop}, {size}, 8 bits",
        "hints": f"{config.hints} true points" if has_hints else "none",
    }


def _film_facts(judged: _Judged, config: EvaluateConfig) -> dict[str, object]:
    if not judged.films.clips:
        return {}
    return {
        "films": f"{len(judged.films.clips)}, {judged.films.frames} frames, "
        f"long side at most {config.clip_side}"
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
