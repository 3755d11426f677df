"""The local Ray: nothing but this machine reaches it, and nobody without its token."""

from __future__ import annotations

import http.client
import os
import stat
import urllib.request
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import grpc
import pytest

from tests.faults.runs import Command, finish, processes, wait_for

pytestmark = pytest.mark.faults
LISTEN = "0A"  # in the kernel's table
HEALTH = "/api/local_raylet_healthz"
PATHS = ("/", HEALTH, "/api/job_agent/jobs/", "/get_or_create_runtime_env")


def listening(leader: int) -> set[tuple[IPv4Address | IPv6Address, int]]:
    """Address and port of every TCP socket on which a process of the session listens."""
    sockets = {
        str(link.readlink())
        for pid in processes(leader)
        for link in Path(f"/proc/{pid}/fd").glob("*")
        if link.is_symlink()
    }
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == LISTEN and f"socket:[{words[9]}]" in sockets:
                address, _, port = words[1].partition(":")
                found.add((readable(address), int(port, 16)))
    return found


def readable(address: str) -> IPv4Address | IPv6Address:
    """Of the kernel's table: words of four bytes, each the wrong way round."""
    raw = b"".join(bytes.fromhex(address[i : i + 8])[::-1] for i in range(0, len(address), 8))
    found = ip_address(raw)
    return getattr(found, "ipv4_mapped", None) or found


def said_to_a_call(port: int) -> str:
    """What gRPC without a token gets."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/ray.rpc.JobInfoGcsService/GetAllJobInfo")
        try:
            call(b"", timeout=5)
        except grpc.RpcError as error:
            return error.code().name
    return "OK"


def said_to_a_browser(port: int, path: str) -> bytes:
    """What HTTP without a token gets; nothing where it is refused or there is no HTTP."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method="GET")
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.read()
    except (OSError, http.client.HTTPException):
        return b""


def test_every_port_is_on_loopback_and_wants_the_token(
    gray_folder: Callable[..., Path], tmp_path: Path, tiny_weights: Path
):
    job = Command(gray_folder(400, side=200), tmp_path / "out", tiny_weights, ("--workers", "1"))
    short = Path("/tmp", f"c{os.getpid()}")
    short.mkdir()
    with job.started(TMPDIR=str(short)) as process:
        wait_for(lambda: processes(process.pid, b"ray::_RemoteWorker"))
        [ours] = list(short.glob("ray-*"))
        assert stat.S_IMODE(ours.stat().st_mode) == 0o700
        assert stat.S_IMODE((ours / "auth_token").stat().st_mode) == 0o600
        found = listening(process.pid)
        assert found
        assert all(ip.is_loopback for ip, _ in found), found
        ports = sorted({port for _, port in found})
        assert {port: said for port in ports if (said := said_to_a_call(port)) == "OK"} == {}
        said = {(port, path): said_to_a_browser(port, path) for port in ports for path in PATHS}
        for (_, path), text in said.items():
            # Ray's health, and counts for Prometheus.
            assert not text or path == HEALTH or text.startswith(b"# HELP"), said
            assert b"scan" not in text  # no name of an item
        process.terminate()
        finish(process)
    assert not list(short.glob("ray-*"))
    short.rmdir()
