"""Content negotiation: gzip where it makes a reply smaller, HTML or JSON where both exist."""

import re
import zlib

from synap.io.http.http_admission import header
from synap.proto.http import Request, Response

GZIP_BYTES_MIN = 256
"""A shorter reply fits into one packet without compression."""
GZIP_BYTES_MAX = 1 << 20
"""A longer reply is sent as it is: compressing it would block the loop for more than 10 ms."""
LEVEL = 1
"""zlib's level: on 17 KiB of JSON level 1 takes half the time of level 6 (55 and 108 us) for a tenth more bytes."""
SMALL_BYTES_MAX = 32_768
SMALL, LARGE = (16 + 12, 5), (16 + 15, 8)
"""Window bits and memory level: clearing the default tables takes 24 us, a reply of 160 bytes with these 3 us."""

_OFFER = re.compile(rb"\s*([!#$%&'*+.^_`|~0-9a-z-]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?", re.IGNORECASE)


def offers_gzip(value: bytes) -> bool:
    """Return whether this Accept-Encoding accepts gzip, by name or else by `*`, with a quality above 0."""
    found: dict[bytes, bool] = {}
    for part in value.split(b","):
        match = _OFFER.fullmatch(part)
        if match is not None:
            found[match[1].lower()] = match[2] is None or float(match[2]) > 0
    return found.get(b"gzip", found.get(b"x-gzip", found.get(b"*", False)))


_TYPE = re.compile(rb"\s*([^\s;,/]+/[^\s;,/]+)\s*(?:;.*)?", re.DOTALL)
_QUALITY = re.compile(rb";\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*(?:;|$)", re.IGNORECASE)
HTML, JSON = (b"text/html", b"application/xhtml+xml"), (b"application/json",)


def prefers_html(value: bytes) -> bool:
    """Return whether this Accept prefers HTML, or wants it as much as JSON; `*/*` alone means JSON."""
    found: dict[bytes, float] = {}
    for part in value.split(b","):
        match = _TYPE.fullmatch(part)
        if match is not None:
            quality = _QUALITY.search(part)
            found[match[1].lower()] = float(quality[1]) if quality else 1.0
    html = max(found.get(name, 0.0) for name in HTML)
    return html > 0 and html >= max(found.get(name, 0.0) for name in JSON)


def gzipped(response: Response, request: Request) -> Response:
    """Return the reply, gzipped if the client accepts gzip and the body gets smaller. Vary is added to every reply of a
    size that may be gzipped, so that no cache gives one client's form to another."""
    size = len(response.body)
    if not GZIP_BYTES_MIN <= size <= GZIP_BYTES_MAX:
        return response
    varies = [value for name, value in response.headers if name == b"vary"]
    headers = [each for each in response.headers if each[0] != b"vary"]
    headers.append((b"vary", b", ".join([*varies, b"Accept-Encoding"])))
    if not offers_gzip(header(request, b"accept-encoding")):
        return Response(response.status, response.body, response.content_type, headers, response.close)
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, *(SMALL if size <= SMALL_BYTES_MAX else LARGE))
    body = packer.compress(response.body) + packer.flush()
    if len(body) < size:
        headers.append((b"content-encoding", b"gzip"))
    else:
        body = response.body
    return Response(response.status, body, response.content_type, headers, response.close)
