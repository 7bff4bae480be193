"""`synap serve --health-check`, for container probes: query /health of the server that the settings describe."""

import http.client
import os
from collections.abc import Mapping

from synap.settings import Settings

VARIABLE = "SYNAP_HEALTH_ADDR"
TIMEOUT_S = 5.0


class Unhealthy(Exception):
    """The server does not answer, or does not answer with status 200; the text says which."""


def address(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[str, int]:
    """Return (host, port) of `SYNAP_HEALTH_ADDR`, else of the settings' first listen address.

    An address for all interfaces is replaced by the loopback address. Raises Unhealthy if the variable is invalid.
    """
    given = (os.environ if environ is None else environ).get(VARIABLE, "")
    if given:
        host, colon, port = given.rpartition(":")
        if not colon or not port.isdigit() or not 0 < int(port) < 65536:
            raise Unhealthy(f"environment {VARIABLE}: wanted HOST:PORT, found {given}")
        return host.strip("[]"), int(port)
    host = settings.names("server.host")[0]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), settings.number("server.port")


def check(settings: Settings) -> str:
    """Return the body of GET /health in one line. Raises Unhealthy without an answer of status 200 within 5 seconds."""
    host, port = address(settings)
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/health", headers={"Host": "localhost"})
        with connection.getresponse() as reply:
            text = " ".join(reply.read(4096).decode("utf-8", "replace").split())
    except (OSError, http.client.HTTPException) as error:
        raise Unhealthy(f"{host} port {port}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if reply.status != 200:
        raise Unhealthy(f"{host} port {port}: {reply.status} {text}")
    return text
