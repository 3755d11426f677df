"""A driver is killed; another machine goes on."""

from __future__ import annotations

import signal
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from colorize_core.cli.main import main
from colorize_core.media.film.planes import plane
from tests.film_helpers import decode, make_film
from tests.processes import Started

pytestmark = pytest.mark.s3

ROOT = Path(__file__).parents[2]
SETTINGS = ("render.size=64", "render.batch_size=4", "video.segment_frames=16")


def arguments(source, out, weights) -> list[str]:
    settings = (*SETTINGS, "video.preset=faster", f"model.weights={weights}")
    fixed = [part for setting in settings for part in ("--set", setting)]
    return ["run", str(source), "--out", str(out), "--runner", "serial", *fixed]


def planes(path: Path) -> list[list[bytes]]:
    return [[plane(f, n).tobytes() for n in range(len(f.planes))] for f in decode(path)]


@pytest.mark.parametrize("kind", ["folder", "bucket", "zip in the bucket"])
def test_killed_and_resumed_on_another_machine(
    kind, gray_folder, tiny_weights, client, bucket, objects_of, proxy, s3_environment, tmp_path,
    monkeypatch, capsys,
):  # fmt: skip
    source = gray_folder(4)
    make_film(source / "film.mp4", frames=80, audio=["aac"])
    assert main([*arguments(source, tmp_path / "local", tiny_weights), "--no-report"]) == 0
    url: Path | str = source
    if kind == "bucket":
        url = f"s3://{bucket}/originals"
        for path in source.rglob("*.*"):
            key = f"originals/{path.relative_to(source).as_posix()}"
            client.upload_file(str(path), bucket, key)
    elif kind == "zip in the bucket":
        url = f"s3://{bucket}/box.zip"
        with zipfile.ZipFile(tmp_path / "box.zip", "w") as file:
            for path in source.rglob("*.*"):
                file.write(path, path.relative_to(source))
        client.upload_file(str(tmp_path / "box.zip"), bucket, "box.zip")
    command = arguments(url, f"s3://{bucket}/out", tiny_weights)

    # A part is put after the third segment: three of the film's five are recorded.
    recorded = threading.Event()

    def look(request: str) -> None:
        segments = [seen for seen in proxy.seen if "PUT" in seen and ".nut" in seen]
        if len(segments) >= 4 and "PUT" in request and ".nut" in request:
            recorded.set()

    proxy.on_request = look
    words = [sys.executable, "-m", "colorize_core", *command]
    with Started(words, cwd=ROOT) as driver:
        assert recorded.wait(120)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
    proxy.on_request = lambda _: None
    half = objects_of()
    assert "out/film.mp4" not in half
    assert not list(Path("/tmp").glob("s3:*"))

    # Another machine has nothing of it but the bucket.
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    before = len(proxy.seen)
    capsys.readouterr()
    assert main(command) == 0
    again = [n for n in proxy.seen[before:] if n.startswith("PUT") and ".nut" in n]
    assert 1 <= len(again) <= 2  # three were recorded
    found = objects_of()
    assert not [n for n in found if ".nut" in n]
    for path in (tmp_path / "local").rglob("*.png"):
        name = path.relative_to(tmp_path / "local").as_posix()
        assert found[f"out/{name}"] == path.read_bytes()
    film = tmp_path / "film from the bucket.mp4"
    film.write_bytes(found["out/film.mp4"])
    assert planes(film) == planes(tmp_path / "local" / "film.mp4")
    assert main(["run", "--verify", "--out", f"s3://{bucket}/out"]) == 0
    assert "5 of 5 outputs are as recorded" in capsys.readouterr().err


def test_uploads_of_a_killed_run_are_removed(gray_folder, tiny_weights, client, bucket, objects_of):
    client.create_multipart_upload(Bucket=bucket, Key="out/film.mkv")
    foreign = client.create_multipart_upload(Bucket=bucket, Key="another/film.mkv")["UploadId"]
    command = arguments(gray_folder(1), f"s3://{bucket}/out", tiny_weights)
    assert main([*command, "--no-report"]) == 0
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [upload["UploadId"] for upload in left] == [foreign]


def test_workers_of_ray_put_their_outputs(
    gray_folder, tiny_weights, bucket, objects_of, s3_environment, tmp_path
):
    source = gray_folder(6)
    make_film(source / "film.mp4", frames=40)
    assert main([*arguments(source, tmp_path / "local", tiny_weights), "--no-report"]) == 0
    command = arguments(source, f"s3://{bucket}/out", tiny_weights)
    command[command.index("serial")] = "ray"
    words = [sys.executable, "-m", "colorize_core", *command, "--workers", "2"]
    with Started(words, cwd=ROOT) as driver:
        assert driver.wait(240) == 0
    found = objects_of()
    for path in (tmp_path / "local").rglob("*.png"):
        name = path.relative_to(tmp_path / "local").as_posix()
        assert found[f"out/{name}"] == path.read_bytes()
    film = tmp_path / "film from the bucket.mp4"
    film.write_bytes(found["out/film.mp4"])
    assert planes(film) == planes(tmp_path / "local" / "film.mp4")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_folder_of_frames(
    gray_folder, tiny_weights, client, bucket, objects_of, tmp_path, capsys
):
    source = tmp_path / "in"
    source.mkdir()
    make_film(source / "film.mp4", frames=20)
    out = f"s3://{bucket}/out"
    command = [*arguments(source, out, tiny_weights), "--no-report", "--frames", "png"]
    assert main(command) == 0
    frames = {n: d for n, d in objects_of().items() if n.endswith(".png")}
    assert len(frames) == 20
    assert main(["run", "--verify", "--out", out]) == 0
    capsys.readouterr()
    assert main(command) == 0
    assert "0 to do, 1 before" in capsys.readouterr().err
    client.put_object(Bucket=bucket, Key=sorted(frames)[3], Body=b"damaged")
    assert main(["run", "--verify", "--out", out]) == 2
