"""`clean` in a bucket, and a copy of a bucket on a disk."""

from __future__ import annotations

import pytest

from colorize_core.cli.main import main
from tests.film_helpers import make_film

pytestmark = pytest.mark.s3

SETTINGS = ("render.size=64", "video.segment_frames=16", "video.preset=ultrafast")


@pytest.fixture
def colorize(gray_folder, tiny_weights):
    source = gray_folder(2)
    make_film(source / "film.mp4", frames=20)

    def run(out, *options: str) -> int:
        fixed = [part for setting in SETTINGS for part in ("--set", setting)]
        fixed += ["--set", f"model.weights={tiny_weights}", "--runner", "serial", "--no-report"]
        return main(["run", str(source), "--out", str(out), *fixed, *options])

    return run


def test_segments_that_no_join_reads_go(colorize, client, bucket, objects_of, capsys):
    out = f"s3://{bucket}/out"
    assert main(["clean", f"s3://{bucket}/nothing"]) == 1
    assert "no run has written here" in capsys.readouterr().err
    assert objects_of() == {}
    assert colorize(out) == 0
    before = objects_of()
    left = ".colorize/segments/0123456789abcdef/000000-000016.nut"
    client.put_object(Bucket=bucket, Key=f"out/{left}", Body=b"x" * 2**20)
    capsys.readouterr()
    assert main(["clean", "--dry-run", out]) == 0
    assert f"out/{left}" in objects_of()
    assert main(["clean", out]) == 0
    line = f"{left.rpartition('/')[0]}: segments that no record names, 1.0 MiB"
    assert capsys.readouterr().out.splitlines() == [
        line, "1 would be removed: 1.0 MiB", line, "1 removed: 1.0 MiB",
    ]  # fmt: skip
    lock = ("out/.colorize/lock/",)
    after = objects_of()
    assert {n: d for n, d in after.items() if not n.startswith(lock)} == {
        n: d for n, d in before.items() if not n.startswith(lock)
    }


def test_a_copy_of_a_bucket_goes_on_as_a_folder(colorize, bucket, objects_of, tmp_path, capsys):
    assert colorize(f"s3://{bucket}/out") == 0
    for name, content in objects_of().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    capsys.readouterr()
    assert main(["status", str(tmp_path / "out")]) == 0
    assert "done      3" in capsys.readouterr().out
    assert colorize(tmp_path / "out") == 0
    assert "0 to do, 3 before" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["review"], ["share"]])
def test_what_needs_a_folder_says_how_to_get_one(words, bucket, capsys):
    item = ["photo.png"] if words == ["share"] else []
    assert main([*words, f"s3://{bucket}/out", *item]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "aws s3 sync" in said


def test_compare_is_refused_in_one_line(colorize, bucket, objects_of, capsys):
    assert colorize(f"s3://{bucket}/out", "--compare") == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "--compare needs an OUT on this machine" in said
    assert objects_of() == {}
