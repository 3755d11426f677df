"""Codec by container by what a film has: kept, converted without loss, or listed. Printed.

`pytest -m slow tests/media/film/test_matrix.py` prints the matrix; FFmpeg's own command decides
each cell.
"""

import re
import sys

import numpy as np
import pytest

from colorize_core.media.film.container_choice import what_container_keeps
from colorize_core.media.film.probe import probe_film
from tests.ffmpeg_helpers import PICTURES, TONE, described, ffmpeg, first_frame, samples
from tests.media.film.test_join_captions import in_pictures, texts, with_bitmaps, with_captions
from tests.segment_helpers import color_film

_RESULTS = [
    *((codec, "mkv") for codec in ("libx264", "libx265", "libsvtav1", "ffv1", "prores_ks")),
    *((codec, "mp4") for codec in ("libx264", "libx265", "libsvtav1", "ffv1")),
    *((codec, "mov") for codec in ("libx264", "libx265", "prores_ks")),
]
_SHORT = (*PICTURES, *TONE, "-t", "1", "-strict", "-2")
# Name of a codec of sound: the file that holds it, and how it is made.
_SOUND = {
    "aac": ("mp4", ()),
    "mp2": ("ts", ()),
    "ac3": ("ts", ()),
    "flac": ("mkv", ()),
    "opus": ("mkv", ("-c:a", "libopus")),
    "aac_latm": ("ts", ("-c:a", "aac", "-mpegts_flags", "latm")),
    "pcm_s16le": ("mov", ()),
    "pcm_s24be": ("mov", ()),
    "pcm_dvd": ("vob", ()),
    "pcm_bluray": ("m2ts", ()),
    "s302m": ("ts", ()),
    "pcm_alaw": ("avi", ()),
    "adpcm_ms": ("avi", ()),
    "wmav2": ("wmv", ()),
}
_TEXT = {"subrip": "mkv", "mov_text": "mp4", "ass": "mkv", "webvtt": "mkv"}
# By which word the report has to list what is lost.
_LISTED_AS = {
    "dvd_subtitle": "subtitle stream",
    "captions": "closed captions",
    "time code": "time code",
    "HDR light": "mastering display",
    "alpha": "transparency",
}
_SRT = "1\n00:00:00,200 --> 00:00:00,600\nHello.\n\n2\n00:00:00,700 --> 00:00:01,100\nAgain.\n\n"


def _sound(folder, codec):
    suffix, how = _SOUND[codec]
    path = folder / f"{codec}.{suffix}"
    video = {"wmv": "wmv2", "vob": "mpeg2video"}.get(suffix, "mpeg4")
    ffmpeg(*_SHORT, "-c:v", "mpeg2video" if suffix in ("ts", "m2ts") else video, "-bf", "0",
           *(how or ("-c:a", codec)), path)  # fmt: skip
    return path


def _text(folder, codec):
    path, script = folder / f"{codec}.{_TEXT[codec]}", folder / "a.srt"
    script.write_text(_SRT)
    ffmpeg(*PICTURES, "-i", script, "-map", "0", "-map", "1", "-c:s", codec, path)
    return path


def _packets(path, stream):
    """MD5 of each packet of a stream."""
    copy = ("-map", f"0:{stream}", "-c", "copy", "-f", "framemd5", "-")
    lines = ffmpeg("-i", path, *copy).splitlines()
    return [line.split(",")[5].strip() for line in lines if not line.startswith("#")]


def _judge_sound(source, result, codec):
    if "Audio:" not in described(result):
        return ""
    # Players leave out the beginning of coded sound (priming) in some containers only.
    if _packets(source, "a") == _packets(result, "a"):
        return "kept"
    before, after = samples(source, kind="f32le"), samples(result, kind="f32le")
    is_equal = before.shape == after.shape and bool(np.abs(before - after).max() < 1e-6)
    is_same = re.search(rf"Audio: {codec}\b", described(result))
    return ("kept" if is_same else "converted") if is_equal else ""


def _judge_text(source, result, codec):
    if "Subtitle:" not in described(result):
        return ""
    said = [re.findall(r"-->.*\n(.*)\n", texts(film, "srt")) for film in (source, result)]
    if said[0] != said[1] or not said[0]:
        return ""
    return "kept" if re.search(rf"Subtitle: {codec}\b", described(result)) else "converted"


def _judge_bitmaps(source, result, _):
    if "Subtitle: dvd_subtitle" not in described(result):
        return ""
    return "kept" if _packets(source, "s") == _packets(result, "s") else ""


def _judge_captions(source, result, _):
    if in_pictures(result) == in_pictures(source):
        return "kept"
    if "Subtitle:" in described(result) and "Hello" in texts(result, "srt"):
        return "converted"
    return ""


def _judge_time_code(_source, result, _):
    return "kept" if "01:02:03:04" in described(result) else ""


def _judge_light(source, result, _):
    numbers = [
        re.findall(r"MaxCLL=\d+|max_luminance=\d+", first_frame(f)) for f in (source, result)
    ]
    return "kept" if sorted(set(numbers[0])) == sorted(set(numbers[1])) else ""


def _judge_alpha(_source, result, _):
    return "kept" if re.search(r"Video:.*(yuva|rgba|argb)", described(result)) else ""


def _other_sources(folder):
    """Films with one more thing than pictures, and who judges what became of it."""
    captions, bitmaps = folder / "captions.ts", folder / "bitmaps.mkv"
    with_captions(captions, "libx264")
    with_bitmaps(bitmaps)
    code, light, alpha = folder / "code.mov", folder / "light.mkv", folder / "alpha.mkv"
    ffmpeg(*PICTURES, "-t", "0.4", "-timecode", "01:02:03:04", "-c:v", "libx264", code)
    deep = (*PICTURES[:3], f"{PICTURES[3]},format=yuv420p10le", "-t", "0.4")
    screen = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    how = f"log-level=error:master-display={screen}:max-cll=1000,400"
    ffmpeg(*deep, "-c:v", "libx265", "-x265-params", how, light)
    clear = (*PICTURES[:3], f"{PICTURES[3]},format=yuva420p", "-t", "0.4")
    ffmpeg(*clear, "-c:v", "ffv1", alpha)
    return {
        "dvd_subtitle": (bitmaps, _judge_bitmaps),
        "captions": (captions, _judge_captions),
        "time code": (code, _judge_time_code),
        "HDR light": (light, _judge_light),
        "alpha": (alpha, _judge_alpha),
    }


def _cell(source, folder, name, judge, codec, container):
    result, said = color_film(source, folder, codec=codec, container=container)
    found = judge(source, result, name)
    choice = what_container_keeps(probe_film(source), container, codec)
    word = _LISTED_AS.get(name, "subtitle stream" if name in _TEXT else "audio stream")
    if any(word in lost for lost in (*choice.lost, *said.lost)):
        return f"{found}, listed" if found else "listed"
    return found or "MISSING"


def _words(names, table):
    width = max(map(len, names))
    rows = [
        [" " * width, *(codec.removeprefix("lib").rjust(10) for codec, _ in table)],
        [" " * width, *(container.rjust(10) for _, container in table)],
    ]
    for name in names:
        # "*": something about it is listed as lost all the same.
        cells = (column[name].replace(", listed", " *") for column in table.values())
        rows.append([name.ljust(width), *(cell.rjust(10) for cell in cells)])
    return "\n" + "\n".join(map(" ".join, rows)) + "\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_everything_is_kept_converted_or_listed(tmp_path, capsys):
    sources = {codec: (_sound(tmp_path, codec), _judge_sound) for codec in _SOUND}
    sources |= {codec: (_text(tmp_path, codec), _judge_text) for codec in _TEXT}
    sources |= _other_sources(tmp_path)
    table = {}
    for codec, container in _RESULTS:
        here = f"{codec} {container}"
        table[codec, container] = {
            name: _cell(source, tmp_path / f"{here} {name}", name, judge, codec, container)
            for name, (source, judge) in sources.items()
        }
    with capsys.disabled():
        sys.stdout.write(_words(list(sources), table))
    missing = {
        (name, *key)
        for key, row in table.items()
        for name, cell in row.items()
        if "MISSING" in cell
    }
    assert not missing
