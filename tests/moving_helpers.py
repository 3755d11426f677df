"""Short moving scenes whose motion and colors are known: L [n,h,w], 0..100, and ab [n,2,h,w]."""

from __future__ import annotations

import numpy as np

from colorize_core.media.motion.flow import blur, resize, warp

HEIGHT, WIDTH = 72, 128
_MARGIN = 64


def texture(seed: int, height: int = HEIGHT + _MARGIN, width: int = WIDTH + _MARGIN) -> np.ndarray:
    """Detail of every size, about 15..85."""
    rng = np.random.default_rng(seed)
    sum_ = np.zeros((height, width), np.float32)
    for cells in (4, 8, 16, 32):
        rough = rng.normal(0, 1, (height // cells + 2, width // cells + 2)).astype(np.float32)
        sum_ += resize(rough, height, width) * cells**0.5
    sum_ -= sum_.mean()
    return np.clip(50 + sum_ * (16 / sum_.std()), 0, 100).astype(np.float32)


def pan(seed: int, frames: int, step=(1.3, 0.6), color=(20.0, -15.0)):
    """A view that drifts over a texture; ab follows the same motion."""
    whole = texture(seed)
    tint = blur(texture(seed + 1000), 4.0) - 50
    Ls, abs_ = [], []
    for i in range(frames):
        shift = np.empty((HEIGHT, WIDTH, 2), np.float32)
        shift[:] = np.array(step, np.float32) * i + 2
        Ls.append(warp(whole, shift))
        moved = warp(tint, shift)
        abs_.append(np.stack([color[0] + moved, color[1] - moved]))
    return np.stack(Ls), np.stack(abs_)


def flicker(ab: np.ndarray, seed: int, *, cast=3.0, blotch=3.0, noise=1.5) -> np.ndarray:
    """What a generator that sees one frame at a time adds: casts, blotches and noise."""
    rng = np.random.default_rng(seed)
    out = np.empty_like(ab)
    high, wide = ab.shape[-2:]
    for i, frame in enumerate(ab):
        rough = rng.normal(0, blotch, (3, 5, 2)).astype(np.float32)
        out[i] = frame + resize(rough, high, wide).transpose(2, 0, 1)
        out[i] += rng.normal(0, cast, (2, 1, 1)) + rng.normal(0, noise, frame.shape)
    return out
