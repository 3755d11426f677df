"""What a run takes from SRC: no two of its items may write one output."""

import os
import subprocess
import sys
from pathlib import Path

from colorize_core.archive.source.item import Scan
from colorize_core.config import ColorizeConfig, VideoSettings
from colorize_core.pipeline.find_items import find_items
from tests.film_helpers import make_film


def find(source: Path, said: str = "", **video) -> Scan:
    config = ColorizeConfig(video=VideoSettings(**video))
    return find_items(
        said or str(source),
        source.with_name("out"),
        follow_links=False,
        staging=None,
        config_for=lambda _: config,
        as_film=config.video.as_film,
    )


def write(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def paths(found: Scan) -> list[str]:
    return [item.path for item in found.items]


def refused(found: Scan) -> list[str]:
    return [path for path, _ in found.problems]


def test_films_that_may_give_one_output(tmp_path):
    source = write(tmp_path / "films", "tape.avi", "tape.avi.mkv", "tape.mp4", "a.mkv", "a.mkv.avi")
    found = find(source)
    assert paths(found) == ["a.mkv", "a.mkv.avi", "tape.avi", "tape.mp4"]
    assert refused(found) == ["tape.avi.mkv"]
    assert "its output tape.avi.mkv would overwrite" in found.problems[0][1].message
    assert refused(find(source, container="mp4")) == []


def test_a_film_under_another_suffix_and_one_of_its_output(tmp_path):
    source = tmp_path / "films"
    source.mkdir()
    make_film(source / "movie.rm.mkv", frames=5)
    (source / "movie.rm").write_bytes((source / "movie.rm.mkv").read_bytes())
    (tmp_path / "list.txt").write_text("films/movie.rm\nfilms/movie.rm.mkv\n")
    found = find(source, f"@{tmp_path / 'list.txt'}")
    assert paths(found) == ["films/movie.rm"]
    assert refused(found) == ["films/movie.rm.mkv"]


def test_frames_of_a_film_do_not_replace_photos(tmp_path):
    source = write(tmp_path / "films", "a.mp4", "a.mp4.frames/1.png")
    assert refused(find(source)) == []
    assert refused(find(source, frames="png")) == ["a.mp4.frames/1.png"]


def test_frame_folders_that_would_give_one_film(tmp_path):
    source = write(tmp_path / "reel", "1.png", "reel/1.png", "part/1.png", "part/two/1.png")
    found = find(source, as_film=True)
    assert paths(found) == ["part", "part/two", "reel"]
    assert found.items[2].location == str(source)
    assert refused(found) == ["reel"]


def test_frame_folders_that_cannot_be_read_are_problems(tmp_path):
    source = write(tmp_path / "reels", "a/1.png", "shut/1.png", "blind/1.png", "mac/._1.png")
    (source / "shut").chmod(0o000)
    (source / "blind").chmod(0o444)  # names can be listed, files not looked at
    for folder in source.parents:
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(folder.stat().st_mode | 0o055)
    # Root reads everything.
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from tests.pipeline.test_find_items import find, paths\n"
        "if os.geteuid() == 0:\n"
        "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "found = find(Path(sys.argv[1]), as_film=True)\n"
        "print(paths(found), [(path, e.message) for path, e in found.problems])\n"
    )
    command = [sys.executable, "-c", code, str(source)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert told == (
        "['a'] [('blind', 'blind: cannot be read: Permission denied'), "
        "('shut', 'shut: cannot be read: Permission denied')]\n"
    )
