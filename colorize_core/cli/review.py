"""`colorize-archive review OUT`: look at results, say colors, decide, in the browser."""

from __future__ import annotations

import argparse
import ipaddress
import webbrowser
from collections.abc import Sequence

from colorize_core.archive.storage.opening import user_path
from colorize_core.archive.storage.storage import LocalFolder
from colorize_core.cli.command import Parser, command, say
from colorize_core.errors import EXIT_DONE


def parser() -> argparse.ArgumentParser:
    """All options of the verb."""
    p = Parser(
        prog="colorize-archive review",
        description="A local web app over a finished or running OUT: before and after, points of "
        "color, references, accept and reject. It writes OUT/overrides.yaml and runs the job for "
        "what changed; originals are never written.",
        epilog="Ctrl-C ends it. See docs/review.md.",
    )
    p.add_argument("out", type=user_path, metavar="OUT", help="output folder of a run")
    p.add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    p.add_argument(
        "--host", default="127.0.0.1", help="listen for other machines, too (without encryption)"
    )
    p.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto")
    p.add_argument("--open", action="store_true", help="open the browser")
    return p


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from colorize_core.review.server import serve

    def ready(address: str) -> None:
        print(address, flush=True)
        say("open this address; it holds the secret that lets you in. Ctrl-C ends the review")
        if args.open:
            webbrowser.open(address)

    if not _is_loopback(args.host):
        say(
            f"warning: --host {args.host} shows this archive to whoever has the address and can "
            "reach this machine; nothing is encrypted. `ssh -L` is safer"
        )
    LocalFolder(args.out).open_records()
    serve(args.out, host=args.host, port=args.port, device=args.device, ready=ready)
    return EXIT_DONE


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    return command(parser(), run, argv)
