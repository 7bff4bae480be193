"""The listening sockets of a server, one for every address of every host in the settings.

All sockets of a listener have the same port, also where the system chooses the port. `::` means every address of the
machine. Its IPv4 addresses get a socket of their own, so that an IPv4 client is seen with the same address on any
listener. If the hosts name IPv4 addresses themselves, only those IPv4 addresses are used.
"""

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from synap.faults import SynapError
from synap.hosts import authority
from synap.io.http.http_connection import HttpConnection
from synap.io.resp.resp_connection import RespConnection
from synap.settings import Settings

if TYPE_CHECKING:
    from synap.io.resp.epoll_rounds import Listener
    from synap.io.server.server import Server

log = logging.getLogger("synap")

EVERY_IPV4, EVERY_IPV6 = "0.0.0.0", "::"
FREE_PORT_TRIES = 32
"""Attempts to find a free port: a port that is free at one address may be taken at the next one."""
IN_USE_TRIES, IN_USE_PAUSE_S = 25, 0.02
"""Attempts to listen on a port that is in use, and the pause between them: a process that has just been killed may
leave a child that holds the port for a moment, as one that was about to write a snapshot."""

ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
PORT_TROUBLES = (errno.EADDRINUSE, errno.EACCES, errno.EPERM)
REASONS = {
    errno.EADDRINUSE: "in use",
    errno.EADDRNOTAVAIL: "the address does not belong to this machine",
    errno.EAFNOSUPPORT: "this machine has no addresses of this family",
}
HINTS = {
    "server.host": "--host HOST",
    "server.port": "--port N, or 0 for any free port",
    "resp.host": "--set resp.host=HOST",
    "resp.port": "--resp-port N, or 0 for none",
}


class CannotListen(SynapError):
    """A listener cannot be opened; the error is one line that names listener, address, setting and flag."""

    def __init__(self, kind: str, section: str, host: str, port: int, error: Exception) -> None:
        number = error.errno if isinstance(error, OSError) and not isinstance(error, socket.gaierror) else None
        setting = f"{section}.{'port' if number in PORT_TROUBLES else 'host'}"
        if number is None:
            told = getattr(error, "strerror", None) or str(error)
            reason = f"the host does not resolve ({' '.join(str(told).split())})"
        else:
            reason = REASONS.get(number) or os.strerror(number)
        self.in_use = number == errno.EADDRINUSE
        super().__init__(f"{kind} cannot listen on {authority(host, port)} ({setting}): {reason}; {HINTS[setting]}")


@dataclass(frozen=True)
class Address:
    """One address to listen on, and the host in the settings that it comes from."""

    host: str
    family: int
    place: tuple[Any, ...]  # the argument of `bind`: for IPv6 with flow and scope

    @property
    def name(self) -> str:
        return str(self.place[0])

    @property
    def everywhere(self) -> bool:
        return self.name in (EVERY_IPV4, EVERY_IPV6)

    def at(self, port: int) -> tuple[Any, ...]:
        """Return the argument of `bind` with another port."""
        return (self.place[0], port, *self.place[2:])


def chosen(found: Iterable[Address]) -> list[Address]:
    """Return each address once, without those that `0.0.0.0` or `::` covers; `::` alone also adds `0.0.0.0`."""
    once: dict[tuple[Any, ...], Address] = {}
    for each in found:
        once.setdefault((each.family, each.place), each)
    addresses = list(once.values())
    families = {each.family for each in addresses}
    every = {each.family: each for each in addresses if each.everywhere}
    if socket.AF_INET6 in every and socket.AF_INET not in families:
        both = every[socket.AF_INET6]
        addresses.append(Address(both.host, socket.AF_INET, (EVERY_IPV4, both.place[1])))
    return [each for each in addresses if each.everywhere or each.family not in every]


@dataclass(frozen=True)
class Listening:
    """A listening socket, for HTTP or RESP, and what serves a connection that somebody else has accepted there.

    `take_over` returns the connection, if it is there `at_once`.
    """

    sock: socket.socket
    http: bool
    take_over: Callable[[socket.socket], object]
    at_once: bool = False


class Listeners:
    """The listeners of a server, for HTTP and for RESP."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._settings: Settings = server.settings
        self._loop: asyncio.AbstractEventLoop = server.loop
        self._backlog = self._settings.number("limits.tcp_backlog")
        self._open: list[asyncio.Server | Listener] = []
        self.listening: list[Listening] = []

    def close(self) -> None:
        """Close the listening sockets."""
        for listener in self._open:
            listener.close()

    @property
    def urls(self) -> str:
        """The URLs at which HTTP is served, separated by commas."""
        hosts = self._settings.names("server.host")
        return ", ".join(f"http://{authority(host, self._server.http_port)}" for host in hosts)

    async def open_http(self) -> int:
        """Listen for HTTP and return the port. Raises CannotListen."""
        sockets = await self._sockets("HTTP", "server", self._settings.number("server.port"))
        await self._serve(sockets, lambda: HttpConnection(self._server), http=True)
        return int(sockets[0].getsockname()[1])

    async def open_resp(self) -> int:
        """Listen for RESP and return the port, or 0 if RESP is off.

        If the default port is in use, log a warning and return 0; if the port was configured, raise CannotListen.
        """
        settings = self._settings
        if not settings.resp_listens:
            return 0
        port = max(settings.number("resp.port"), 0)
        try:
            sockets = await self._sockets("RESP", "resp", port)
        except CannotListen as failure:
            if settings.asked_for("resp.port") or not failure.in_use:
                raise
            log.warning("RESP: port %d is in use, continuing without RESP: %s", port, failure)
            return 0
        if sys.platform == "linux":  # epoll rounds; elsewhere the event loop's transports
            from synap.io.resp.epoll_rounds import Rounds

            listener = Rounds(self._server).listen(sockets, lambda: RespConnection(self._server))
            self._open.append(listener)
            self.listening += [Listening(each, False, listener.take_over, at_once=True) for each in sockets]
        else:
            await self._serve(sockets, lambda: RespConnection(self._server), http=False)
        return int(sockets[0].getsockname()[1])

    async def _serve(
        self, sockets: Iterable[socket.socket], made: Callable[[], asyncio.BaseProtocol], *, http: bool
    ) -> None:
        def take_over(sock: socket.socket) -> object:
            return self._loop.create_task(self._loop.connect_accepted_socket(made, sock))

        for each in sockets:
            self._open.append(await self._loop.create_server(made, sock=each, backlog=self._backlog))
            self.listening.append(Listening(each, http, take_over))

    async def _sockets(self, kind: str, section: str, port: int) -> list[socket.socket]:
        """Return listening sockets at all addresses of `section`.host. Raises CannotListen."""
        found: list[Address] = []
        for host in self._settings.names(f"{section}.host"):
            try:
                entries = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            except (OSError, UnicodeError) as error:
                raise CannotListen(kind, section, host, port, error) from error
            found += [Address(host, entry[0], tuple(entry[4])) for entry in entries]
        addresses = chosen(found)
        wanted = section == "server" or self._settings.asked_for(f"{section}.port")
        for left in reversed(range(FREE_PORT_TRIES if not port else IN_USE_TRIES if wanted else 1)):
            opened: list[socket.socket] = []
            try:
                self._open_all(kind, section, addresses, port, opened)
                return opened
            except CannotListen as failure:
                for each in opened:
                    each.close()
                if not (failure.in_use and left):
                    raise
                if port:
                    await asyncio.sleep(IN_USE_PAUSE_S)
        raise AssertionError("the last try returns or raises")

    def _open_all(
        self, kind: str, section: str, addresses: list[Address], port: int, opened: list[socket.socket]
    ) -> None:
        """Listen at each address, appending to `opened`. Skip an address that this machine lacks if its host has
        others. Raises CannotListen."""
        absent: dict[str, CannotListen] = {}
        hosts = set()
        for address in addresses:
            try:
                one = socket.create_server(address.at(port), family=address.family, backlog=self._backlog)
            except OSError as error:
                failure = CannotListen(kind, section, address.name, port, error)
                if error.errno not in ABSENT:
                    raise failure from error
                absent.setdefault(address.host, failure)
                continue
            opened.append(one)
            one.setblocking(False)
            hosts.add(address.host)
            port = int(one.getsockname()[1])
        for host, failure in absent.items():
            if host not in hosts:
                raise failure
