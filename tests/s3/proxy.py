"""A proxy between a client and an S3 server that fails as networks and servers do."""

from __future__ import annotations

import http.client
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

Fault = Literal["503", "403", "hang", "reset", "lost", "cut", "slow", "unconditional"]
_BUSY = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_DENIED = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
_HOP = frozenset({"connection", "transfer-encoding", "server", "date", "keep-alive"})


@dataclass
class Rule:
    """Which requests fail, how, and how often.

    503, 403: an answer instead of the server's. hang: no answer for `seconds`. reset: the
    connection ends before the server sees anything. lost: it ends after the server has done it.
    cut: half a body. slow: a body in small pieces. unconditional: the server never sees the
    condition.
    """

    fault: Fault
    request: str = "."  # regular expression, searched in "METHOD /path?query"
    times: int = 1_000_000
    seconds: float = 0.0


@dataclass
class Proxy:
    """Listens on `port` while its block runs."""

    server_port: int
    rules: list[Rule] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    hurt: list[tuple[str, str]] = field(default_factory=list)
    on_request: Callable[[str], None] = lambda _: None

    def __enter__(self) -> Proxy:
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def rule(self, request: str) -> Rule | None:
        for rule in self.rules:
            if rule.times > 0 and re.search(rule.request, request):
                rule.times -= 1
                self.hurt.append((rule.fault, request))
                return rule
        return None


class _Handler(BaseHTTPRequestHandler):
    owner: Proxy
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        request = f"{self.command} {self.path}"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.owner.seen.append(request)
        self.owner.on_request(request)
        rule = self.owner.rule(request)
        fault = rule.fault if rule else ""
        if rule and fault == "hang":
            time.sleep(rule.seconds)
            fault = "reset"
        if fault == "reset":
            self._break()
        elif fault in ("503", "403"):
            self._answer(int(fault), {}, _BUSY if fault == "503" else _DENIED, "")
        else:
            answer = self._ask(body, without="If-None-Match" if fault == "unconditional" else "")
            if fault == "lost":
                self._break()
            else:
                self._answer(*answer, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _ask(self, body: bytes, without: str) -> tuple[int, dict[str, str], bytes]:
        link = http.client.HTTPConnection("127.0.0.1", self.owner.server_port, timeout=60)
        try:
            # The Host as signed; an answer of its own length.
            headers = {k: v for k, v in self.headers.items() if k.lower() != "expect"}
            headers.pop(without, None)
            link.request(self.command, self.path, body=body, headers=headers)
            answer = link.getresponse()
            found = {k: v for k, v in answer.getheaders() if k.lower() not in _HOP}
            return answer.status, found, answer.read()
        finally:
            link.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, fault: str) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name in headers}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault == "cut":
            self.wfile.write(body[: len(body) // 2])
            self._break()
        elif fault == "slow":
            step = max(1, len(body) // 20)
            for start in range(0, len(body), step):
                self.wfile.write(body[start : start + step])
                self.wfile.flush()
                time.sleep(0.02)
        else:
            self.wfile.write(body)

    def _break(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: object) -> None:
        return
