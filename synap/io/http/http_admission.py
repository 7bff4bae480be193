"""Admission of HTTP requests by Host, Origin and Sec-Fetch-Site, and the CORS headers of replies.

A request with a foreign Host is refused on every path (DNS rebinding). A writing request is refused if a page of
another origin sent it (a page in a browser that posts to localhost), unless `server.cors_origins` names the origin;
pages of those origins may also read replies.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from synap.proto.http import Headers, Request
from synap.proto.rest import json_response

HOST = re.compile(r"(?:(?P<name>[a-z0-9_.-]+)|\[(?P<six>[0-9a-f:.]+)\])(?::[0-9]*)?")
HOSTS_KNOWN_MAX = 1000
PREFLIGHT_SECONDS = b"600"
HEADERS_ALLOWED = b"accept, authorization, content-type, durability, last-event-id"
ANY = b"*"
OTHER_SITES = b"cross-site", b"same-site"
"""Values for other origins. The second is sent by a page on another port of this machine, whose GET has no Origin."""


class Refused(Exception):
    """A request that may not be served; `response` is the refusal."""

    def __init__(self, status: int, text: str) -> None:
        self.response = json_response(status, {"error": text, "code": status})


class HttpAdmission:
    """The rules of one server: `allowed_hosts` besides its own names, and `origins` whose pages may use it."""

    def __init__(self, allowed_hosts: tuple[str, ...], origins: tuple[str, ...] = ()) -> None:
        self._allowed = {host.lower().removesuffix(".") for host in allowed_hosts}
        self._known: set[bytes] = set()
        self.origins = {origin.lower().encode() for origin in origins}

    def admit(self, request: Request) -> None:
        """Raise Refused if the request's Host is not this server's."""
        host = header(request, b"host")
        if host not in self._known:
            if not self.is_ours(host):
                raise Refused(403, "Forbidden: this Host is not accepted, see server.allowed_hosts")
            if len(self._known) < HOSTS_KNOWN_MAX:
                self._known.add(host)

    def admit_write(self, request: Request) -> None:
        """Raise Refused if a page of an origin that is not allowed sent this writing request."""
        if self.origins and self.allowed_origin(request):
            return
        for name, value in request.headers:
            if name == b"origin":
                host = header(request, b"host")
                if not host or _authority(value) != host.lower():
                    raise Refused(403, "Forbidden: requests of another origin may not write, see server.cors_origins")
            elif name == b"sec-fetch-site" and value.lower() in OTHER_SITES:
                raise Refused(403, "Forbidden: requests of another site may not write, see server.cors_origins")

    def allowed_origin(self, request: Request) -> bytes:
        """Return the request's Origin if the settings allow it, else nothing."""
        origin = header(request, b"origin")
        return origin if origin and (ANY in self.origins or origin.lower() in self.origins) else b""

    def cors(self, request: Request) -> Headers:
        """Return the headers with which a page of an allowed origin may read the reply."""
        headers = [(b"vary", b"Origin")]
        origin = self.allowed_origin(request)
        if origin:
            headers += [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", b"durability")]
        return headers

    def preflight(self, request: Request, methods: bytes) -> Headers:
        """Return the headers that answer a CORS preflight; none for other origins."""
        if not self.allowed_origin(request) or not header(request, b"access-control-request-method"):
            return []
        return [
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", HEADERS_ALLOWED),
            (b"access-control-max-age", PREFLIGHT_SECONDS),
        ]

    def is_ours(self, host: bytes) -> bool:
        """Return whether a Host is a loopback name, an address, a name without dots, or allowed by the settings."""
        if not host:  # HTTP/1.0
            return True
        match = HOST.fullmatch(host.decode("latin-1").lower())
        if match is None:
            return False
        name = (match["name"] or "").removesuffix(".")  # a name may end with the dot of the root
        if name and ("." not in name or name.endswith(".localhost") or name in self._allowed):
            return True
        try:
            ipaddress.ip_address(name or match["six"] or "")
        except ValueError:
            return False
        return True


def header(request: Request, wanted: bytes) -> bytes:
    """Return the first value of the header `wanted` (in lower case), or nothing."""
    for name, value in request.headers:
        if name == wanted:
            return value
    return b""


def _authority(origin: bytes) -> bytes:
    """Return host and port of an Origin; empty for `null` and for text that is no URL."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return b""
