"""Whole runs into a bucket."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.opening import default_work, opened
from colorize_core.cli.main import main
from tests.s3.conftest import SECRET
from tests.s3.proxy import Rule

pytestmark = pytest.mark.s3


@pytest.fixture
def colorize(tiny_weights, bucket):
    def run(source: Path | str, *options: str, out: str = "out") -> int:
        command = ["run", str(source), "--out", f"s3://{bucket}/{out}", "--runner", "serial"]
        command += ["--set", f"model.weights={tiny_weights}", "--set", "render.size=64"]
        return main([*command, *options])

    return run


def local_run(source, out, tiny_weights) -> dict[str, bytes]:
    options = ["--out", str(out), "--runner", "serial", "--no-report"]
    options += ["--set", f"model.weights={tiny_weights}", "--set", "render.size=64"]
    assert main(["run", str(source), *options]) == 0
    names = (path for path in out.rglob("*") if path.is_file())
    return {n.relative_to(out).as_posix(): n.read_bytes() for n in names}


def outputs(objects: dict[str, bytes]) -> dict[str, bytes]:
    """Without records and page."""
    found = {name.removeprefix("out/"): data for name, data in objects.items()}
    own = (".colorize/", "report/", "manifest-sha256.txt")
    return {n: d for n, d in found.items() if not n.startswith(own)}


def test_a_run_is_that_of_a_folder(
    colorize, gray_folder, tiny_weights, objects_of, bucket, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    source = gray_folder(5)
    truth = local_run(source, tmp_path / "local", tiny_weights)
    before = {path.name for path in tmp_path.iterdir()}
    assert colorize(source) == 0
    found = objects_of()
    assert outputs(found) == {n: d for n, d in truth.items() if not n.startswith(".colorize/")}
    # The records: one whole manifest, and the lock given back.
    state = {n.removeprefix("out/.colorize/") for n in found if n.startswith("out/.colorize/")}
    assert state == {
        "lock/000000000002.json",
        "manifest/000000000001-whole.jsonl",
        *("command.json", "makers.json", "precision.json", "progress.json", "summary.json"),
    }
    page = found["out/report/index.html"].decode()
    (data,) = {n.split("/")[3] for n in found if n.startswith("out/report/data/")}
    assert f"data/{data}/index.js" in page
    thumbs = {n.removeprefix("out/report/thumbs/") for n in found if "/thumbs/" in n}
    for item in json.loads(found["out/.colorize/summary.json"])["items"]:
        names = item["details"]["thumbnails"]
        assert {names["before"], names["after"]} <= thumbs
    # Nothing stays on this machine, and no folder is named after the bucket.
    assert {path.name for path in tmp_path.iterdir()} == before | {"cache"}
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    said = capsys.readouterr().err
    assert f"see s3://{bucket}/out/report/index.html" in said
    assert SECRET not in said
    assert not [name for name, content in found.items() if SECRET.encode() in content]

    # Again: nothing to do. Another machine sees the same; what is gone is made anew.
    capsys.readouterr()
    assert colorize(source) == 0
    assert "0 to do, 5 before" in capsys.readouterr().err
    assert main(["status", f"s3://{bucket}/out", "--json"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert (state["running"], state["done"] + state["degraded"], state["left"]) == (False, 5, 0)
    assert main(["run", "--verify", "--out", f"s3://{bucket}/out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"outputs": 5, "good": 5, "problems": {}}
    assert main(["report", f"s3://{bucket}/out"]) == 0
    again = objects_of()
    assert outputs(again) == outputs(found)
    # The page was made twice since; nothing of the older ones is left.
    assert len({n.split("/")[3] for n in again if n.startswith("out/report/data/")}) == 1


def test_what_is_gone_or_damaged_is_found(
    colorize, gray_folder, client, bucket, objects_of, capsys
):
    source = gray_folder(3)
    assert colorize(source, "--no-report") == 0
    whole = outputs(objects_of())
    first, second, _ = sorted(whole)
    client.delete_object(Bucket=bucket, Key=f"out/{first}")
    client.put_object(Bucket=bucket, Key=f"out/{second}", Body=whole[second][:-1] + b"x")
    capsys.readouterr()
    assert main(["run", "--verify", "--out", f"s3://{bucket}/out", "--json"]) == 2
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert problems == {first: "missing", second: "differs from what was recorded"}
    assert colorize(source, "--no-report") == 0
    assert "1 to do, 2 before" in capsys.readouterr().err
    assert outputs(objects_of())[first] == whole[first]


def test_a_bucket_is_source_and_output(
    colorize, gray_folder, client, bucket, objects_of, tiny_weights, tmp_path, capsys
):
    source = gray_folder(4)
    truth = local_run(source, tmp_path / "local", tiny_weights)
    for path in source.rglob("*.png"):
        client.upload_file(str(path), bucket, path.relative_to(source).as_posix())
    originals = objects_of()
    for _ in range(2):  # OUT lies in SRC: it is left out the second time
        assert colorize(f"s3://{bucket}", "--no-report") == 0
        found = objects_of()
        assert {n: found[n] for n in originals} == originals
        wanted = {n: d for n, d in truth.items() if not n.startswith(".colorize/")}
        assert outputs({n: d for n, d in found.items() if n.startswith("out/")}) == wanted
    assert "0 to do, 4 before" in capsys.readouterr().err
    for refused in (f"s3://{bucket}/out", f"s3://{bucket}/out/box 0"):
        assert colorize(refused) == 1
        assert "SRC lies in OUT" in capsys.readouterr().err


@pytest.mark.parametrize(
    "rules",
    [
        [Rule("503", "PUT", 3), Rule("reset", "GET", 2), Rule("lost", "PUT .*png", 2)],
        [Rule("lost", "PUT .*manifest", 2), Rule("lost", "PUT .*lock", 2), Rule("slow", "GET")],
    ],
    ids=["answers", "records"],
)
def test_a_bad_network_changes_nothing(
    rules, colorize, gray_folder, tiny_weights, objects_of, proxy, tmp_path
):
    source = gray_folder(3)
    truth = local_run(source, tmp_path / "local", tiny_weights)
    proxy.rules = rules
    assert colorize(source, "--no-report") == 0
    assert len(proxy.hurt) >= 5
    proxy.rules = []
    assert outputs(objects_of()) == {n: d for n, d in truth.items() if n[0] != "."}
    assert colorize(source, "--no-report") == 0


def test_a_storage_without_conditions_is_refused(colorize, gray_folder, objects_of, proxy, capsys):
    proxy.rules = [Rule("unconditional", "PUT")]
    assert colorize(gray_folder(1)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "does not create an object only if there is none" in said
    assert objects_of() == {}


def test_a_storage_that_stays_away_ends_the_run(
    colorize, gray_folder, objects_of, proxy, monkeypatch, capsys
):
    monkeypatch.setattr("colorize_core.archive.storage.objects.PATIENCE_SECONDS", 1.0)
    source = gray_folder(3)
    proxy.rules = [Rule("503", "PUT .*png")]
    assert colorize(source, "--no-report") == 75
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("error: s3://")
    assert "the same command resumes" in said
    assert outputs(objects_of()) == {}
    proxy.rules = []
    assert colorize(source, "--no-report") == 0
    assert len(outputs(objects_of())) == 3


def test_a_refused_driver_leaves_the_folder_of_the_other(colorize, gray_folder, bucket, capsys):
    with opened(Address("s3", f"{bucket}/out"), work=default_work()) as storage:
        with storage.locked(None) as lock:
            storage.open_records()
            (storage.folder / "on its way.png").touch()
            assert colorize(gray_folder(1)) == 1
            assert "another run is writing here" in capsys.readouterr().err
            assert (storage.folder / "on its way.png").exists()
            lock.check()
        assert storage.folder.exists()
    assert not storage.folder.exists()


def test_a_key_in_an_address_is_not_repeated(colorize, bucket, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert colorize(f"s3://AKID:{SECRET}@{bucket}/x") == 1
    assert main(["run", "src", "--out", f"s3://AKID:{SECRET}@{bucket}/x"]) == 1
    assert main(["run", f"s3://AKID:{SECRET}@{bucket}/x", "--runner", "serial"]) == 1
    said = capsys.readouterr().err
    assert said.count("a key does not belong into an address") == said.count("\n") == 3
    assert SECRET not in said


def test_no_rights(colorize, gray_folder, proxy, capsys):
    proxy.rules = [Rule("403")]
    assert colorize(gray_folder(1)) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "check the credentials and rights" in said
