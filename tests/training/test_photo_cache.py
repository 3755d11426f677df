from __future__ import annotations

import io
import os
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_core.config import TrainDataConfig
from colorize_core.errors import UsageError
from colorize_core.training import data as training_data
from colorize_core.training.data import colorfulness, open_cache

CONFIG = TrainDataConfig(cache_sizes=(32, 64), min_colorfulness=8.0)


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


CAT = data.chelsea()
FILES = {
    "people/a.png": png(data.astronaut()[:100, :140]),
    "people/gray.png": png(np.repeat(CAT[:64, :64, :1], 3, 2)),
    "animals/cat.png": png(CAT[:50, :60]),
    "animals/broken.png": b"no picture",
    "animals/half.jpg": b"\xff\xd8\xff\xe0 cut off",
    "animals/tiny.png": png(CAT[:10, :10]),
    "notes.txt": b"not a picture",
}


def write_folder(root):
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write_tar(root):
    with tarfile.open(root / "all.tar", "w") as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return root / "all.tar"


def write_zip(root):
    with zipfile.ZipFile(root / "all.zip", "w") as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)
    return root / "all.zip"


def write_txz(root):
    with tarfile.open(root / "all.tar.xz", "w:xz") as archive:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return root / "all.tar.xz"


@pytest.mark.parametrize("write", [write_folder, write_tar, write_zip, write_txz])
def test_gray_and_broken_files_are_dropped_and_counted(write, tmp_path):
    (tmp_path / "in").mkdir()
    source = write(tmp_path / "in")
    cache = open_cache(str(source), tmp_path / "cache", CONFIG)
    assert cache.dropped == {"gray": 1, "broken": 2, "small": 1}
    assert cache.groups == {32: ("animals",), 64: ("people",)}
    assert cache.arrays[64].shape == (1, 64, 64, 3)
    expected = Image.open(io.BytesIO(FILES["people/a.png"])).resize((64, 64), Image.LANCZOS)
    np.testing.assert_array_equal(cache.arrays[64][0], np.asarray(expected))


def test_a_photo_that_lies_on_its_side_is_stood_up(tmp_path):
    picture = data.astronaut()[:100, :140]
    exif = Image.Exif()
    exif[274] = 6  # the camera was turned: the first row is the right side
    (tmp_path / "in").mkdir()
    lying = np.ascontiguousarray(np.rot90(picture))
    Image.fromarray(lying).save(tmp_path / "in" / "a.png", exif=exif)
    cache = open_cache(str(tmp_path / "in"), tmp_path / "cache", CONFIG)
    expected = Image.fromarray(picture).resize((64, 64), Image.LANCZOS)
    np.testing.assert_array_equal(cache.arrays[64][0], np.asarray(expected))


def test_archives_in_a_folder_are_opened(tmp_path):
    (tmp_path / "in").mkdir()
    write_tar(tmp_path / "in")
    write_zip(tmp_path / "in")
    assert open_cache(str(tmp_path / "in"), tmp_path / "cache", CONFIG).count == 4


def test_photos_are_decoded_once(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "in")
    first = open_cache(str(source), tmp_path / "cache", CONFIG)
    monkeypatch.setattr(training_data, "decode_square", None)
    again = open_cache(str(source), tmp_path / "cache", CONFIG)
    assert again.folder == first.folder
    np.testing.assert_array_equal(again.arrays[32], first.arrays[32])


def test_a_changed_photo_or_setting_makes_a_new_cache(tmp_path):
    source = write_folder(tmp_path / "in")
    first = open_cache(str(source), tmp_path / "cache", CONFIG).folder
    stricter = TrainDataConfig(cache_sizes=(32, 64), min_colorfulness=9.0)
    assert open_cache(str(source), tmp_path / "cache", stricter).folder != first
    os.utime(source / "animals" / "cat.png", ns=(1, 1))
    assert open_cache(str(source), tmp_path / "cache", CONFIG).folder != first


def test_an_interrupted_build_leaves_no_cache(tmp_path, monkeypatch):
    source = write_folder(tmp_path / "in")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training_data, "decode_square", stop)
        with pytest.raises(KeyboardInterrupt):
            open_cache(str(source), tmp_path / "cache", CONFIG)
    assert open_cache(str(source), tmp_path / "cache", CONFIG).count == 2
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_nothing_to_train_on_is_an_error(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no photos"):
        open_cache(str(tmp_path / "empty"), tmp_path / "cache", CONFIG)
    with pytest.raises(UsageError, match="does not exist"):
        open_cache(str(tmp_path / "missing"), tmp_path / "cache", CONFIG)
    (tmp_path / "gray").mkdir()
    (tmp_path / "gray" / "g.png").write_bytes(FILES["people/gray.png"])
    with pytest.raises(UsageError, match="no usable color photo"):
        open_cache(str(tmp_path / "gray"), tmp_path / "cache", CONFIG)


def test_a_damaged_archive_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    path = write_tar(tmp_path / "in")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(UsageError, match=r"all\.tar"):
        open_cache(str(path), tmp_path / "cache", CONFIG)


def test_colorfulness_follows_hasler_and_suesstrunk():
    rgb = data.astronaut()[::2, ::2]
    full = np.repeat(np.repeat(rgb, 2, 0), 2, 1)
    r, g, b = (rgb[..., i].astype(float) for i in range(3))
    rg, yb = r - g, 0.5 * (r + g) - b
    expected = np.sqrt(rg.var() + yb.var()) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2)
    assert colorfulness(full) == pytest.approx(expected, rel=1e-4)
