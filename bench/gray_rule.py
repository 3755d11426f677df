"""How well the rule tells gray from color: recall per kind of gray, and color photos changed.

    python -m bench.gray_rule COLOR_PHOTOS... [--made 30] [--most 3000] [--half 1] [--found FILE]
    python -m bench.gray_rule COLOR_PHOTOS... --prints 60 --scans FOLDER

COLOR_PHOTOS are folders, zip or tar files of color photos. Gray pictures are made from them (see
gray_pictures, seeds in the table's head), half a megapixel to 40, as JPEG 4:2:0 or lossless. What
was found is added to FILE picture by picture, and a second call goes on from there. The rule was
developed on sources with an even number in the sorted list (--half 0); the figures in
docs/decisions/0003 are those of the others. The second form asks of toned prints that are made from
all of COLOR_PHOTOS, and of old scans, whether each is found to be one.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.gray_pictures import COLOR_KINDS, KINDS, Array, luma
from colorize_core.archive.source.contents import MAX_FILE_BYTES, read_item
from colorize_core.archive.source.item import SourceItem
from colorize_core.archive.source.scan import scan
from colorize_core.color.grayness import judge
from colorize_core.color.tone_model import area_means, lab_of
from colorize_core.errors import InputError
from colorize_core.media.picture.names import PHOTO_SUFFIXES

GRAIN = 0.01  # of the made pictures
NEUTRAL_CHROMA = (
    2.0  # 99 % of the cells of a photo below this: R=G=B within noise, not a color photo
)
PHOTO, NEUTRAL = "photo ", "neutral, not counted"
LEAST_MEGAPIXELS, MOST_MEGAPIXELS = 0.5, 1.5
TONINGS = ("sepia", "selenium", "cyanotype", "split toning", "fading", "cast")
HUGE_EVERY = 25  # every so many pictures has up to 40 megapixels


def photo(item: SourceItem) -> NDArray[np.uint8]:
    """RGB of a photo."""
    data = read_item(item, max_bytes=MAX_FILE_BYTES)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def made(kind: str, source: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """A gray (or hand-tinted, or pale) picture of `kind` with its own size and file format."""
    rng = np.random.default_rng(seed)
    most = 40.0 if seed % HUGE_EVERY == 0 else MOST_MEGAPIXELS
    pixels = 1e6 * np.exp(rng.uniform(np.log(LEAST_MEGAPIXELS), np.log(most)))
    scale = np.sqrt(pixels / (source.shape[0] * source.shape[1]))
    size = (round(source.shape[1] * scale), round(source.shape[0] * scale))
    rgb = np.asarray(Image.fromarray(source).resize(size, Image.Resampling.BICUBIC)) / 255.0
    result: Array
    if kind in COLOR_KINDS:
        result = COLOR_KINDS[kind](rgb, rng)
    else:
        gray = np.clip(luma(rgb) + rng.normal(0, GRAIN, rgb.shape[:2]), 0, 1)
        result = KINDS[kind][0](gray, rng)
    rounded = (np.clip(result, 0, 1) * 255 + 0.5).astype(np.uint8)
    return _through_jpeg(rounded, rng) if rng.random() < 0.7 else rounded


def _through_jpeg(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "JPEG", quality=int(rng.integers(60, 96)), subsampling=2)
    return np.asarray(Image.open(file))


def is_neutral(rgb: NDArray[np.uint8]) -> bool:
    """R = G = B within noise: such a photo in a set of color photos does not count."""
    lab = lab_of(area_means(rgb, 64) / 255)
    return float(np.percentile(np.hypot(lab[..., 1], lab[..., 2]), 99)) < NEUTRAL_CHROMA


class Found:
    """What the rule said of each picture: one JSON line each; those of an earlier call count.

    Args:
        path: of the file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, str] = {}
        if path is not None and path.exists():
            rows = (json.loads(line) for line in path.read_text().splitlines())
            self._known = {row["picture"]: row["kind"] for row in rows}

    def kind(self, picture: str, load: Callable[[], NDArray[np.uint8]]) -> str:
        """The verdict on a picture, which is loaded only if it is new."""
        if picture not in self._known:
            rgb = load()
            verdict = judge(rgb)
            kind = NEUTRAL if is_neutral(rgb) and picture.startswith(PHOTO) else verdict.kind
            self._known[picture] = kind
            if self._path is not None:
                row = {"picture": picture, "kind": kind, "chroma": round(verdict.chroma, 1)}
                with self._path.open("a") as file:
                    file.write(json.dumps(row) + "\n")
        return self._known[picture]


def kind_table(sources: Sequence[SourceItem], count: int, half: int, known: Found) -> bool:
    """Print found kinds; True when every bar is met."""
    some = sources[half::2]
    good = True
    print("| kind | pictures | colored by us | bar | partly |\n|---|---|---|---|---|")
    for kind in [*KINDS, *COLOR_KINDS]:
        seeds = [zlib.crc32(f"{kind} {i}".encode()) for i in range(count)]
        found = Counter(
            known.kind(
                f"{kind} {seed}", lambda k=kind, s=seed: made(k, photo(some[s % len(some)]), s)
            )
            for seed in seeds
        )
        share = 1 - found["colored"] / count
        bar = KINDS[kind][1] if kind in KINDS else None
        good = good and (bar is None or share >= bar)
        wanted = f">= {bar:.0%}" if bar else "color"
        print(f"| {kind} | {count} | {share:.0%} | {wanted} | {found['partly colored']} |")
        sys.stdout.flush()
    return good


def color_table(sources: Sequence[SourceItem], known: Found) -> None:
    """Print how many color photos would be changed."""
    found: Counter[str] = Counter()
    for item in sources:
        try:
            found[known.kind(PHOTO + item.location, lambda item=item: photo(item))] += 1
        except (InputError, OSError) as error:
            print(f"{item.path}: left out: {error}", file=sys.stderr)
    neutral = found.pop(NEUTRAL, 0)
    photos = sum(found.values())
    changed = photos - found["colored"]
    print(f"\n{photos} color photos: {changed} changed ({changed / max(1, photos):.2%}): {found}")
    print(f"{neutral} more have R = G = B within noise")


def prints_table(
    photos: Sequence[SourceItem], scans: Sequence[SourceItem], count: int, known: Found
) -> bool:
    """Print how many toned prints and old scans are found; True when all are."""
    kinds: dict[str, Counter[str]] = {}
    for i in range(count):
        kind, seed = TONINGS[i % len(TONINGS)], zlib.crc32(f"print {i}".encode())
        found = known.kind(
            f"print of {kind} {seed}",
            lambda k=kind, s=seed: made(k, photo(photos[s % len(photos)]), s),
        )
        kinds.setdefault(kind, Counter())[found] += 1
    for item in scans:
        found = known.kind(f"scan {item.location}", lambda item=item: photo(item))
        kinds.setdefault("old scans", Counter())[found] += 1
    print("| kind | pictures | gray or toned | partly | colored |\n|---|---|---|---|---|")
    for kind, counts in kinds.items():
        whole, partly, colored = (
            counts["gray"] + counts["toned"],
            counts["partly colored"],
            counts["colored"],
        )
        print(f"| {kind} | {counts.total()} | {whole} | {partly} | {colored} |")
    return not any(counts["colored"] for counts in kinds.values())


def items_of(sources: Sequence[str]) -> list[SourceItem]:
    """All photos of folders, zip and tar files."""
    none = frozenset[str]()
    scans = [scan(s, photo_suffixes=PHOTO_SUFFIXES, film_suffixes=none) for s in sources]
    return [item for found in scans for item in found.items]


def main(arguments: list[str]) -> int:
    """Print the tables; 1 when a bar is not met."""
    parser = argparse.ArgumentParser(prog="bench.gray_rule")
    parser.add_argument("photos", nargs="+")
    parser.add_argument("--made", type=int, default=30, help="pictures per kind")
    parser.add_argument("--half", type=int, choices=(0, 1), default=1)
    parser.add_argument("--most", type=int, default=3000, help="color photos")
    parser.add_argument("--found", type=Path, help="file of what was found, to go on from")
    parser.add_argument("--prints", type=int, help="only so many toned prints, and --scans")
    parser.add_argument("--scans", nargs="*", default=[], help="of old prints")
    options = parser.parse_args(arguments)
    sources, known = items_of(options.photos), Found(options.found)
    if options.prints is not None:
        return 0 if prints_table(sources, items_of(options.scans), options.prints, known) else 1
    half = sources[options.half :: 2]
    good = kind_table(sources, options.made, options.half, known) if options.made else True
    color_table(half[:: max(1, len(half) // options.most)][: options.most], known)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
