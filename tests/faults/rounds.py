"""Rounds of disturbed runs: `python -m tests.faults.rounds --rounds 20 --log rounds.jsonl`.

A round runs a mixed archive, disturbs it once to three times, runs it to its end, and compares:
equal outputs, nothing recorded computed twice, no temporary, no process left, the right exit codes.
Runs without Ray are forked from a process that has loaded the job; those with Ray are whole ones.
Each round has a seed, which is printed; `--seed N --rounds 1` plays one again. Lines of several
calls and days add up in the log, and the same command goes on where it ended; `--report` prints
the log as a table and fails if a round did.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from colorize_core.atomic import TEMP_PREFIX
from colorize_core.errors import EXIT_DONE
from tests.faults.archives import OPTIONS, Archive, make_archive
from tests.faults.disturbances import RAY, SERIAL, copied
from tests.faults.runs import STATE, Command, outputs

RAY_SHARE = 0.25
RAY_SECONDS = 25.0  # about, of an undisturbed run


@dataclass
class Round:
    """What happened in a round; `wrong` is empty for a good one."""

    seed: int
    runner: str
    kind: str
    disturbances: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def play(seed: int, archive: Archive, place: Path, *, ray: bool | None = None) -> Round:
    """Play the round of a seed in an empty folder."""
    rng = random.Random(seed)
    with_ray = rng.random() < RAY_SHARE if ray is None else ray
    kinds = RAY if with_ray else SERIAL
    kind = rng.choice(sorted(kinds))
    found = Round(seed, "ray" if with_ray else "serial", kind)
    started = time.monotonic()
    changes = kind == "source changes"
    is_zip = not changes and rng.random() < 0.4
    source = archive.zipped if is_zip else copied(archive.folder, place / "source")
    runner = ("--workers", "2") if with_ray else ("--runner", "serial")
    command = Command(
        source,
        place / "out",
        archive.weights,
        (*OPTIONS, *runner),
        is_forked=not with_ray,
        seconds=RAY_SECONDS if with_ray else archive.seconds,
    )

    for _ in range(rng.randint(1, 3)):
        try:
            what, code, allowed = kinds[kind](rng, command, archive)
        except AssertionError as error:
            found.wrong.append(f"processes left: {error}")
            break
        found.disturbances.append(f"{what}: {code}")
        if code not in allowed:
            found.wrong.append(f"{what} ended with {code}")
    before = recorded(command.out)
    done = replace(command, options=(*command.options, "--retry-failed")).run()
    if done.returncode != EXIT_DONE:
        found.wrong.append(f"the last run ended with {done.returncode}: {done.stderr[-500:]}")
    whole = archive.whole_changed if changes else archive.whole
    found.wrong += list(differences(command.out, whole, before, changes=changes))
    found.seconds = round(time.monotonic() - started, 1)
    return found


def differences(
    out: Path, whole: dict[str, str], before: dict[str, int], *, changes: bool
) -> Iterator[str]:
    """What is wrong with an OUT after its last run."""
    made = outputs(out)
    for name in sorted(whole.keys() | made.keys()):
        if whole.get(name) != made.get(name):
            yield f"{name} is {'another' if name in whole and name in made else 'missing or new'}"
    if stale := [str(path) for path in out.rglob(f"{TEMP_PREFIX}*")]:
        yield f"temporaries left: {stale}"
    after = recorded(out)
    if twice := [key for key, lines in after.items() if lines > 1 and not changes]:
        yield f"recorded twice: {twice}"
    if gone := [key for key in before if key not in after]:
        yield f"records lost: {gone}"


def recorded(out: Path) -> dict[str, int]:
    """How many whole lines each key has that is not a failure."""
    path = out / STATE / "manifest.jsonl"
    keys: Counter[str] = Counter()
    for line in path.read_bytes().splitlines() if path.exists() else []:
        text, _, crc = line.rpartition(b',"crc":"')
        if crc != b'%08x"}' % zlib.crc32(text + b"}"):
            continue  # torn or flipped
        body = json.loads(line)
        if "key" in body and body.get("status") != "failed":
            keys[body["key"]] += 1
    return dict(keys)


def report(log: Path) -> int:
    """Print what the log holds; 1 if a round was wrong."""
    rounds = [Round(**json.loads(line)) for line in log.read_text().splitlines()]
    print("| runner | disturbance | rounds | disturbances | wrong |\n|---|---|---|---|---|")
    for runner, kind in sorted({(one.runner, one.kind) for one in rounds}):
        of_kind = [one for one in rounds if (one.runner, one.kind) == (runner, kind)]
        count = sum(len(one.disturbances) for one in of_kind)
        wrong = sum(bool(one.wrong) for one in of_kind)
        print(f"| {runner} | {kind} | {len(of_kind)} | {count} | {wrong} |")
    wrong = [one for one in rounds if one.wrong]
    print(f"\n{len(rounds)} rounds, {len(wrong)} wrong")
    for one in wrong:
        print(f"seed {one.seed}: {one.disturbances}: {one.wrong}")
    return 1 if wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, help="of the first round; default: random")
    parser.add_argument("--log", type=Path, default=Path("rounds.jsonl"))
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no more after")
    parser.add_argument("--runner", choices=("serial", "ray"))
    parser.add_argument("--report", action="store_true", help="only print the table of the log")
    args = parser.parse_args()
    if args.report:
        return report(args.log)
    seed = random.SystemRandom().randrange(10**6) if args.seed is None else args.seed
    deadline = time.monotonic() + 60 * args.minutes
    ray = None if args.runner is None else args.runner == "ray"
    lines = args.log.read_text().splitlines() if args.log.exists() else []
    played = {json.loads(line)["seed"] for line in lines}
    with tempfile.TemporaryDirectory(prefix="rounds-") as place:
        archive = make_archive(Path(place))
        for number in range(args.rounds):
            if time.monotonic() > deadline:
                break
            if seed + number in played:
                continue
            folder = Path(place, "round")
            folder.mkdir()
            one = play(seed + number, archive, folder, ray=ray)
            shutil.rmtree(folder)
            with args.log.open("a") as log:
                log.write(json.dumps(asdict(one)) + "\n")
            print(f"seed {one.seed}: {one.runner}, {one.kind}, {one.wrong or 'good'}", flush=True)
    return report(args.log)


if __name__ == "__main__":
    sys.exit(main())
