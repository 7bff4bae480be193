"""What a client can be told, and where it connects to: all settings with their defaults, and `synap://` addresses."""

import os
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zlib import crc32

from synap.client.errors import LocalProtocolError
from synap.client.machine import Limits

SCHEMES = ("synap", "redis")
_serial = count()


@dataclass(frozen=True)
class Options:
    """Times are in seconds. There is no clock in here: a limit in time bounds a silence, not a sum of them."""

    host: str = "127.0.0.1"
    port: int = 6379
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    client_name: str = ""
    decode: bool = False
    """Give texts as str instead of bytes; what is no UTF-8 raises UnicodeDecodeError."""
    connect_timeout: float = 5.0
    timeout: float | None = 30.0
    """The longest silence of the server while an answer is awaited; None waits for ever."""
    attempts: int = 4
    """How often a call is tried that was not sent, or may be sent again."""
    reconnects: int = 1000
    """How often in a row an iterator tries to come back after it has lost its connection."""
    backoff: float = 0.05
    """The pause before the second attempt; it doubles with each, up to `backoff_max`."""
    backoff_max: float = 2.0
    connections_max: int = 64
    pool_timeout: float = 30.0
    """How long a call waits for one of them to become free."""
    ping_every: float = 15.0
    """A subscription that hears nothing for so long asks whether the server is there."""
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
        if not 0 < self.port < 65536:
            raise LocalProtocolError(f"port: wanted 1 to 65535, found {self.port!r}")
        if self.username and not self.password:
            raise LocalProtocolError("a username without a password")

    def pause(self, attempt: int) -> float:
        """Seconds to wait after so many attempts, spread by up to half: clients that lost the same server should not
        come back in the same moment. The spread needs no chance, only to differ from client to client."""
        whole = min(self.backoff_max, self.backoff * 2.0 ** min(attempt - 1, 30))
        return whole * (1.0 - (crc32(b"%d %d %d" % (os.getpid(), next(_serial), attempt)) % 512) / 1024)

    def handshake(self) -> list[tuple[Any, ...]]:
        """The commands that open a connection."""
        hello: tuple[Any, ...] = ("HELLO", 3)
        if self.password:
            hello += ("AUTH", self.username or "default", self.password)
        if self.client_name:
            hello += ("SETNAME", self.client_name)
        return [hello, ("SELECT", self.db)] if self.db else [hello]


def from_address(address: str, **given: Any) -> Options:
    """`synap://[[user]:password@]host[:port][/db][?timeout=5&decode=true]`; `given` wins over the address."""
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
    """An address without what stands before its host."""
    scheme, mark, rest = address.partition("://")
    return scheme + mark + rest.rpartition("@")[2]
