"""Films under the suffixes of cameras and Video CDs; other data under the same suffixes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from colorize_core.archive.source.scan import scan
from colorize_core.media.film.names import FILM_SUFFIXES
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.sniff import is_film
from tests.film_helpers import make_film

KINDS = {
    **{"mod": ("mpg", "mpeg2video"), "tod": ("m2t", "mpeg2video"), "m2t": ("ts", "mpeg2video")},
    **{"qt": ("mov", "mpeg4"), "asf": ("asf", "mpeg4"), "divx": ("avi", "mpeg4")},
    **{"f4v": ("mp4", "libx264"), "y4m": ("y4m", "wrapped_avframe"), "m1v": ("m1v", "mpeg1video")},
    "dat": ("mpg", "mpeg1video"),
}


def _found(folder):
    result = scan(str(folder), photo_suffixes=frozenset({".jpg"}), film_suffixes=FILM_SUFFIXES)
    return [item.path for item in result.items], result.ignored


@pytest.mark.parametrize("suffix", KINDS)
def test_films_of_cameras_are_found_and_read(tmp_path, suffix):
    kind, codec = KINDS[suffix]
    made = tmp_path / "made" / f"a.{kind}"
    made.parent.mkdir()
    make_film(made, frames=25, codec=codec, time_base=Fraction(1, 25), options={})
    film = tmp_path / "in" / f"CLIP.{suffix.upper()}"
    film.parent.mkdir()
    made.rename(film)
    assert _found(film.parent) == ([film.name], {})
    assert probe_film(film).frames == 25


@pytest.mark.parametrize("as_list", [False, True])
def test_a_film_under_another_suffix_is_taken_when_it_is_named(tmp_path, as_list):
    made = tmp_path / "made.mkv"
    make_film(made, frames=5)
    film = tmp_path / "in" / "tape.dub"
    film.parent.mkdir()
    made.rename(film)
    make_film(tmp_path / "in" / "a.mkv", frames=1)
    listed = tmp_path / "films.txt"
    listed.write_text("in/tape.dub\nin/notes.dub\n")
    (tmp_path / "in" / "notes.dub").write_text("ffconcat version 1.0\nfile 'a.mkv'\n")
    known = {"photo_suffixes": frozenset({".jpg"}), "film_suffixes": FILM_SUFFIXES}
    named = scan(
        f"@{listed}" if as_list else str(film), **known, is_film=lambda p: is_film(Path(p))
    )
    (item,) = named.items
    assert (item.path.rpartition("/")[2], item.kind) == ("tape.dub", "film")
    assert [i.path for i in scan(str(film.parent), **known).items] == ["a.mkv"]
    assert probe_film(film).frames == 5


def test_what_is_no_film_by_its_content_is_refused(tmp_path):
    contents = {
        "list": b"ffconcat version 1.0\nfile 'a.mkv'\n",
        "playlist": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\na.ts\n#EXT-X-ENDLIST\n",
        "text": b"not a film\n" * 100,
        "noise": bytes(range(256)) * 40,
        "picture": cv2.imencode(".png", np.zeros((9, 9), np.uint8))[1].tobytes(),
    }
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
        assert not is_film(tmp_path / name), name


def test_other_data_under_these_suffixes_is_left_out(tmp_path):
    make_film(tmp_path / "a.mkv", frames=1)
    (tmp_path / "registry.dat").write_bytes(b"regf" + bytes(600))
    (tmp_path / "tune.mod").write_bytes(b"a tune".ljust(1080, b"\0") + b"M.K." + bytes(600))
    paths, ignored = _found(tmp_path)
    assert paths == ["a.mkv"]
    assert sum(ignored.values()) == 2
