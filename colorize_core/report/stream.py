"""Read summary.json item by item, so that a page of a million photos needs little memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from colorize_core.errors import ManifestError

_BLOCK: Final = 1 << 16
_SPACE: Final = " \t\r\n"


def read_summary(path: Path, header: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield each element of the top-level list "items"; put all other keys into `header`.

    `header` is complete when the iterator is exhausted, wherever "items" stands in the file. Only
    one element is held at a time.

    Raises:
        ManifestError: the file is missing, torn, or not of this form; named with its path.
    """
    try:
        with path.open(encoding="utf-8") as file:
            yield from _Reader(file).top_level(header)
    except (ValueError, OSError) as error:
        raise ManifestError(
            f"{path}: not a run's summary: {error}", remedy="run the same command again"
        ) from error


class _Reader:
    """A window over JSON text that grows until the next value is whole."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder()

    def top_level(self, header: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self._expect("{")
        if self._take("}"):
            return
        while True:
            key = self._value()
            self._expect(":")
            if key == "items":
                yield from self._elements()
            else:
                header[str(key)] = self._value()
            if self._take("}"):
                return
            self._expect(",")

    def _elements(self) -> Iterator[dict[str, Any]]:
        self._expect("[")
        if self._take("]"):
            return
        while True:
            element = self._value()
            if not isinstance(element, dict):
                raise ValueError(f"an item is a {type(element).__name__}")
            yield element
            if self._take("]"):
                return
            self._expect(",")

    def _value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except ValueError:
                if not self._more():
                    raise
                continue
            # A number that ends where the window ends may go on in the next block.
            if end < len(self._text) or not self._more():
                self._at = end
                return value

    def _peek(self) -> str:
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                raise ValueError("it ends too early")

    def _take(self, mark: str) -> bool:
        if self._peek() != mark:
            return False
        self._at += 1
        return True

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise ValueError(f"expected {mark!r}, found {self._peek()!r}")

    def _more(self) -> bool:
        block = self._file.read(_BLOCK)
        self._text = self._text[self._at :] + block
        self._at = 0
        return bool(block)
