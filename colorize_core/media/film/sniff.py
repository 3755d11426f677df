"""Whether a file is a film by its content alone, whatever its suffix says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import av

from colorize_core.media.film.demux import is_attached_picture
from colorize_core.media.film.ffmpeg_log import listening

_LEAST_SCORE: Final = 50  # of 100: what FFmpeg gives where much speaks for a format
# Containers and streams of pictures that refer to no other file.
_FORMATS: Final = frozenset(
    (
        *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "mpeg", "mpegts", "mpegvideo", "flv"),
        *("asf", "mxf", "nut", "ogg", "rm", "dv", "gxf", "h264", "hevc", "m4v", "wtv", "ivf"),
        *("obu", "vc1", "amv", "swf", "smk", "bink", "roq", "flic", "nsv", "cavsvideo", "dirac"),
        *("mjpeg", "yuv4mpegpipe", "avs", "lmlm4", "mtv", "rpl", "vivo", "nuv", "film_cpk"),
    )
)
_SCORE: Final = re.compile(r"^Format (\S+) probed with size=\d+ and score=(\d+)$")


def is_film(path: Path) -> bool:
    """Whether FFmpeg is sure that a file is a film, and it has moving pictures."""
    with listening(debug=True) as messages:
        try:
            with path.open("rb") as file:
                container = av.open(file, "r", metadata_errors="replace")
                with container:
                    name = container.format.name
                    has_pictures = any(not is_attached_picture(s) for s in container.streams.video)
        except (av.FFmpegError, ValueError, OSError):
            return False
    found = (_SCORE.match(message.text) for message in messages)
    scores = [int(match[2]) for match in found if match and match[1] == name]
    return has_pictures and name in _FORMATS and max(scores, default=0) >= _LEAST_SCORE
