"""Single objects on a network that fails."""

from __future__ import annotations

import hashlib
import os

import pytest

from colorize_core.archive.storage.address import Address
from colorize_core.archive.storage.objects import Objects
from colorize_core.errors import StorageError, UsageError
from tests.s3.proxy import Rule

pytestmark = pytest.mark.s3


@pytest.fixture
def objects(bucket):
    return Objects(Address("s3", f"{bucket}/out"), patience=10.0)


@pytest.mark.parametrize(
    "name", ["a.jpg", "Öl & Wasser #1 100%.tif", "x/y z/+=?.png", "kein (1).png", "日本.png"]
)
def test_names_arrive_as_they_are(name, objects, objects_of):
    objects.put(name, b"content")
    assert objects_of() == {f"out/{name}": b"content"}
    assert objects.read(name) == b"content"
    assert objects.size(name) == 7
    assert objects.sizes() == {name: 7}
    objects.remove([name, "never was"])
    assert objects_of() == {}
    assert objects.size(name) is None


def test_lists_of_several_pages(objects, objects_of):
    names = {f"box {n % 3}/{n}.png": n for n in range(7)}
    for name, size in names.items():
        objects.put(name, bytes(size))
    objects._system.s3_additional_kwargs["MaxKeys"] = 2
    assert objects.sizes() == names
    assert objects.sizes("box 1/") == {"box 1/1.png": 1, "box 1/4.png": 4}
    assert objects.sizes("box/") == {}


@pytest.mark.parametrize(
    "rules",
    [
        [Rule("503", "PUT", 4)],
        [Rule("reset", "PUT", 2)],
        [Rule("lost", "PUT", 1)],
        [Rule("hang", "PUT", 1, seconds=2.0)],
    ],
    ids=lambda rules: rules[0].fault,
)
def test_a_put_that_fails_is_tried_again(rules, objects, objects_of, proxy):
    proxy.rules = rules
    objects.put("a", b"1" * 1000)
    assert proxy.hurt
    assert objects_of() == {"out/a": b"1" * 1000}


@pytest.mark.parametrize("fault", ["503", "reset", "cut", "slow"])
def test_a_file_that_is_fetched_is_whole(fault, objects, proxy, tmp_path):
    data = os.urandom(300_000)
    objects.put("a", data)
    proxy.rules = [Rule(fault, "^GET", 2)]
    objects.fetch("a", tmp_path / "copy")
    assert proxy.hurt
    assert (tmp_path / "copy").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize("fault", [None, "503", "reset", "lost"])
def test_one_of_two_creates(fault, objects, objects_of, proxy):
    proxy.rules = [Rule(fault, "PUT", 1)] if fault else []
    assert objects.put_new("lock", b"mine")
    assert not objects.put_new("lock", b"yours")
    assert objects_of() == {"out/lock": b"mine"}


def test_a_large_file_appears_when_its_parts_are_complete(
    objects, objects_of, client, bucket, proxy, tmp_path
):
    path = tmp_path / "film.mkv"
    path.write_bytes(os.urandom(33 << 20))
    seen = []

    def look(request):
        if "partNumber" in request:
            seen.append(client.list_objects_v2(Bucket=bucket).get("KeyCount"))

    proxy.on_request = look
    proxy.rules = [Rule("reset", "partNumber=2", 1), Rule("503", "partNumber=3", 1)]
    objects.put_file("film.mkv", path, mtime_ns=1_234_567_890_123_456_789)
    assert len(proxy.hurt) == 2
    assert set(seen) == {0}
    found = objects_of()["out/film.mkv"]
    assert hashlib.sha256(found).digest() == hashlib.sha256(path.read_bytes()).digest()
    head = client.head_object(Bucket=bucket, Key="out/film.mkv")
    assert head["Metadata"] == {"mtime": "1234567890.123456789"}


def test_an_upload_that_is_given_up_leaves_nothing(
    objects, objects_of, client, bucket, proxy, tmp_path
):
    path = tmp_path / "film.mkv"
    path.write_bytes(bytes(33 << 20))
    objects.patience = 0.5
    proxy.rules = [Rule("503", "partNumber=2")]
    with pytest.raises(StorageError, match="reduce your request rate"):
        objects.put_file("film.mkv", path)
    assert objects_of() == {}
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)


def test_denied_is_said_at_once(objects, proxy):
    proxy.rules = [Rule("403")]
    with pytest.raises(StorageError, match=r"Access Denied \(check the credentials"):
        objects.put("a", b"1")


def test_no_bucket(objects, bucket):
    other = Objects(Address("s3", f"{bucket}-not/out"), patience=0.5)
    with pytest.raises(StorageError, match="make the bucket first"):
        other.put("a", b"1")


def test_no_credentials(bucket, monkeypatch):
    import s3fs

    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    s3fs.S3FileSystem.clear_instance_cache()
    objects = Objects(Address("s3", f"{bucket}/other"))
    with pytest.raises(StorageError, match=r"credentials \(check the credentials"):
        objects.put("a", b"1")


@pytest.mark.parametrize(
    "text", ["s3://", "s3://me:key@bucket/x", "s3://b/../x", "s3://b//x", "s3://b/*.x"]
)
def test_addresses_that_are_none(text):
    with pytest.raises(UsageError) as refused:
        Address.parse(text)
    assert "key@" not in str(refused.value)


@pytest.mark.parametrize(
    ("source", "inside", "contains"),
    [
        ("s3://b/x", "", False),
        ("s3://b/x/", "", False),
        ("s3://b", "x", False),
        ("s3://b/*.jpg", "x", False),
        ("s3://b/x/y*", "", False),
        ("s3://b/x/y", None, True),
        ("s3://b/xy", None, False),
        ("s3://c/x", None, False),
        ("/b/x", None, False),
    ],
)
def test_sources_and_addresses_in_each_other(source, inside, contains):
    out = Address("s3", "b/x")
    assert out.inside(source) == inside
    assert out.contains(source) == contains
