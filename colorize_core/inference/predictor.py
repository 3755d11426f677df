"""The generator in batches: L in, ab out, and what is recognized on the way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from colorize_core.color.letterbox import Letterbox
from colorize_core.color.look import Look, apply_look
from colorize_core.errors import ConfigError
from colorize_core.inference.devices import Device, Precision, best_precision, resolve_device
from colorize_core.inference.generator_pass import COMPARED, Recognized, in_chunks, recognized
from colorize_core.inference.hints import follow_hints, what_is_meant
from colorize_core.inference.memory_ladder import MemoryLadder
from colorize_core.model.checkpoint import LoadedGenerator
from colorize_core.model.generator import FlagshipUNet
from colorize_core.model.onnx_generator import OnnxGenerator


class Predictor:
    """Predicts ab from L, in batches of a fixed size.

    Every batch is padded to `batch_size`: kernels may round differently for other sizes, and a
    picture's color must not depend on how many neighbors it was packed with.

    Args:
        generator: from load_generator or load_onnx.
        device: "auto" takes CUDA when there is one; "mps" is Apple's GPU.
        precision: "fp32", "bf16" autocast, or "auto": bf16 where the device has it.
        batch_size: pictures per forward pass.
        render_size: working long side in pixels, a multiple of 32.
    """

    def __init__(
        self,
        generator: LoadedGenerator | OnnxGenerator,
        *,
        device: Device = "auto",
        precision: Precision = "fp32",
        batch_size: int = 1,
        render_size: int = 256,
    ) -> None:
        self.device = resolve_device(device)
        self.batch_size = batch_size
        self.render_size = render_size
        self.weights_sha256 = generator.sha256
        self.takes_hints = generator.takes_hints
        self.precision = precision if precision != "auto" else best_precision(self.device)
        module = generator.module.to(self.device)
        # channels_last is in no overload of Module.to's stub.
        module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._ladder = MemoryLadder(module, self.device)

    def take_notes(self) -> list[str]:
        """Fallbacks since the last call, for the report."""
        return self._ladder.take_notes()

    @property
    def can_recognize(self) -> bool:
        """Whether the generator has an encoder that tells what is to be seen."""
        return isinstance(self._ladder.module, FlagshipUNet)

    def recognize(self, L: Tensor) -> list[Tensor]:
        """The encoder's features at 1/2, 1/4, 1/8, 1/16 and 1/32, on the CPU.

        Args:
            L: (B, 1, S, T) float32, 0..100, S and T multiples of 32; looked at one by one.

        Raises:
            ConfigError: the generator has no such encoder.
            OutOfMemoryError: see `predict_ab`.
        """
        self._require_encoder()
        return list(self._ladder.run(partial(recognized, L), 1, L.shape[-1]))

    def predict_and_recognize(
        self, L: Tensor, *, carried: Tensor | None = None, look: Look = "natural"
    ) -> Recognized:
        """Color of a batch of any length, and what of the encoder's features it rests on.

        Args:
            L: see `predict_ab`.
            carried: see `predict_ab`.
            look: see `predict_ab`.

        Raises:
            ConfigError: the generator has no such encoder.
            OutOfMemoryError: see `predict_ab`.
        """
        self._require_encoder()
        return self._predict(L, None, carried, look, COMPARED)

    def predict_ab(
        self,
        L: Tensor,
        hints: Tensor | None = None,
        *,
        carried: Tensor | None = None,
        look: Look = "natural",
    ) -> Tensor:
        """Color of a batch of any length.

        Args:
            L: (B, 1, S, T) float32, 0..100, S and T multiples of 32.
            hints: (B, 3, S, T) ab/110 and mask, or None.
            carried: (B, 3, S, T) ab in Lab units from other pictures and confidence, or None.
            look: what becomes of the generator's color; what is known stays.

        Returns:
            ab: (B, 2, S, T) float32 on the CPU.

        Raises:
            OutOfMemoryError: not even one picture fits, on the device and on the CPU.
        """
        return self._predict(L, hints, carried, look).ab

    def predict_pictures(
        self,
        boxes: Sequence[Letterbox],
        shown: Sequence[Tensor],
        hints: Sequence[Tensor | None] | None = None,
        *,
        carried: Sequence[Tensor | None] | None = None,
        look: Look = "natural",
    ) -> list[Tensor]:
        """Color of pictures of different shapes; those that are shown alike share batches.

        Args:
            boxes: how each lies in what is shown.
            shown: L (n, 1, S, T) of each, from its box.
            hints: (n, 3, S, T) of each that has some, or None.
            carried: likewise, see `predict_ab`.
            look: see `predict_ab`.

        Returns:
            ab (1, 2, h, w) of each, in the stored size of its box.

        Raises:
            OutOfMemoryError: see `predict_ab`.
        """
        nothing: list[Tensor | None] = [None] * len(shown)
        hints, carried = hints or nothing, carried or nothing
        alike: dict[tuple[object, ...], list[int]] = {}
        for i, L in enumerate(shown):
            kind = (hints[i] is None, carried[i] is None, *L.shape[-2:])
            alike.setdefault(kind, []).append(i)
        results: dict[int, Tensor] = {}
        for group in alike.values():
            rest = self.predict_ab(
                torch.cat([shown[i] for i in group]),
                _together([hints[i] for i in group]),
                carried=_together([carried[i] for i in group]),
                look=look,
            )
            for i in group:
                results[i], rest = rest[: len(shown[i])], rest[len(shown[i]) :]
        return [box.from_working(results[i]) for i, box in enumerate(boxes)]

    def _predict(
        self,
        L: Tensor,
        hints: Tensor | None,
        carried: Tensor | None,
        look: Look,
        levels: Sequence[int] = (),
    ) -> Recognized:
        parts, features = [], []
        for start in range(0, L.shape[0], self.batch_size):
            chunk = L[start : start + self.batch_size]
            clues = None if hints is None else hints[start : start + self.batch_size]
            work = partial(in_chunks, chunk, clues, levels, self.precision == "bf16")
            raw, *seen = self._ladder.run(work, self.batch_size, L.shape[-1])
            ab = apply_look(raw, look)
            known = None if carried is None else carried[start : start + self.batch_size]
            if known is not None:
                ab = torch.lerp(ab, known[:, :2], known[:, 2:].expand_as(ab))
            if clues is not None:
                ab = self._hinted(chunk, clues, ab, look, known)
            parts.append(ab)
            features.append(seen)
        return Recognized(
            torch.cat(parts), tuple(torch.cat(x) for x in zip(*features, strict=True))
        )

    def _hinted(
        self, L: Tensor, hints: Tensor, ab: Tensor, look: Look, carried: Tensor | None
    ) -> Tensor:
        """What a batch becomes with its hints, from what the generator says of it with them."""
        followed = follow_hints(ab, L, hints)
        if not self.can_recognize:
            return followed
        # The generator bends all of a picture toward a hint, also what is something else.
        alone = self._predict(L, None, carried, look, COMPARED)
        return torch.lerp(alone.ab, followed, what_is_meant(alone.levels, L, hints))

    def _require_encoder(self) -> None:
        if not self.can_recognize:
            raise ConfigError(
                "this generator cannot compare pictures", remedy="leave references out"
            )


def _together(parts: Sequence[Tensor | None]) -> Tensor | None:
    found = [part for part in parts if part is not None]
    return torch.cat(found) if found else None
