"""What FFmpeg says while it reads: damage that it notices, but tells in its log alone."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import av.logging

# Messages reach `listening` alone; PyAV would hand those of other threads on to the console.
logging.getLogger("libav").propagate = False
logging.getLogger("libav").addHandler(logging.NullHandler())

_lock = threading.Lock()
_listeners = 0

# Said of intact films too: optional data that a decoder does not know, and references that are
# missing behind a seek or were given up early by the encoder.
_HARMLESS = re.compile(
    r"APP fields|\bSEI\b|\bVUI\b|EXIF|ICC|side data|metadata|co located POCs|unref short failure"
    r"|missing during reorder|Missing reference picture|short term buffer|memory management"
    r"|number of reference frames|Could not find ref with POC|not yet supported"
    # The second line of a message about a slice.
    r"|^at [\d.]+ seconds",
    re.IGNORECASE,
)
_CONCEALED = re.compile(r"concealing \d+ DC")
_CORRUPT_PACKET = re.compile(r"Packet corrupt \(stream = (\d+), dts = (\S+)\)")


class Message(NamedTuple):
    """A line of FFmpeg's log. `name` is that of a decoder or container format."""

    level: int
    name: str
    text: str


@contextmanager
def listening(*, debug: bool = False) -> Iterator[list[Message]]:
    """Collect what FFmpeg says in this thread, from its information up; the list fills at the end.

    With `debug`, what it says to its developers too.

    Do not yield to others inside: the calls of one thread have to nest.
    """
    messages: list[Message] = []
    _add_listener(1)
    if debug:
        av.logging.set_level(av.logging.DEBUG)
    try:
        with av.logging.Capture(local=True) as lines:
            yield messages
    finally:
        _add_listener(-1)
    messages.extend(Message(level, name, text.strip()) for level, name, text in lines)


def _add_listener(change: int) -> None:
    global _listeners
    with _lock:
        _listeners += change
        # Equal lines about neighbors count; PyAV would leave them out.
        av.logging.set_skip_repeated(not _listeners)
        av.logging.set_level(av.logging.INFO if _listeners else None)


def tells_damage(messages: Iterable[Message]) -> bool:
    """Whether a decoder said that a picture is damaged."""
    return any(
        _CONCEALED.search(message.text)
        or (message.level <= av.logging.ERROR and not _HARMLESS.search(message.text))
        for message in messages
    )


def container_damage(messages: Iterable[Message], container: str) -> tuple[str, ...]:
    """What a demuxer said about damage, in words.

    Args:
        messages: while a film was opened and demuxed to its end; opening reads its beginning, so
            equal messages count once.
        container: name of the format, as FFmpeg gives it.
    """
    packets: dict[str, int] = {}
    places = 0
    for message in dict.fromkeys(messages):
        if message.name != container:
            continue
        corrupt = _CORRUPT_PACKET.search(message.text)
        if corrupt:
            packets[corrupt[1]] = packets.get(corrupt[1], 0) + 1
        elif message.level <= av.logging.ERROR and not _HARMLESS.search(message.text):
            places += 1
    words = [
        f"{count} packet{'s' * (count > 1)} of stream {stream} arrived damaged"
        for stream, count in sorted(packets.items())
    ]
    if places:
        words.append(f"the structure of its container ({container}) is damaged")
    return tuple(words)
