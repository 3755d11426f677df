"""Places at which a test can end this process: each step between a result and its record.

`COLORIZE_FAULT=NAME@N` ends it, as SIGKILL and a power cut do, when it passes NAME the Nth time;
`NAME@N=ENOSPC` gives that error of the system there instead, `NAME@N=STOP` stops it there until
it gets SIGCONT. Without it, passing costs nothing.
"""

from __future__ import annotations

import errno
import os
import signal
from collections import Counter
from typing import Final, Literal, get_args

Place = Literal[
    "publish: begun",
    "publish: written",
    "publish: flushed",
    "publish: renamed",
    "record: before",
    "record: torn",
    "record: written",
    "record: flushed",
    "record: copied",
    "summary: before",
]
PLACES: Final[tuple[Place, ...]] = get_args(Place)

_place, _, _error = os.environ.get("COLORIZE_FAULT", "").partition("=")
_wanted, _, _times = _place.rpartition("@")
_passed: Counter[str] = Counter()


def is_near(place: Place) -> bool:
    """Whether the next pass of this place is the one that ends the process."""
    return place == _wanted and not _error and _passed[place] + 1 == int(_times)


def passing(place: Place) -> None:
    """Come by a place; return if this is not the one that was asked for.

    Raises:
        OSError: the one that was asked for.
    """
    if place != _wanted:
        return
    _passed[place] += 1
    if _passed[place] == int(_times):
        if _error == "STOP":
            os.kill(os.getpid(), signal.SIGSTOP)
        elif _error:
            number = getattr(errno, _error)
            raise OSError(number, os.strerror(number))
        else:
            os.kill(os.getpid(), signal.SIGKILL)
