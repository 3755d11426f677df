"""Damaged photos and films through the whole job: what became of them, against other decoders.

python -m bench.fuzz [--photos 200] [--films 20] [--seed 1] [--log FILE]

Sound files of many formats are damaged as disks and networks do it: bits, holes, cuts, blocks of
another place. libjpeg's warnings (by OpenCV), Pillow and the ffmpeg program say which are damaged;
none of those may be `done`, or copied as one in color. No item may fail by an internal error, with
the raw text of an exception or with a path of this machine. Pictures are small and colored at 64
pixels: what is tried is what comes before and after. They go in runs of a hundred, each with a line
in the log; the same command again goes on where the last one ended, `--report` prints the sums.
"""

from __future__ import annotations

import argparse
import io
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import imageio_ffmpeg
import numpy as np
from PIL import Image
from skimage import data as pictures

from bench.photo_damage import reference
from colorize_core.archive.records.work import UnitReport, WorkUnit
from colorize_core.cli.run import main as run
from colorize_core.errors import EXIT_RESUME
from colorize_core.inference import worker
from colorize_core.inference.worker import Worker

RAW = re.compile(r"\bErrno\b|Traceback|object at 0x|<class |[A-Z]\w+Error\b|Exception\b")
PHOTOS_A_RUN = 100
OPTIONS = (
    *("--runner", "serial", "--no-report", "--wait-for-space", "0", "--set", "render.size=64"),
    *("--set", "photo.shard_photos=1"),
)
FORMATS = {
    "jpg": ("JPEG", {}),
    "progressive.jpg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "tif": ("TIFF", {"compression": "tiff_lzw"}),
    "jpeg.tif": ("TIFF", {"compression": "jpeg"}),
    "webp": ("WEBP", {}),
    "bmp": ("BMP", {}),
    "jp2": ("JPEG2000", {}),
    "gif": ("GIF", {}),
}
FILMS = {
    "mp4": ["-c:v", "libx264"],
    "mkv": ["-c:v", "ffv1", "-level", "3", "-slicecrc", "1"],
    "ts": ["-c:v", "mpeg2video"],
    "avi": ["-c:v", "mjpeg"],
    "mov": ["-c:v", "prores_ks"],
}


def photo(rng: random.Random) -> tuple[str, bytes]:
    """A sound photo of a random format: its suffix and bytes."""
    suffix = rng.choice(sorted(FORMATS))
    name, options = FORMATS[suffix]
    whole = pictures.camera()
    top, left = rng.randrange(300), rng.randrange(300)
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(whole[top : top + 90, left : left + 120])).save(
        buffer, name, **options
    )
    return suffix, buffer.getvalue()


def film(rng: random.Random, folder: Path) -> tuple[str, bytes]:
    """A sound film of a random format."""
    suffix = rng.choice(sorted(FILMS))
    path = folder / f"sound.{suffix}"
    if not path.exists():
        source = ["-f", "lavfi", "-i", "testsrc2=size=96x72:rate=24:duration=1,format=gray"]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *source, *FILMS[suffix]]
        subprocess.run([*command, "-pix_fmt", _pix_fmt(suffix), str(path)], check=True)
    return suffix, path.read_bytes()


def _pix_fmt(suffix: str) -> str:
    return {"mov": "yuv422p10le", "avi": "yuvj420p"}.get(suffix, "yuv420p")


def damaged(data: bytes, rng: random.Random) -> bytes:
    """One to three accidents, small enough that something is left to be wrong about."""
    broken = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        place, most = rng.randrange(len(broken)), max(1, len(broken) // 20)
        size = min(rng.choice([1, 4, 16, 64, 512]), most)
        match rng.choice(["bit", "zeros", "noise", "cut", "moved"]):
            case "bit":
                broken[place] ^= 1 << rng.randrange(8)
            case "zeros":
                broken[place : place + size] = bytes(len(broken[place : place + size]))
            case "noise":
                broken[place : place + size] = rng.randbytes(len(broken[place : place + size]))
            case "cut" if place > 100:
                del broken[place:]
            case _:
                other = rng.randrange(len(broken))
                broken[place : place + size] = broken[other : other + size]
    return bytes(broken)


def warns(path: Path) -> bool:
    """Whether another decoder complains of a file."""
    if path.suffix == ".jpg":
        return reference(path.read_bytes())[1]
    if path.suffix.lstrip(".") in FILMS:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-xerror", "-i", str(path)]
        done = subprocess.run([*command, "-f", "null", "-"], capture_output=True, check=False)
        return bool(done.returncode)
    try:
        with Image.open(path) as picture:
            picture.load()
    except Exception:  # noqa: BLE001 - whatever it says
        return True
    return False


class Timed(Worker):
    """Counts processor time by item: units hold one each."""

    spent: ClassVar[Counter[str]] = Counter()

    def run(self, unit: WorkUnit) -> UnitReport:
        """Run it, and count."""
        report = super().run(unit)
        for item in report.items:
            self.spent[item.source] += report.cpu_seconds / len(report.items)
        return report


def play(photos: int, films: int, seed: int, place: Path) -> dict[str, Any]:
    """Damage, run, compare; the counts of one run."""
    rng = random.Random(seed)
    source, out = place / "source", place / "out"
    source.mkdir()
    for number in range(photos + films):
        suffix, data = photo(rng) if number < photos else film(rng, place)
        (source / f"{number:05d}.{suffix}").write_bytes(damaged(data, rng))
    Timed.spent.clear()
    if run([str(source), "--out", str(out), *OPTIONS]) == EXIT_RESUME:
        sys.exit(EXIT_RESUME)
    items = json.loads((out / ".colorize" / "summary.json").read_text())["items"]
    missing = photos + films - len(items)
    wrong = [f"{missing} items nowhere"] if missing else []
    wrong += [line for item in items for line in wrongs(item, source / item["source"])]
    return {
        "seed": seed,
        "photos": photos,
        "films": films,
        "statuses": Counter(f"{item['kind']} {item['status']}" for item in items),
        "seconds": sorted(round(spent, 3) for spent in Timed.spent.values()),
        "wrong": [f"seed {seed}: {line}" for line in wrong],
    }


def wrongs(item: Mapping[str, Any], path: Path) -> Iterator[str]:
    """What is wrong with the line of one damaged file."""
    said = " ".join(map(str, (item.get("reason"), item.get("remedy"), item.get("notes"))))
    is_called_whole = item["status"] in ("done", "skipped") and item.get("output")
    if is_called_whole and warns(path):
        yield f"{path.name} is {item['status']}, others complain: {said}"
    if item.get("error") == "internal" or RAW.search(said) or str(path.parent) in said:
        yield f"{path.name}: {said}"


def report(log: Path) -> int:
    """Print the sums of a log; 1 if something was wrong."""
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    statuses: Counter[str] = Counter()
    for call in calls:
        statuses.update(call["statuses"])
    seconds = np.concatenate([call["seconds"] for call in calls])
    wrong = [line for call in calls for line in call["wrong"]]
    photos, films = (sum(call[kind] for call in calls) for kind in ("photos", "films"))
    print(f"{photos} photos, {films} films: {dict(sorted(statuses.items()))}")
    print(
        f"95 % take at most {np.percentile(seconds, 95):.2f} s of processor time, "
        f"the longest {seconds.max():.1f} s"
    )
    print(f"{len(wrong)} wrong", *wrong, sep="\n")
    return 1 if wrong else 0


def main() -> int:
    """Play what the log does not have, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--films", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the first run")
    parser.add_argument("--log", type=Path, default=Path("fuzz.jsonl"))
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no run after")
    parser.add_argument("--report", action="store_true", help="only print the sums of the log")
    args = parser.parse_args()
    lines = args.log.read_text().splitlines() if args.log.exists() else []
    played = {json.loads(line)["seed"] for line in lines}
    deadline = time.monotonic() + 60 * args.minutes
    runs = 0 if args.report else max(1, args.photos // PHOTOS_A_RUN)
    worker.Worker = Timed  # type: ignore[misc]
    for number in range(runs):
        seed = args.seed + number
        if seed in played:
            continue
        if time.monotonic() > deadline:
            break
        photos, films = (_share(count, number, runs) for count in (args.photos, args.films))
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
            found = play(photos, films, seed, Path(place))
        with args.log.open("a") as log:
            log.write(json.dumps(found) + "\n")
        print(f"seed {seed}: {photos} photos, {films} films", *found["wrong"], sep="\n", flush=True)
    return report(args.log)


def _share(count: int, number: int, parts: int) -> int:
    return count * (number + 1) // parts - count * number // parts


if __name__ == "__main__":
    sys.exit(main())
