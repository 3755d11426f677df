import csv
from fractions import Fraction

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from colorize_core.config import VideoSettings
from colorize_core.errors import UndecodableError, UnsupportedError, VerifyError
from colorize_core.media.film.encoder_choice import choose_encoding
from colorize_core.media.film.frame_files import find_frames
from colorize_core.media.film.image_sequence import TIMES_NAME, export_frames, lost_in_frames
from colorize_core.media.film.planes import plane
from colorize_core.media.film.probe import probe_film
from colorize_core.media.film.reader import read_frames
from colorize_core.media.film.scan import scan_film
from colorize_core.media.film.segments import plan_segments
from colorize_core.media.film.shot import is_wholly_colored
from tests.film_helpers import make_film
from tests.film_helpers import picture as drawn_picture
from tests.segment_helpers import color_film, write_segment

SETTINGS = VideoSettings(frames="png")


def is_colored(path, probe):
    return is_wholly_colored(scan_film(path, probe, cut_threshold=0.55))


def _write_pictures(folder, names, dtype=np.uint8, size=(48, 64)):
    folder.mkdir(parents=True)
    largest = np.iinfo(dtype).max
    for number, name in enumerate(names):
        ramp = np.linspace(0, largest, size[1]) * (0.5 + 0.05 * number)
        cv2.imwrite(str(folder / name), np.tile(ramp, (size[0], 1)).astype(dtype))


def test_a_folder_of_pictures_can_be_slow(tmp_path):
    folder = tmp_path / "slides"
    _write_pictures(folder, [f"{i}.png" for i in range(3)])
    probe = probe_film(folder, fps=1 / 3600)
    assert probe.frame_rate == Fraction(1, 3600)
    assert (probe.pts * float(probe.time_base)).tolist() == [0, 3600, 7200]


def test_a_folder_of_pictures_is_a_film(tmp_path):
    folder = tmp_path / "reel [1] *x?"
    _write_pictures(folder, [f"scan {i:03d}.png" for i in (0, 2, 4, 6, 8, 10)])
    (folder / "notes.txt").write_text("not a frame")
    probe = probe_film(folder, fps=16)
    assert (probe.frames, probe.frame_rate, probe.width) == (6, 16, 64)
    assert probe.is_segmentable
    assert not is_colored(folder, probe)
    for picture in read_frames(folder, probe, 2, 6):
        name = sorted(folder.glob("*.png"))[picture.index]
        assert np.array_equal(plane(picture.frame, 0), cv2.imread(str(name), -1))
    output, result = color_film(folder, tmp_path / "out", length=3, fps=16)
    assert output.name == "reel [1] *x?.mkv"
    assert result.frames == 6
    assert probe_film(output).duration_seconds == pytest.approx(6 / 16, abs=0.01)


def test_deep_scans_keep_their_depth(tmp_path):
    folder = tmp_path / "deep"
    _write_pictures(folder, [f"{i:02d}.tif" for i in range(3)], np.uint16)
    probe = probe_film(folder, fps=24)
    assert probe.planar.depth == 16
    for picture in read_frames(folder, probe, 0, 3):
        truth = cv2.imread(str(folder / f"{picture.index:02d}.tif"), -1)
        assert np.array_equal(plane(picture.frame, 0), truth)


def test_folders_that_are_no_film(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UndecodableError, match="no pictures"):
        find_frames(tmp_path / "empty")
    _write_pictures(tmp_path / "mixed", ["f1.png", "f2.png", "f01.png"])
    with pytest.raises(UnsupportedError, match="order"):
        probe_film(tmp_path / "mixed", fps=24)
    _write_pictures(tmp_path / "kinds", ["1.png", "2.png", "3.JPG"])
    with pytest.raises(UnsupportedError, match=r"several kinds: \.jpg, \.png"):
        probe_film(tmp_path / "kinds", fps=24)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_no_frame_is_left_out_for_its_spelling_and_hidden_files_are(tmp_path, suffix):
    folder = tmp_path / "reel"
    names = [f"{i:02d}.{suffix.upper() if i == 3 else suffix}" for i in range(6)]
    _write_pictures(folder, names)
    (folder / f"._00.{suffix}").write_bytes(b"\0\5\x16\7 of a Mac")
    probe = probe_film(folder, fps=24)
    assert probe.frames == 6
    for picture in read_frames(folder, probe, 0, 6):
        truth = cv2.imread(str(folder / names[picture.index]), -1)
        assert np.array_equal(plane(picture.frame, 0), truth)


@pytest.mark.parametrize(
    ("pix_fmt", "dtype", "mirrored"),
    [("yuv420p", np.uint8, False), ("yuv420p10le", np.uint16, True)],
)
def test_frames_of_a_film(tmp_path, pix_fmt, dtype, mirrored):
    path = tmp_path / "a.mkv"
    make_film(
        path,
        frames=12,
        pix_fmt=pix_fmt,
        rotation=90,
        mirrored=mirrored,
        sample_aspect=Fraction(4, 3),
        audio=["aac"],
        tags={"colorspace": 1, "color_range": 1},
    )
    probe = probe_film(path)
    assert choose_encoding(probe, SETTINGS).is_lossless
    segments = []
    for start, stop in plan_segments(probe, 6):
        segments.append(tmp_path / f"{start}.nut")
        write_segment(path, probe, start, stop, segments[-1], SETTINGS)
    folder = tmp_path / "a.mkv.frames"
    folder.mkdir()
    (folder / "old.png").write_bytes(b"of another run")
    result = export_frames(probe, segments, folder, "color is computed")
    assert result.frames == 12
    assert result.lost == ("audio stream 1 (aac)", "the pixels' shape 4/3")
    names = sorted(p.name for p in folder.glob("*.png"))
    assert names == [f"{i:06d}.png" for i in range(1, 13)]
    assert result.size == sum(p.stat().st_size for p in folder.iterdir())
    with (folder / TIMES_NAME).open() as file:
        rows = list(csv.reader(file))[1:]
    assert [(name, float(time)) for name, time in rows] == [
        (name, pytest.approx(i * 0.04)) for i, name in enumerate(names)
    ]
    with Image.open(folder / names[3]) as opened:
        opened.load()
        assert opened.text["Comment"] == "color is computed"
    picture = cv2.imread(str(folder / names[3]), -1)
    assert picture.dtype == dtype
    assert picture.shape == (96, 64, 3)
    drawn = np.rot90(drawn_picture(3))
    shown = picture.mean(2)
    assert np.corrcoef((drawn[:, ::-1] if mirrored else drawn).ravel(), shown.ravel())[0, 1] > 0.95
    # Cb 100 and Cr 160: red above blue everywhere, by the BT.709 matrix.
    scale = 1 if dtype == np.uint8 else 257
    blue, _, red = np.moveaxis(picture.astype(float) / scale, 2, 0)
    inside = (blue > 5) & (red < 250)
    assert inside.mean() > 0.3
    warmth = np.median((red - blue)[inside])
    assert warmth == pytest.approx((32 * 1.5748 + 28 * 1.8556) * 255 / 224, rel=0.03)
    assert not list(tmp_path.glob(".colorize-tmp-*"))


@pytest.mark.parametrize(("pix_fmt", "dtype"), [("yuv420p", np.uint8), ("gbrp16le", np.uint16)])
def test_frames_as_tiff_hold_what_those_as_png_hold(tmp_path, pix_fmt, dtype):
    path = tmp_path / "a.mkv"
    make_film(path, frames=4, codec="ffv1", pix_fmt=pix_fmt)
    probe = probe_film(path)
    write_segment(path, probe, 0, 4, tmp_path / "0.nut", SETTINGS)
    for kind in ("png", "tiff"):
        export_frames(probe, [tmp_path / "0.nut"], tmp_path / kind, "ab", as_tiff=kind == "tiff")
    names = sorted(p.name for p in (tmp_path / "tiff").iterdir())
    assert names == [*(f"{i:06d}.tif" for i in range(1, 5)), TIMES_NAME]
    assert "000001.tif" in (tmp_path / "tiff" / TIMES_NAME).read_text()
    with tifffile.TiffFile(tmp_path / "tiff" / names[2]) as file:
        assert file.pages[0].description == "ab"
        assert file.pages[0].dtype == dtype
        png = cv2.imread(str(tmp_path / "png" / "000003.png"), -1)
        assert np.array_equal(file.asarray(), png[..., ::-1])


def test_missing_frames_leave_the_folder_as_it_was(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=8)
    probe = probe_film(path)
    write_segment(path, probe, 0, 4, tmp_path / "0.nut", SETTINGS)
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "old.png").write_bytes(b"old")
    with pytest.raises(VerifyError, match="hold 4 frames, the film 8"):
        export_frames(probe, [tmp_path / "0.nut"], folder, "")
    assert [p.name for p in folder.iterdir()] == ["old.png"]
    assert not list(tmp_path.glob(".colorize-tmp-*"))


def test_chapters_that_pictures_do_not_hold_are_said(tmp_path):
    make_film(tmp_path / "a.mkv", frames=4, chapters=True)
    make_film(tmp_path / "b.mkv", frames=4)
    assert "chapters" in lost_in_frames(probe_film(tmp_path / "a.mkv"))
    assert "chapters" not in lost_in_frames(probe_film(tmp_path / "b.mkv"))


def test_a_curve_that_png_does_not_mark_is_said(tmp_path):
    path = tmp_path / "a.mkv"
    make_film(path, frames=2, pix_fmt="yuv420p10le", tags={"color_trc": 16, "colorspace": 9})
    assert any("PQ" in lost for lost in lost_in_frames(probe_film(path)))
