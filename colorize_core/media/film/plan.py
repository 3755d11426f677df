"""What becomes of a film: decided once, when it is planned, and carried by all its units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from colorize_core.media.film.container_choice import (
    ContainerChoice,
    ContainerSettings,
    what_container_keeps,
)
from colorize_core.media.film.encoder_choice import EncoderSettings, Encoding, choose_encoding
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.frame_files import sound_notes
from colorize_core.media.film.image_sequence import lost_in_frames
from colorize_core.media.film.names import frames_name, output_name, pieces_name


class FilmSettings(EncoderSettings, ContainerSettings, Protocol):
    """The part of VideoSettings that decides what a film becomes."""

    @property
    def sound(self) -> bool:
        """The WAV of a folder of pictures is its sound."""
        ...


@dataclass(frozen=True)
class FilmPlan:
    """What becomes of a film.

    Attributes:
        encoding: of all its segments.
        container: of the joined film.
        output: of the film in color, relative to OUT.
        copy: of the film where it is in color already.
        has_pictures: the output is a folder of pictures.
        is_deinterlaced: fields become whole pictures.
        lost: what of the source the output cannot hold.
        notes: where it differs from what was asked for, and differences that no viewer sees.
        may_be_colored: it has room for color: only a look at its frames tells.
    """

    encoding: Encoding
    container: ContainerChoice
    output: str
    copy: str
    has_pictures: bool
    is_deinterlaced: bool
    lost: tuple[str, ...]
    notes: tuple[str, ...]
    may_be_colored: bool


def plan_film(path: str, probe: FilmProbe, settings: FilmSettings, *, is_folder: bool) -> FilmPlan:
    """Decide what becomes of a film.

    Args:
        path: of the item in its source.
        probe: of the film.
        settings: VideoSettings.
        is_folder: the film is a folder of pictures.

    Raises:
        UnsupportedError: no encoder takes it, or the container cannot hold what the encoder makes.
    """
    encoding = choose_encoding(probe, settings)
    container = what_container_keeps(probe, settings.container, encoding.codec)
    has_pictures = settings.frames != "none"
    sound = sound_notes(probe.sound, is_wanted=settings.sound)
    # The path of a folder may hold the outputs of folders in it.
    own = frames_name(path) if is_folder else pieces_name(path) if probe.pieces else path
    return FilmPlan(
        encoding=encoding,
        container=container,
        output=frames_name(path) if has_pictures else output_name(path, container.container),
        copy=own,
        has_pictures=has_pictures,
        is_deinterlaced=settings.deinterlace == "bwdif" and probe.is_interlaced,
        lost=lost_in_frames(probe) if has_pictures else container.lost,
        notes=encoding.notes if has_pictures else (*encoding.notes, *container.notes, *sound),
        may_be_colored=_has_chroma(probe),
    )


def _has_chroma(probe: FilmProbe) -> bool:
    if probe.pix_fmt.startswith(("gray", "mono")):
        return False
    return probe.is_rgb or not probe.planar.is_gray
