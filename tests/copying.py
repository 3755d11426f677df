"""`copy.replace` of Python 3.13, which takes settings and dataclasses alike."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

import msgspec

T = TypeVar("T")


def replace(given: T, **changes: object) -> T:
    if isinstance(given, msgspec.Struct):
        return msgspec.structs.replace(given, **changes)
    return dataclasses.replace(given, **changes)
