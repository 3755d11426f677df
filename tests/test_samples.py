"""The built-in sample: gray, whole, varied, made without a network, and not made twice."""

import socket
import subprocess
import sys
from pathlib import Path

import av
import imageio.v3 as iio
import numpy as np
import pytest
from skimage.color import rgb2lab

from colorize_core import samples
from colorize_core.media.film import sample_clip
from colorize_core.media.film.sample_clip import HEIGHT, WIDTH
from colorize_core.media.photo.codec import decode_photo


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return samples.write_sample(tmp_path_factory.mktemp("sample") / "new" / "sample")


def files(folder: Path) -> dict[str, Path]:
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_picture_is_gray_and_decodes(sample):
    found = files(sample)
    pictures = {name: path for name, path in found.items() if name != samples.CLIP}
    assert 6 <= len(pictures) <= 8
    assert len({Path(name).parent for name in found}) >= 4
    for name, path in pictures.items():
        photo = decode_photo(path.read_bytes(), name=name, max_pixels=10**7)
        [page] = photo.pages
        assert min(page.pixels.shape[:2]) >= 300, name
        assert np.ptp(page.pixels.astype(int)) > 100, name


def test_formats_and_depths_vary(sample):
    stored = {name: iio.imread(path) for name, path in files(sample).items() if "film" not in name}
    assert {path.suffix for path in map(Path, stored)} == {".jpg", ".png", ".tif", ".bmp", ".webp"}
    deep = {name for name, pixels in stored.items() if pixels.dtype == np.uint16}
    assert deep == {"animals/cat, 16 bit.png", "still life/coffee, 16 bit.tif"}
    for name in deep:
        # Not 8-bit values spread out: neighbors in value exist.
        assert len(np.unique(stored[name])) > 300, name


def test_only_the_sepia_picture_has_a_tint_and_only_one(sample):
    for name, path in files(sample).items():
        if "film" in name:
            continue
        pixels = iio.imread(path)
        if pixels.ndim == 2:
            continue
        ab = rgb2lab(pixels[..., :3])[..., 1:]
        assert (np.abs(ab).max() > 5) == ("sepia" in name), name


def test_the_clip(sample):
    with av.open(str(sample / samples.CLIP)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.width, video.height) == ("h264", WIDTH, HEIGHT)
        assert audio.codec_context.name == "aac"
        planes = [frame.to_ndarray() for frame in container.decode(video)]
    assert len(planes) == 72
    luma = np.stack([p[:HEIGHT, :WIDTH] for p in planes]).astype(float)
    assert np.array_equal(np.unique(np.stack(planes)[:, HEIGHT:]), [128])
    # Limited range, but for the encoder's ringing.
    low, high = np.percentile(luma, [0.1, 99.9])
    assert 14 <= low < 40
    assert 200 < high <= 237
    steps = np.abs(np.diff(luma, axis=0)).mean((1, 2))
    # It moves all the time, and the one cut stands out.
    assert steps.argmax() == 35
    assert steps[35] > 4 * np.sort(steps)[-2]
    assert steps.min() > 0.1
    with av.open(str(sample / samples.CLIP)) as container:
        tone = np.concatenate([f.to_ndarray().ravel() for f in container.decode(audio=0)])
    assert tone.size / 44_100 == pytest.approx(3.0, abs=0.1)
    assert 0.01 < np.abs(tone).max() < 0.05


def test_what_is_there_is_left_alone_and_what_is_missing_comes_back(sample):
    before = {name: path.stat() for name, path in files(sample).items()}
    samples.write_sample(sample)
    assert {n: p.stat().st_mtime_ns for n, p in files(sample).items()} == {
        name: status.st_mtime_ns for name, status in before.items()
    }
    lost = sample / "people" / "astronaut.jpg"
    data = lost.read_bytes()
    lost.unlink()
    samples.write_sample(sample)
    assert lost.read_bytes() == data
    assert files(sample).keys() == before.keys()


def test_an_interrupted_writing_leaves_no_torn_file(tmp_path, monkeypatch):
    def interrupted(first, end):
        raise KeyboardInterrupt

    monkeypatch.setattr(sample_clip, "_tone", interrupted)
    with pytest.raises(KeyboardInterrupt):
        samples.write_sample(tmp_path)
    assert len(files(tmp_path)) == 7
    monkeypatch.undo()
    samples.write_sample(tmp_path)
    assert samples.CLIP in files(tmp_path)


def test_no_film_on_request(tmp_path):
    assert samples.CLIP not in files(samples.write_sample(tmp_path, film=False))


def test_nothing_is_downloaded_and_stills_need_no_pyav(tmp_path):
    code = (
        "import pathlib, socket, sys\n"
        "def refuse(*args): raise AssertionError('network')\n"
        "socket.socket.connect = refuse\n"
        "sys.modules['av'] = None\n"
        "from colorize_core.samples import sample_pictures, write_sample\n"
        "write_sample(pathlib.Path(sys.argv[1]), film=False)\n"
        "assert not {'torch', 'ray', 'pooch'} & set(sys.modules)\n"
    )
    env = {"HOME": str(tmp_path / "home"), "PATH": ""}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "s")], check=True, env=env)
    assert len(files(tmp_path / "s")) == 7
    assert socket.socket.connect.__name__ == "connect"


def test_sample_pictures_are_color():
    pictures = samples.sample_pictures()
    assert set(pictures) == {"astronaut", "cat", "coffee", "rocket"}
    for name, rgb in pictures.items():
        assert rgb.dtype == np.uint8
        assert rgb.shape == (*samples.gray_sample(name).shape, 3)
        assert np.abs(rgb2lab(rgb)[..., 1:]).max() > 20
