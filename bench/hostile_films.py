"""Films made to break a reader, through the whole job: none may crash it, hang it or go unsaid.

python -m bench.hostile_films [--films 60] [--seed 1] [--seconds 60] [--log FILE]

Hidden frames, times without end or backward, sizes from 1 x 1 to 16k, headers that promise
terabytes, bombs of frames and streams, lists that reach for other files. Each goes through a job of
its own process; a line in the log says what became of it. The same command again goes on where the
last one ended. Exit 1 if a job was killed by a signal, took more than `--seconds` of the processor
or 1.5 GB, or ended without a word on its film.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import imageio_ffmpeg

Make = Callable[[random.Random, Path], None]

_MOST_MEMORY: Final = 1_500_000_000  # bytes, of one worker
_OPTIONS: Final = ("--runner", "serial", "--no-report", "--set", "render.size=64")


def _ffmpeg(*arguments: object) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, check=True)


def _pictures(size: str = "96x64", *, frames: int = 20, rate: object = 24) -> tuple[str, ...]:
    drawn = f"testsrc2=s={size}:r={rate},format=gray,format=yuv420p"
    return ("-f", "lavfi", "-i", drawn, "-frames:v", str(frames))


def _patched(path: Path, mark: bytes, offset: int, data: bytes) -> None:
    """Overwrite what lies so far behind a mark."""
    content = bytearray(path.read_bytes())
    place = content.find(mark) + offset
    content[place : place + len(data)] = data
    path.write_bytes(content)


def hidden(rng: random.Random, path: Path) -> None:
    """An edit list that hides most of the film."""
    whole = path.with_suffix(".whole.mp4")
    _ffmpeg(*_pictures(frames=60), "-c:v", "libx264", "-g", 60, whole)
    _ffmpeg("-ss", rng.uniform(1.5, 2.4), "-i", whole, "-c", "copy", path.with_suffix(".mp4"))
    whole.unlink()


def endless(rng: random.Random, path: Path) -> None:
    """A frame whose time lies years after the one before."""
    years = rng.choice([1, 30, 1000])
    late = f"setpts=PTS+gte(N\\,{rng.randint(1, 19)})*{years}*31536000/TB"
    _ffmpeg(*_pictures(), "-vf", late, "-fps_mode", "passthrough", "-c:v", "ffv1",
            path.with_suffix(rng.choice([".mkv", ".nut"])))  # fmt: skip


def stopped(rng: random.Random, path: Path) -> None:
    """All frames at one time, or nearly."""
    step = rng.choice(["0", "floor(N/7)", "N/1000000/TB"])
    _ffmpeg(*_pictures(), "-vf", f"setpts={step}", "-fps_mode", "passthrough", "-c:v", "ffv1",
            path.with_suffix(".nut"))  # fmt: skip


def tiny(rng: random.Random, path: Path) -> None:
    """Pictures of a pixel, or of one row."""
    size = rng.choice(["1x1", "2x1", "1x300", "300x1", "3x3"])
    _ffmpeg(*_pictures(size), "-pix_fmt", "yuv444p", "-c:v", "ffv1", path.with_suffix(".mkv"))


def huge(rng: random.Random, path: Path) -> None:
    """A header that claims up to 16k and more, before hardly any data."""
    size = rng.choice([(16384, 16384), (16384, 4), (100_000, 100_000), (8192, 8192)])
    head = f"YUV4MPEG2 W{size[0]} H{size[1]} F24:1 Cmono\nFRAME\n".encode()
    path.with_suffix(".y4m").write_bytes(head + bytes(rng.randint(0, 100_000)))


def long(rng: random.Random, path: Path) -> None:
    """Thousands of frames in a few kilobytes; with 16,000 a job takes minutes, as it should."""
    count = rng.choice([1000, 2000])
    black = ("-f", "lavfi", "-i", "color=black:s=16x16:r=1000", "-frames:v", count)
    codec = rng.choice(["ffv1", "mpeg2video"])
    rate = ("-r", 60) if codec == "mpeg2video" else ()
    _ffmpeg(*black, "-c:v", codec, "-g", 600, *rate, path.with_suffix(".mkv"))


def promising(rng: random.Random, path: Path) -> None:
    """An index that counts billions of samples, or lasts for ages."""
    film = path.with_suffix(".mp4")
    _ffmpeg(*_pictures(), "-c:v", "libx264", film)
    much = struct.pack(">I", rng.choice([2**31 - 1, 2**32 - 1, 10**8]))
    mark, offset = rng.choice([(b"stsz", 12), (b"stts", 8), (b"mdhd", 16), (b"stco", 8)])
    _patched(film, mark, offset, much)


def many(rng: random.Random, path: Path) -> None:
    """Streams by the hundred."""
    count = rng.choice([40, 150])
    silence = ("-f", "lavfi", "-t", "1", "-i", "anullsrc")
    _ffmpeg(*silence, *_pictures(), "-map", "1", *("-map", "0") * count, "-c:v", "mpeg4",
            "-c:a", "flac", path.with_suffix(".mkv"))  # fmt: skip


def odd_rate(rng: random.Random, path: Path) -> None:
    """From a frame in an hour to a million in a second."""
    rate = rng.choice(["1/3600", "1000000", "1/100000", "65535/65536"])
    _ffmpeg(*_pictures(rate=rate, frames=10), "-c:v", "ffv1", path.with_suffix(".mkv"))


def bomb(rng: random.Random, path: Path) -> None:
    """Large black pictures that pack to nothing."""
    size = rng.choice(["4096x4096", "8000x4000", "12000x100"])
    black = ("-f", "lavfi", "-i", f"color=black:s={size}:r=24,format=gray", "-frames:v", 3)
    _ffmpeg(*black, "-c:v", "ffv1", path.with_suffix(".mkv"))


def wordy(rng: random.Random, path: Path) -> None:
    """Tags that are long, and full of what terminals obey."""
    words = "\x1b[2J\x1b]0;x\x07" * rng.choice([1, 5000])
    _ffmpeg(*_pictures(), "-c:v", "ffv1", "-metadata", f"title={words}", "-metadata",
            "comment=\u202e<script>alert(1)</script>", path.with_suffix(".mkv"))  # fmt: skip


def nested(rng: random.Random, path: Path) -> None:
    """Boxes in boxes without end, and one that holds itself by its size."""
    box = b"moov"
    data = b""
    for _ in range(rng.choice([50, 3000])):
        data = struct.pack(">I", len(data) + 8) + box + data
    head = struct.pack(">I", 16) + b"ftypisom\0\0\0\0"
    path.with_suffix(".mp4").write_bytes(head + data + struct.pack(">I", 0) + b"trak")


def reaching(rng: random.Random, path: Path) -> None:
    """A list of other files, near and far, under a film's name."""
    far = rng.choice(["/etc/passwd", "http://127.0.0.1:9/a.ts", "file:///dev/zero"])
    lists = {
        ".ts": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{far}\n#EXT-X-ENDLIST\n",
        ".mkv": f"ffconcat version 1.0\nfile '{far}'\n",
        ".mp4": f"v=0\no=- 0 0 IN IP4 127.0.0.1\ns={far}\nm=video 5004 RTP/AVP 33\n",
        ".mov": f'<?xml version="1.0"?><MPD><BaseURL>{far}</BaseURL></MPD>',
    }
    suffix = rng.choice(list(lists))
    path.with_suffix(suffix).write_text(lists[suffix])


def backward(rng: random.Random, path: Path) -> None:
    """Times that run backward, or from below zero."""
    times = rng.choice(["(20-N)/24/TB", "(N-15)/24/TB", "-N*N/TB"])
    _ffmpeg(*_pictures(), "-vf", f"setpts={times}", "-fps_mode", "passthrough", "-c:v", "ffv1",
            path.with_suffix(".nut"))  # fmt: skip


def changing(rng: random.Random, path: Path) -> None:
    """Pictures of another size every few frames."""
    film = path.with_suffix(".ts")
    with film.open("wb") as whole:
        for number in range(rng.randint(2, 12)):
            part = path.with_suffix(f".{number}.ts")
            size = f"{16 * rng.randint(2, 40)}x{16 * rng.randint(2, 40)}"
            _ffmpeg(*_pictures(size, frames=5), "-c:v", "mpeg2video", part)
            whole.write(part.read_bytes())
            part.unlink()


def shaped(rng: random.Random, path: Path) -> None:
    """Pixels of absurd shape, pictures turned by odd angles."""
    aspect = rng.choice(["1/60000", "60000/1", "0/1"])
    turned = ("-display_rotation", rng.choice([0, 90, 33]))
    plain = path.with_suffix(".plain.mp4")
    _ffmpeg(*_pictures(), "-vf", f"setsar={aspect}", "-c:v", "libx264", plain)
    _ffmpeg(*turned, "-i", plain, "-c", "copy", path.with_suffix(".mp4"))
    plain.unlink()


def chaptered(rng: random.Random, path: Path) -> None:
    """Chapters by the thousand, some over each other."""
    entries = [
        f"[CHAPTER]\nTIMEBASE=1/1000\nSTART={rng.randint(0, 800)}\nEND=900\ntitle={'x' * 99}\n"
        for _ in range(rng.choice([10, 5000]))
    ]
    listed = path.with_suffix(".txt")
    listed.write_text(";FFMETADATA1\n" + "".join(entries))
    _ffmpeg("-i", listed, *_pictures(), "-map", 1, "-map_metadata", 0, "-c:v", "ffv1",
            path.with_suffix(".mkv"))  # fmt: skip
    listed.unlink()


def attached(rng: random.Random, path: Path) -> None:
    """Files inside whose names lead out."""
    inside = path.with_suffix(".bin")
    inside.write_bytes(rng.randbytes(rng.choice([1, 3_000_000])))
    name = rng.choice(["../../../up.ttf", "/tmp/absolute.ttf", "a" * 5000, "\x1b[2J"])
    _ffmpeg(*_pictures(), "-attach", inside, "-metadata:s:t", f"filename={name}",
            "-metadata:s:t", "mimetype=font/ttf", "-c:v", "ffv1",
            path.with_suffix(".mkv"))  # fmt: skip
    inside.unlink()


MAKERS: Final[Mapping[str, Make]] = {
    made.__name__: made
    for made in (
        *(hidden, endless, stopped, tiny, huge, long, promising, many, odd_rate, bomb, wordy),
        *(nested, reaching, backward, changing, shaped, chaptered, attached),
    )
}


def play(number: int, seconds: float) -> dict[str, Any]:
    """Make a film, run the job on it; what became of it."""
    kind = list(MAKERS)[number % len(MAKERS)]
    with tempfile.TemporaryDirectory() as name:
        source, out = Path(name) / "source", Path(name) / "out"
        source.mkdir()
        MAKERS[kind](random.Random(f"film {number}"), source / f"{kind}{number}")
        command = [sys.executable, "-m", "jobs.colorize_archive", *_OPTIONS]
        found = {"number": number, "kind": kind}
        found |= _run([*command, "--out", str(out), "--", str(source)], seconds, Path(name))
        summary = out / ".colorize" / "summary.json"
        items = json.loads(summary.read_text())["items"] if summary.exists() else []
    item = items[0] if items else {"status": "nowhere"}
    return {**found, "status": item["status"], "reason": item.get("reason", "")[:200]}


def _run(command: list[str], seconds: float, place: Path) -> dict[str, Any]:
    """Run a job; its exit code (negative: a signal ended it), seconds, memory, last words.

    Seconds of the processor are limited, so that a busy machine makes no difference, and those of
    the clock to ten times as many.
    """
    limit = ("prlimit", f"--cpu={round(seconds)}")
    started = time.monotonic()
    log = place / "log"
    with log.open("wb") as file:
        pid = subprocess.Popen([*limit, *command], stdout=file, stderr=file).pid
        ended = 0
        while not ended:
            if time.monotonic() - started > 10 * seconds:
                os.kill(pid, signal.SIGKILL)
            ended, status, used = os.wait4(pid, os.WNOHANG)
            time.sleep(0.1)
    return {
        "code": os.waitstatus_to_exitcode(status),
        "seconds": round(used.ru_utime + used.ru_stime, 1),
        "memory": used.ru_maxrss * 1024,
        "said": log.read_text(errors="replace")[-400:],
    }


def is_wrong(found: Mapping[str, Any]) -> bool:
    """Whether a job crashed, hung, grew or kept silent."""
    is_silent = found["status"] == "nowhere" and found["code"] not in (1, 2)
    grown = found["memory"] > _MOST_MEMORY
    return found["code"] < 0 or "Traceback" in found["said"] or is_silent or grown


def report(log: Path) -> int:
    """Print the sums of a log; 1 if something was wrong."""
    films = [json.loads(line) for line in log.read_text().splitlines()]
    statuses = Counter(film["status"] for film in films)
    longest = max(films, key=lambda film: film["seconds"])
    largest = max(films, key=lambda film: film["memory"])
    print(f"{len(films)} films: {dict(statuses)}")
    print(f"the longest took {longest['seconds']} s ({longest['kind']} {longest['number']})")
    print(f"the largest took {largest['memory'] // 2**20} MB ({largest['kind']})")
    wrong = [film for film in films if is_wrong(film)]
    print(f"{len(wrong)} wrong", *map(json.dumps, wrong), sep="\n")
    return 1 if wrong else 0


def main() -> int:
    """Play what is not in the log yet, and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--films", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1, help="number of the first film")
    parser.add_argument("--seconds", type=float, default=60, help="of the processor, for a job")
    parser.add_argument("--log", type=Path, default=Path("hostile_films.jsonl"))
    args = parser.parse_args()
    lines = args.log.read_text().splitlines() if args.log.exists() else []
    known = {json.loads(line)["number"] for line in lines}
    for number in range(args.seed, args.seed + args.films):
        if number not in known:
            with args.log.open("a") as log:
                log.write(json.dumps(play(number, args.seconds)) + "\n")
    return report(args.log)


if __name__ == "__main__":
    sys.exit(main())
