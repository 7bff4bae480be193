"""Options of the client with their defaults, and `synap://` addresses."""

import os
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit
from zlib import crc32

from synap.client.errors import LocalProtocolError
from synap.client.machine import Limits
from synap.durability import LEVELS

Durability = Literal["memory", "os", "fsync", "default"]
"""A level of durability; the server's documentation says what each promises."""

SCHEMES = ("synap", "redis")
_serial = count()


@dataclass(frozen=True)
class Options:
    """Options of a client. Times are in seconds; each limits one wait for the server, not the sum of several."""

    host: str = "127.0.0.1"
    port: int = 6379
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    client_name: str = ""
    decode: bool = False
    """Return texts as str instead of bytes; text that is no UTF-8 raises UnicodeDecodeError."""
    connect_timeout: float = 5.0
    timeout: float | None = 30.0
    """The longest silence of the server while a reply is awaited; None: wait for ever."""
    attempts: int = 4
    """Number of attempts for a call that was not sent, or may be sent again."""
    reconnects: int = 1000
    """Number of attempts in a row to reconnect an iterator whose connection was lost."""
    backoff: float = 0.05
    """Pause before the second attempt; the pause doubles with each attempt, up to `backoff_max`."""
    backoff_max: float = 2.0
    connections_max: int = 64
    pool_timeout: float = 30.0
    """How long a call waits for a free connection."""
    ping_every: float = 15.0
    """Silence after which a subscription sends PING to check the server."""
    durability: Durability = "default"
    """What the replies to calls wait for: `fsync` for the server's disk, `default` as its settings say; see
    `with_durability`."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("connect_timeout", "backoff", "backoff_max", "pool_timeout", "ping_every"):
            if not getattr(self, name) > 0:
                raise LocalProtocolError(f"{name}: wanted seconds above 0, found {getattr(self, name)!r}")
        if self.timeout is not None and not self.timeout > 0:
            raise LocalProtocolError(f"timeout: wanted seconds above 0 or None, found {self.timeout!r}")
        for name in ("attempts", "connections_max"):
            if getattr(self, name) < 1:
                raise LocalProtocolError(f"{name}: wanted at least 1, found {getattr(self, name)!r}")
        if self.durability not in LEVELS:
            raise LocalProtocolError(f"durability: wanted {', '.join(LEVELS)}, found {self.durability!r}")
        if not 0 < self.port < 65536:
            raise LocalProtocolError(f"port: wanted 1 to 65535, found {self.port!r}")
        if self.username and not self.password:
            raise LocalProtocolError("a username without a password")

    def pause(self, attempt: int) -> float:
        """Return the seconds to wait after `attempt` attempts, shortened by up to half.

        Clients that lost the same server should not return at the same moment. The spread needs no randomness, it
        only has to differ between clients.
        """
        whole = min(self.backoff_max, self.backoff * 2.0 ** min(attempt - 1, 30))
        return whole * (1.0 - (crc32(b"%d %d %d" % (os.getpid(), next(_serial), attempt)) % 512) / 1024)

    def handshake(self) -> list[tuple[Any, ...]]:
        """Return the commands that open a connection."""
        hello: tuple[Any, ...] = ("HELLO", 3)
        if self.password:
            hello += ("AUTH", self.username or "default", self.password)
        if self.client_name:
            hello += ("SETNAME", self.client_name)
        return [hello, ("SELECT", self.db)] if self.db else [hello]


def from_address(address: str, **given: Any) -> Options:
    """Return the options in `synap://[[user]:password@]host[:port][/db][?timeout=5&decode=true]`.

    `given` overrides the address. Raises LocalProtocolError for an invalid address.
    """
    parts = urlsplit(address)
    if parts.scheme not in SCHEMES or not parts.hostname:
        raise LocalProtocolError(f"an address is synap://host:port, not {_unsecret(address)!r}")
    found: dict[str, Any] = {"host": parts.hostname}
    try:
        if parts.port is not None:
            found["port"] = parts.port
        if path := parts.path.strip("/"):
            found["db"] = int(path)
    except ValueError as error:
        raise LocalProtocolError(f"in {_unsecret(address)!r}: {error}") from None
    if parts.username:
        found["username"] = unquote(parts.username)
    if parts.password:
        found["password"] = unquote(parts.password)
    kinds = {option.name: str(option.type) for option in fields(Options) if option.name not in ("limits", "host")}
    for name, text in parse_qsl(parts.query, keep_blank_values=True):
        if name not in kinds:
            raise LocalProtocolError(f"an address has no option {name!r}; there are {', '.join(sorted(kinds))}")
        found[name] = _read(name, kinds[name], text)
    return replace(Options(**found), **given)


def _read(name: str, kind: str, text: str) -> Any:
    if "bool" in kind:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise LocalProtocolError(f"{name}: wanted true or false, found {text!r}")
        return text.lower() in ("true", "1", "yes")
    kinds = {"int": int, "float": float}
    for word, read in kinds.items():
        if word in kind:
            if text.lower() == "none" and "None" in kind:
                return None
            try:
                return read(text)
            except ValueError:
                raise LocalProtocolError(f"{name}: wanted a number, found {text!r}") from None
    return text


def _unsecret(address: str) -> str:
    """Return an address without user and password."""
    scheme, mark, rest = address.partition("://")
    return scheme + mark + rest.rpartition("@")[2]
