"""Encoders of GPUs are tried before a film is colored."""

from __future__ import annotations

import subprocess

import imageio_ffmpeg
import pytest

from colorize_core.errors import ConfigError
from colorize_core.media.film.nvenc import require_encoder


def ffmpeg_can(codec: str) -> bool:
    """By FFmpeg's own program."""
    source = ["-f", "lavfi", "-i", "color=gray:256x256:d=0.1"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, "-c:v", codec]
    return not subprocess.run([*command, "-f", "null", "-"], capture_output=True).returncode


@pytest.mark.parametrize("codec", ["h264_nvenc", "hevc_nvenc"])
def test_the_probe_says_what_ffmpeg_s_program_says(codec: str):
    if ffmpeg_can(codec):
        require_encoder(codec)
        return
    with pytest.raises(ConfigError, match=f"--codec {codec}: this machine cannot") as caught:
        require_encoder(codec)
    assert "\n" not in str(caught.value)


def test_encoders_of_the_processor_are_not_tried():
    require_encoder("libx264")
    require_encoder("ffv1")
