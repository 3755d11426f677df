"""Damage of the kinds that disks and networks do, from a seed."""

from __future__ import annotations

import random


def mutant(data: bytes, rng: random.Random) -> bytes:
    """Cut short, with flipped bits, a zeroed or repeated or missing piece, or wrong numbers."""
    kind = rng.choice(("cut", "flip", "flips", "zeros", "repeat", "drop", "number", "noise"))
    changed = bytearray(data)
    at = rng.randrange(len(data))
    length = rng.choice((1, 4, 64, 512, 4096))
    if kind == "cut":
        return data[: rng.randrange(len(data))]
    if kind in ("flip", "flips"):
        for _ in range(1 if kind == "flip" else rng.randrange(2, 40)):
            changed[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "zeros":
        changed[at : at + length] = bytes(len(changed[at : at + length]))
    elif kind == "repeat":
        changed[at:at] = data[at : at + length]
    elif kind == "drop":
        del changed[at : at + length]
    elif kind == "number":
        # In the header, where sizes and offsets stand.
        at = rng.randrange(min(len(data), 400))
        value = rng.choice((0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))
        size = rng.choice((1, 2, 4))
        written = (value & (1 << 8 * size) - 1).to_bytes(size, rng.choice(("big", "little")))
        changed[at : at + size] = written
    else:
        changed[at : at + length] = rng.randbytes(len(changed[at : at + length]))
    return bytes(changed)
