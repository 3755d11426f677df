"""Who may ask the review's server: this machine's user, from the review's own page."""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

HEADER: Final = "X-Review"  # no other page can send it without asking first, which is refused
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Access:
    """The secret in the address, and the names that the server answers to.

    Args:
        host: what the server listens on.
        port: likewise.
    """

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def address(self) -> str:
        """What the user opens."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/?token={self.token}"

    @property
    def cookie(self) -> str:
        """Cookies do not tell ports apart: several reviews run side by side."""
        return f"review-{self.port}"

    def check(self, request: web.Request) -> None:
        """Refuse a request of another site, of a name that was led here, or without the secret.

        Raises:
            web.HTTPForbidden: with one line.
        """
        if not self._is_our_name(request.host):
            raise web.HTTPForbidden(text="another host: open the address that the command printed")
        origin = request.headers.get("Origin")
        if origin is not None and origin != f"http://{request.host}":
            raise web.HTTPForbidden(text="another origin")
        is_entry = request.path == "/"
        if request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site") and not is_entry:
            raise web.HTTPForbidden(text="another site")
        if request.method not in ("GET", "HEAD") and HEADER not in request.headers:
            raise web.HTTPForbidden(text=f"without the header {HEADER}")
        given = request.query.get("token", "") if is_entry else ""
        given = given or request.cookies.get(self.cookie, "")
        if not hmac.compare_digest(given.encode(), self.token.encode()):
            raise web.HTTPForbidden(text="wrong token: open the address that the command printed")

    def _is_our_name(self, host: str) -> bool:
        found = re.fullmatch(r"(\[.*\]|[^:]*)(?::(\d+))?", host)
        if found is None:
            return False
        name, port = found.groups()
        if (port or "80") != str(self.port):
            return False
        name = name.strip("[]").lower()
        if name in ("localhost", self.host.lower()):
            return True
        # A name can be made to lead here by whoever owns it; an address cannot.
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return self.host in ("0.0.0.0", "::") and name == socket.gethostname().lower()
        return address.is_loopback or self.host in ("0.0.0.0", "::")


def guard(access: Access) -> Middleware:
    """The middleware that checks every request, and says how far a page may reach."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        access.check(request)
        response = await handler(request)
        if not response.prepared:
            response.headers.update(_HEADERS)
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    return middleware


def enter(access: Access) -> web.Response:
    """Keep the secret in a cookie, and out of the address from now on."""
    response = web.Response(status=303, headers={"Location": "/"})
    response.set_cookie(access.cookie, access.token, httponly=True, samesite="Strict", path="/")
    return response
