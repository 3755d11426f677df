"""A server for the whole session, a bucket and a proxy for each test."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Started
from tests.s3.proxy import Proxy

ROOT = Path(__file__).parents[2]
SECRET = "wJalrXUtnFEMI-the-secret-of-this-test"


@pytest.fixture(scope="session")
def server_port() -> Iterator[int]:
    command = [sys.executable, "-m", "tests.s3.server"]
    pipe = subprocess.PIPE
    with Started(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as server:
        yield int(server.stdout.readline())
        server.stdin.close()
        server.stdout.close()


@pytest.fixture
def proxy(server_port: int) -> Iterator[Proxy]:
    with Proxy(server_port) as running:
        yield running


@pytest.fixture
def s3_environment(proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """What a user has in the environment, for this process and those that it starts."""
    import fsspec.config

    variables = {
        "AWS_ACCESS_KEY_ID": "AKIDOFTHISTEST",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": proxy.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "no-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-credentials"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        # Tests do not wait as long as users do.
        "FSSPEC_S3": '{"config_kwargs": {"read_timeout": 1, "connect_timeout": 1, '
        '"retries": {"max_attempts": 1}}}',
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = {"read_timeout": 1, "connect_timeout": 1, "retries": {"max_attempts": 1}}
    # The endpoint too: file systems of one process are told apart by what is given here.
    conf = {"config_kwargs": settings, "endpoint_url": proxy.url}
    monkeypatch.setitem(fsspec.config.conf, "s3", conf)
    return variables


@pytest.fixture
def client(s3_environment: dict[str, str], server_port: int) -> Any:
    """Another program's view of the server, past the proxy."""
    import boto3

    made = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{server_port}")
    yield made
    made.close()


@pytest.fixture
def bucket(client: Any) -> str:
    name = f"archive-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def objects_of(client: Any, bucket: str) -> Callable[[], dict[str, bytes]]:
    """Everything in the bucket, by boto3."""

    def read() -> dict[str, bytes]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        names = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {n: client.get_object(Bucket=bucket, Key=n)["Body"].read() for n in names}

    return read
