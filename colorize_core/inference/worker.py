"""One worker: units in, published files and reports out. Knows neither ray nor the manifest."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from colorize_core.archive.records.in_hand import InHandFile
from colorize_core.archive.records.run_folder import RunFolder
from colorize_core.archive.records.work import (
    FilmScan,
    ImageShard,
    Join,
    UnitReport,
    VideoSegment,
    WorkUnit,
)
from colorize_core.inference import film_joins, film_scans, films
from colorize_core.inference.colorizers import Colorizers
from colorize_core.inference.devices import Device, has_bf16, resolve_device
from colorize_core.inference.outcomes import UnitOutcomes
from colorize_core.inference.photos import PhotoLine
from colorize_core.media.picture.note import ComputedColorNote
from colorize_core.memory import give_back_memory, keep_freed_memory, peak_memory_bytes
from colorize_core.model.onnx_contract import is_onnx


class Worker:
    """Runs units one after the other.

    Args:
        out: where outputs go.
        weights: of the generator, "shipped" or a path.
        weights_sha256: what the driver planned with; other bytes are refused.
        device: see Colorizer.
        threads: torch threads; with 1, results do not depend on how many workers share a machine.
        write_thumbnails: for the report.
    """

    def __init__(
        self,
        *,
        out: Path,
        weights: str,
        weights_sha256: str,
        device: Device = "auto",
        threads: int = 1,
        write_thumbnails: bool = True,
    ) -> None:
        torch.set_num_threads(threads)
        keep_freed_memory()
        self._out = out
        self._write_thumbnails = write_thumbnails
        self._device: Device = device
        self._weights = weights
        self._colorizers = Colorizers(weights, weights_sha256, device)
        self._note = ComputedColorNote.of_weights(weights_sha256)
        self._in_hand = InHandFile(RunFolder(out).in_hand)

    @property
    def has_bf16(self) -> bool:
        """Whether its device computes bf16 itself, and its generator can.

        Raises:
            ConfigError: the device is not there.
        """
        return not is_onnx(Path(self._weights)) and has_bf16(resolve_device(self._device))

    def run(self, unit: WorkUnit) -> UnitReport:
        """Run one unit.

        Returns:
            One line per item; transient reasons in `retry`, a full disk in `blocked`.

        Raises:
            ModelError: the weights cannot be used, or are not those of the plan.
            ConfigError: the encoder asked for is one of a GPU that this machine has not.
        """
        if isinstance(unit, ImageShard | VideoSegment):
            self._colorizers.get(unit.config)  # loading it is not the unit's time
        started, cpu_started = time.monotonic(), time.process_time()
        outcomes = UnitOutcomes(self._in_hand)
        with self._in_hand.unit():
            self._dispatch(unit, outcomes)
        if not isinstance(unit, ImageShard):
            give_back_memory()
        return UnitReport(
            items=tuple(outcomes.items),
            retry=outcomes.retry,
            blocked=outcomes.blocked,
            seconds=time.monotonic() - started,
            cpu_seconds=time.process_time() - cpu_started,
            peak_memory_bytes=peak_memory_bytes(),
        )

    def _dispatch(self, unit: WorkUnit, outcomes: UnitOutcomes) -> None:
        if isinstance(unit, ImageShard):
            colorizer = self._colorizers.get(unit.config)
            line = PhotoLine(self._out, colorizer, unit.config, self._note, outcomes)
            line.run(unit.photos, write_thumbnails=self._write_thumbnails)
            return
        with outcomes.item(unit.items[0]):
            if isinstance(unit, VideoSegment):
                from colorize_core.media.film.nvenc import require_encoder

                require_encoder(unit.config.video.codec)
                colorizer = self._colorizers.get(unit.config)
                report = films.run_segment(unit, self._out, colorizer, self._in_hand)
            elif isinstance(unit, Join):
                report = film_joins.run_join(
                    unit, self._out, self._note.text, write_thumbnails=self._write_thumbnails
                )
            elif isinstance(unit, FilmScan):
                report = film_scans.run_scan(unit, self._out)
            else:
                report = films.run_copy(unit, self._out)
            outcomes.add(report)
