from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from colorize_core.media.film.preview import STRIP_FRAMES, write_film
from tests.film_helpers import spoil_packet

LEFT_GRAY = 60


def frame_picture(number, tint):
    """One shot per 15 frames: its brightness tells which; the left half is darker."""
    picture = np.full((48, 64, 3), min(220, 100 + 40 * (number // 15)), np.uint8)
    picture[:, :32] = LEFT_GRAY
    picture[..., 0] = np.minimum(255, picture[..., 0].astype(int) + tint)
    return picture


def make_film(path, *, frames=60, tint=0, rotation=0, start=0.0, aspect=None):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "4", "g": "12"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.time_base = Fraction(1, 90_000)
        if aspect:
            stream.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(frame_picture(number, tint), format="rgb24")
            frame.pts = round((start + number / 30) * 90_000)
            frame.time_base = Fraction(1, 90_000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def read(path):
    return cv2.imread(str(path))[..., ::-1].astype(int)


def test_one_frame_per_shot_paired_by_time_and_a_clip_of_both_halves(tmp_path):
    before = make_film(tmp_path / "before.mp4")
    after = make_film(tmp_path / "after.mp4", tint=60)
    details = write_film(before, after, tmp_path / "thumbs", "f1", shots=[0, 0.5, 1.0, 1.5])
    assert [round(frame.time, 2) for frame in details.strip] == [0.27, 0.77, 1.27, 1.77]
    for number, frame in enumerate(details.strip):
        was, now = (
            read(tmp_path / "thumbs" / getattr(frame, role)) for role in ("before", "after")
        )
        assert np.abs(was[24, 48] - (100 + 40 * number)).max() < 12
        assert now[24, 48, 0] - was[24, 48, 0] > 25
    assert (details.width, details.height) == (64, 48)
    with av.open(str(tmp_path / "thumbs" / details.preview.file)) as clip:
        assert [stream.type for stream in clip.streams] == ["video"]
        picture = next(clip.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert picture.shape == (48, 128, 3)
    assert picture[24, 112, 0] - picture[24, 48, 0] > 25
    assert list(tmp_path.rglob(".colorize-tmp-*")) == []


def test_behind_damage_the_strip_and_the_clip_go_on_in_step(tmp_path):
    before = make_film(tmp_path / "before.mp4")
    after = make_film(tmp_path / "after.mp4", tint=60)
    for number in (14, 22, 23):  # in the second of four shots
        spoil_packet(before, number)
    details = write_film(before, after, tmp_path, "f", shots=[0, 0.5, 1.0, 1.5])
    assert len(details.strip) == 4
    with av.open(str(tmp_path / details.preview.file)) as clip:
        frames = [f.to_ndarray(format="rgb24").astype(int) for f in clip.decode(video=0)]
    assert len(frames) > 45
    # The last shot stands beside the last shot, although the source lost frames on the way.
    for frame in frames[-10:]:
        assert abs(frame[24, 48, 1] - frame[24, 112, 1]) < 12


def test_a_raw_stream_without_times_is_shown_from_its_beginning(tmp_path):
    before = make_film(tmp_path / "before.h264")
    after = make_film(tmp_path / "after.mkv", tint=60)
    details = write_film(before, after, tmp_path, "f", shots=[0, 0.6, 1.2])
    assert [round(frame.time, 2) for frame in details.strip] == [0.3, 0.9, 1.6]
    for gray, frame in zip((100, 140, 220), details.strip, strict=True):
        assert np.abs(read(tmp_path / frame.before)[24, 48] - gray).max() < 12
    assert details.preview.seconds > 1.5


def test_many_shots_are_thinned_over_the_whole_film(tmp_path):
    film = make_film(tmp_path / "a.mkv", frames=90)
    details = write_film(film, film, tmp_path, "f", shots=[i / 30 for i in range(90)])
    times = [frame.time for frame in details.strip]
    assert len(times) == STRIP_FRAMES
    assert times[0] < 0.1
    assert times[-1] > 2.8


@pytest.mark.parametrize("shots", [[], [0.0], [0.0, 7.0, 9.0]])
def test_a_film_shorter_than_its_shots_still_has_a_picture(tmp_path, shots):
    film = make_film(tmp_path / "a.mp4", frames=3)
    assert len(write_film(film, film, tmp_path, "f", shots=shots).strip) == 1


def test_pictures_are_upright_with_square_pixels(tmp_path):
    turned = make_film(tmp_path / "turned.mp4", frames=3, rotation=90)
    details = write_film(turned, turned, tmp_path, "t", shots=[])
    assert (details.width, details.height) == (48, 64)
    picture = read(tmp_path / details.after)
    # Turned counter-clockwise, the dark left half is at the bottom.
    assert picture[56, 24].mean() < picture[8, 24].mean() - 20
    wide = make_film(tmp_path / "wide.mp4", frames=3, aspect=Fraction(2, 1))
    details = write_film(wide, wide, tmp_path, "w", shots=[])
    assert (details.width, details.height) == (128, 48)


def test_a_source_that_does_not_open_is_an_error(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(av.error.FFmpegError):
        write_film(tmp_path / "empty.mp4", tmp_path / "empty.mp4", tmp_path, "e", shots=[])
