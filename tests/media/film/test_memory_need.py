from dataclasses import replace
from pathlib import Path
from typing import get_args, get_type_hints

import av
import pytest

from colorize_core.config import VideoSettings
from colorize_core.errors import TooLargeError
from colorize_core.media.film.encoder import SegmentEncoder
from colorize_core.media.film.encoder_choice import choose_encoding
from colorize_core.media.film.film import FilmProbe
from colorize_core.media.film.memory_need import require_memory
from colorize_core.media.film.plan import plan_film
from colorize_core.media.film.planes import working_format
from colorize_core.media.film.probe import probe_film
from tests.film_helpers import make_film, make_frame

CODECS = get_args(get_args(get_type_hints(VideoSettings, include_extras=True)["codec"])[0])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> FilmProbe:
    path = tmp_path_factory.mktemp("film") / "a.mp4"
    make_film(path, frames=20)
    return probe_film(path)


def sized(probe: FilmProbe, width: int, height: int, pix_fmt: str = "yuv420p") -> FilmProbe:
    working = working_format(pix_fmt)
    return replace(probe, width=width, height=height, pix_fmt=pix_fmt, working=working)


def plan(probe: FilmProbe, **video):
    settings = VideoSettings(**video)
    made = plan_film("a.mp4", probe, settings, is_folder=False)
    require_memory("a.mp4", probe, made.encoding, settings)
    return made


HD, UHD, DEEP = (1920, 1080, "yuv420p"), (3840, 2160, "yuv420p"), (3840, 2160, "yuv420p10le")
# SVT-AV1 takes 4 GB for deep UHD.
TAKEN = [(c, s) for c in CODECS for s in (HD, UHD, DEEP) if (c, s) != ("libsvtav1", DEEP)]


@pytest.mark.parametrize("preset", ["medium", "slow"])
@pytest.mark.parametrize(("codec", "size"), TAKEN)
def test_films_up_to_uhd_are_taken(small, codec, preset, size):
    made = plan(sized(small, *size), codec=codec, preset=preset)
    if preset == "medium" and size != DEEP:  # their results stay what they were
        assert not any("rc-lookahead" in text for text in made.encoding.options.values())


@pytest.mark.parametrize("codec", ["libx264", "libx265", "ffv1"])
def test_a_film_that_would_take_more_is_refused_with_what_it_takes(small, codec):
    huge = sized(small, 8192, 8192)
    with pytest.raises(TooLargeError) as refused:
        plan(huge, codec=codec)
    needed = float(refused.value.message.split("about ")[1].split(" GB")[0])
    assert "8192 x 8192" in refused.value.message
    assert 4 < needed < 12
    _, _, allowed = refused.value.remedy.partition("video.max_memory=")
    plan(huge, codec=codec, max_memory=float(allowed.split(";")[0]))


@pytest.mark.parametrize("preset", ["medium", "veryslow"])
@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_encoders_open_with_the_least_that_they_look_ahead(small, tmp_path, codec, preset):
    settings = VideoSettings(codec=codec, preset=preset)
    encoding = choose_encoding(sized(small, 8192, 8192), settings)
    assert "rc-lookahead" in encoding.options[f"{codec.removeprefix('lib')}-params"]
    with SegmentEncoder(tmp_path / "a.nut", small, encoding, 0) as encoder:
        for index in range(12):
            encoder.write(make_frame(index))
    with av.open(str(tmp_path / "a.nut")) as film:
        assert sum(1 for _ in film.decode(video=0)) == 12


def test_a_film_in_color_is_copied_whatever_it_would_take(tmp_path: Path, tiny_weights: Path):
    import json

    from colorize_core.cli.main import main

    (tmp_path / "in").mkdir()
    make_film(tmp_path / "in" / "a.mp4", frames=3, colored=True)
    words = ["run", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--runner", "serial"]
    words += ["--no-report", "--set", f"model.weights={tiny_weights}"]
    assert main([*words, "--set", "video.max_memory=0.1"]) == 0
    (found,) = json.loads((tmp_path / "out/.colorize/summary.json").read_text())["items"]
    assert found["status"] == "skipped"
    assert (tmp_path / "out/a.mp4").read_bytes() == (tmp_path / "in/a.mp4").read_bytes()


def test_the_job_refuses_it_and_makes_it_when_allowed(tmp_path: Path, tiny_weights: Path):
    import json

    from colorize_core.cli.main import main

    (tmp_path / "in").mkdir()
    make_film(tmp_path / "in" / "a.mp4", frames=3)
    words = ["run", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--runner", "serial"]
    words += ["--no-report", "--set", "render.size=64", "--set", f"model.weights={tiny_weights}"]

    def item():
        (found,) = json.loads((tmp_path / "out/.colorize/summary.json").read_text())["items"]
        return found

    assert main([*words, "--set", "video.max_memory=0.4"]) == 2
    assert item()["status"] == "failed"
    assert "above video.max_memory (0.4)" in item()["reason"]
    assert "--retry-failed --set video.max_memory=0." in item()["remedy"]
    assert main([*words, "--set", "video.max_memory=0.6", "--retry-failed"]) == 0
    assert item()["status"] == "done"
    # What is done is not made again for another limit.
    assert main(words) == 0
    assert item()["status"] == "done"
    lines = (tmp_path / "out/.colorize/manifest.jsonl").read_text().splitlines()
    assert sum('"kind":"segment"' in line for line in lines) == 1
