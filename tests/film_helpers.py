"""Films made on the spot: every test says what is special about its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from colorize_core.media.film.planes import parse_format, plane

WIDTH, HEIGHT = 96, 64


def picture(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A textured gray picture [H, W] in 0..1 that drifts to the right; no two are alike."""
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = np.sin((x - 1.5 * index) / 7.0) * np.cos(y / 9.0) + np.sin((x + y - index) / 23.0)
    return np.clip(0.5 + 0.22 * waves, 0.0, 1.0)


def make_frame(
    index: int,
    pix_fmt: str = "yuv420p",
    width: int = WIDTH,
    height: int = HEIGHT,
    *,
    full_range: bool = False,
    colored: bool = False,
) -> av.VideoFrame:
    """A frame of `picture`; gray unless `colored`."""
    if parse_format(pix_fmt) is None:
        gray = np.round(picture(index, width, height) * 255).astype(np.uint8)
        rgb = av.VideoFrame.from_ndarray(np.repeat(gray[..., None], 3, 2), format="rgb24")
        return rgb if pix_fmt == "rgb24" else rgb.reformat(format=pix_fmt)
    frame = av.VideoFrame(width, height, pix_fmt)
    described = parse_format(pix_fmt)
    scale = 1 << (described.depth - 8)
    low, high = (0, 255) if full_range else (16, 235)
    for number in range(len(frame.planes)):
        target = plane(frame, number)
        if number == 0:
            luma = low + picture(index, width, height) * (high - low)
            target[:] = np.round(luma * scale).astype(target.dtype)
        else:
            ramp = np.linspace(-60, 60, target.shape[1]) if colored else 0.0
            target[:] = np.round((128 + ramp) * scale).astype(target.dtype)
    return frame


def make_film(
    path: Path,
    *,
    frames: int = 40,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    rate: Fraction | int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 12800),
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    full_range: bool = False,
    colored: bool = False,
    sample_aspect: Fraction | None = None,
    rotation: int = 0,
    mirrored: bool = False,
    audio: Sequence[str] = (),
    subtitles: Sequence[str] = (),
    chapters: bool = False,
    attachment: bytes = b"",
    metadata: dict[str, str] | None = None,
    movflags: str = "",
    draw: Callable[[int], av.VideoFrame] | None = None,
) -> list[av.VideoFrame]:
    """Write a film; returns the frames that went into its encoder.

    `pts` are in units of `time_base`; `audio` names encoders; `subtitles` codecs of text.
    """
    rate = Fraction(rate)
    times = list(pts) if pts is not None else [round(i / rate / time_base) for i in range(frames)]
    if options is None:
        options = {"g": "12", "crf": "20", "preset": "veryfast"} if codec == "libx264" else {}
    sent = []
    in_mov = path.suffix in (".mp4", ".mov")
    muxing = {"movie_timescale": str(time_base.denominator)} if in_mov else {}
    if movflags:
        muxing["movflags"] = movflags
    with av.open(str(path), "w", options=muxing) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        if sample_aspect:
            stream.codec_context.sample_aspect_ratio = sample_aspect
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation or mirrored:
            stream.set_display_rotation(rotation, hflip=mirrored)
        seconds = float(times[-1] * time_base + 1 / rate)
        write_others = _add_others(container, audio, subtitles, attachment, seconds)
        if chapters:
            container.set_chapters(_chapters(seconds))
        container.start_encoding()
        write_others()
        make = draw or (
            lambda i: make_frame(i, pix_fmt, *size, full_range=full_range, colored=colored)
        )
        for index, time in enumerate(times):
            frame = make(index)
            frame.pts, frame.time_base = time, time_base
            sent.append(frame)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return sent


def _add_others(
    container, audio: Sequence[str], subtitles: Sequence[str], attachment: bytes, seconds: float
) -> Callable[[], None]:
    """Add the streams beside the pictures; the returned function writes their packets."""
    sound = [container.add_stream(name, rate=48000) for name in audio]
    texts = [container.add_mux_stream(name) for name in subtitles]
    for number, added in [*enumerate(sound), *enumerate(texts)]:
        added.metadata["language"] = ("eng", "deu", "fra")[number % 3]
    for added in texts:
        added.time_base = Fraction(1, 1000)
    if attachment:
        container.add_attachment("font.ttf", "application/x-truetype-font", attachment)

    def write() -> None:
        for added in sound:
            _write_sound(container, added, seconds)
        for added, name in zip(texts, subtitles, strict=True):
            _write_texts(container, added, name)

    return write


def _chapters(seconds: float) -> list[dict]:
    middle, end = round(seconds * 500), round(seconds * 1000)
    return [
        {
            "id": number,
            "start": start,
            "end": stop,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": f"Part {number}"},
        }
        for number, (start, stop) in enumerate(((0, middle), (middle, end)), start=1)
    ]


def _write_sound(container, stream, seconds: float) -> None:
    samples = 1024
    for start in range(0, round(seconds * 48000), samples):
        phase = np.arange(start, start + samples) * (2 * np.pi * 440 / 48000)
        wave = np.stack([np.sin(phase), np.cos(phase)]).astype(np.float32) * 0.3
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
        frame.sample_rate = 48000
        frame.pts, frame.time_base = start, Fraction(1, 48000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_texts(container, stream, codec: str) -> None:
    for number, text in enumerate(("Hello.", "Grüße!")):
        data = text.encode()
        if codec == "mov_text":
            data = len(data).to_bytes(2, "big") + data
        packet = av.Packet(data)
        packet.stream = stream
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = 200 + 500 * number
        packet.duration = 400
        container.mux(packet)


def decode(path: Path, stream_index: int = 0) -> list[av.VideoFrame]:
    """All frames of a video stream, by FFmpeg alone."""
    with av.open(str(path)) as container:
        return list(container.decode(container.streams.video[stream_index]))


def packets(path: Path, index: int) -> list[tuple[int, bytes]]:
    """Time in ticks and bytes of all packets of a stream."""
    with av.open(str(path)) as container:
        stream = container.streams[index]
        return [(p.pts, bytes(p)) for p in container.demux(stream) if p.size]


def spoil_packet(path: Path, number: int) -> None:
    """Make the packet with this number in decode order undecodable: its NAL length is absurd."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
        position, size = packets[number].pos, packets[number].size
    data = bytearray(path.read_bytes())
    data[position : position + size] = b"\x7f" * size
    path.write_bytes(data)
