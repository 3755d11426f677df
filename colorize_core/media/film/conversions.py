"""What a stream becomes in a container that does not take it as it is."""

from __future__ import annotations

from colorize_core.media.film.film import StreamInfo

# Subtitles that are text on both sides are rewritten: from codec to codec, per container.
_SUBTITLES = {
    ("mov_text", "mkv"): "subrip",
    ("subrip", "mp4"): "mov_text",
    ("subrip", "mov"): "mov_text",
    ("text", "mp4"): "mov_text",
    ("text", "mov"): "mov_text",
    ("eia_608", "mkv"): "ass",
    ("eia_608", "mp4"): "mov_text",
}
# Captions of line 21 inside the pictures, where the encoder does not put them into its own.
_CAPTIONS = {"mkv": "ass", "mov": "eia_608", "mp4": "mov_text"}
_ENCODERS_OF_CAPTIONS = {"libx264", "h264_nvenc", "hevc_nvenc"}
# Sound is decoded and kept as PCM with equal samples, so in containers that hold PCM.
_WITH_PCM = {"mkv", "mp4", "mov"}
_PCM = {
    "u8": "pcm_u8",
    "s16": "pcm_s16le",
    "s32": "pcm_s32le",
    "flt": "pcm_f32le",
    "dbl": "pcm_f64le",
}
# Their decoders put up to 24 bits into samples of 32.
_AT_MOST_24_BITS = {"pcm_dvd", "pcm_bluray", "s302m", "pcm_s24daud"}


def conversion(stream: StreamInfo, container: str) -> str | None:
    """Find the codec into which a stream is rewritten without loss for a container.

    Args:
        stream: one that `container` does not take as it is.
        container: "mkv", "mp4", "mov" or "webm".

    Returns:
        FFmpeg's name of the codec, or None without a way.
    """
    if stream.kind == "subtitle":
        return _SUBTITLES.get((stream.codec, container))
    if stream.kind != "audio" or container not in _WITH_PCM:
        return None
    if stream.is_plain_latm:
        return "aac"
    sample_format = stream.sample_format.removesuffix("p")
    if sample_format == "u8" and container == "mp4":  # it begins with 16 bits
        sample_format = "s16"
    if sample_format == "s32" and stream.codec in _AT_MOST_24_BITS:
        return "pcm_s24le"
    return _PCM.get(sample_format)


def captions_stream(container: str, encoder: str) -> str | None:
    """Find the codec of the stream that takes closed captions out of the pictures.

    Returns:
        None where the pictures keep them, "" where the container has no place for them.
    """
    return None if encoder in _ENCODERS_OF_CAPTIONS else _CAPTIONS.get(container, "")
