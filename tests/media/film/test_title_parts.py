"""Pieces of a DVD title are named as such, with a way that makes them whole."""

from fractions import Fraction

from colorize_core.media.film.counts import Damage
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from tests.film_helpers import make_film


def test_pieces_of_a_title_are_said_and_the_way_given_makes_one_film(tmp_path):
    whole = tmp_path / "whole.mpg"
    base = Fraction(1, 25)
    make_film(whole, frames=100, codec="mpeg2video", audio=["mp2"], time_base=base, size=(352, 288))
    data = whole.read_bytes()
    # Packs of 2048 bytes: DVD players cut there, wherever the picture is.
    cut = len(data) // 2 // 2048 * 2048
    folder = tmp_path / "VIDEO_TS"
    folder.mkdir()
    names = ("VTS_01_1.VOB", "VTS_01_2.VOB")
    for name, part in zip(names, (data[:cut], data[cut:]), strict=True):
        (folder / name).write_bytes(part)
    for number, name in enumerate(names, start=1):
        (note,) = (n for n in probe_film(folder / name).notes if "of one title" in n)
        assert note.startswith(f"piece {number} of 2")
    joined = tmp_path / "VTS_01_all.VOB"
    joined.write_bytes(b"".join((folder / name).read_bytes() for name in names))
    probe = probe_film(joined)
    damage = Damage()
    for picture in read_frames(joined, probe, 0, probe.frames):
        damage.count(picture)
    assert (probe.frames, probe.notes, damage.reasons()) == (100, (), ())


def test_a_title_in_one_piece_is_nothing_to_speak_of(tmp_path):
    film = tmp_path / "VTS_02_1.VOB"
    make_film(tmp_path / "a.mpg", frames=10, codec="mpeg2video", time_base=Fraction(1, 25))
    (tmp_path / "a.mpg").rename(film)
    assert probe_film(film).notes == ()
