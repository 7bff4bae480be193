"""Brokers that queues and streams are compared with; like every node, private and below one folder.

RabbitMQ is an Erlang node: it wants a name server (epmd), a cookie and a dozen folders. Here all of
them are its own: epmd runs as our child on a port of its own, every path lies in the node's folder,
every listener on the loopback address, and nothing of /etc or of the system's service is read.
"""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from amqp import Channel
from client import HOST
from nodes import Node, child, free_port, tool

RABBIT_HOMES = "/usr/lib/rabbitmq/lib"
RABBIT_CONFIG = """
listeners.tcp.default = {host}:{port}
log.console = false
vm_memory_high_watermark.relative = 0.6
disk_free_limit.absolute = 50MB
"""
NATS_CONFIG = """
listen: "{host}:{port}"
ping_interval: "30m"
write_deadline: "60s"
max_pending: 512MB
jetstream {{
  store_dir: "{folder}"
  sync_interval: {sync}
  max_file_store: 20GB
}}
"""


def rabbit_script() -> str | None:
    """The server's own script; the one on PATH of Debian changes the user and reads /etc."""
    found = sorted(Path(RABBIT_HOMES).glob("rabbitmq_server-*/sbin/rabbitmq-server"))
    return str(found[-1]) if found else shutil.which("rabbitmq-server")


def rabbit_version() -> str:
    """Of Debian's package: its folder says it."""
    return Path(rabbit_script() or "").parent.parent.name.replace("_", "-")


class Rabbit(Node):
    """rabbitmq-server without plugins: AMQP only, one scheduler, since it is kept on one core."""

    name = "rabbitmq"

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(root, **options)
        self.names_port = free_port()
        self.names: subprocess.Popen[bytes] | None = None
        home = self.directory
        (home / "rabbitmq.conf").write_text(RABBIT_CONFIG.format(host=HOST, port=self.port))
        (home / "plugins").write_text("[].\n")
        (home / "nothing").write_text("")
        self.env |= {
            "HOME": str(home), "ERL_EPMD_PORT": str(self.names_port), "ERL_EPMD_ADDRESS": HOST,
            "RABBITMQ_NODENAME": f"versus{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": HOST, "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(free_port()), "RABBITMQ_BASE": str(home),
            "RABBITMQ_MNESIA_BASE": str(home / "mnesia"), "RABBITMQ_LOG_BASE": str(home / "logs"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"), "RUNNING_UNDER_SYSTEMD": "1",
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "nothing"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_PID_FILE": str(home / "pid"), "RABBITMQ_FEATURE_FLAGS_FILE": str(home / "flags"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS":
                "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
        }

    def argv(self) -> list[str]:
        script = rabbit_script()
        if script is None:
            raise SystemExit("rabbitmq-server is not installed (Debian: apt-get install rabbitmq-server)")
        return [script]

    def start(self) -> "Node":
        self.names = subprocess.Popen(
            [tool("epmd"), "-port", str(self.names_port), "-address", HOST],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=self.env, preexec_fn=child(self.core))
        try:
            return super().start()
        except BaseException:
            self._end_names()
            raise

    def ready(self) -> bool:
        try:
            with Channel(self.port, timeout=5.0):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        super().stop()
        self._end_names()

    def kill(self) -> None:
        super().kill()
        self._end_names()

    def _end_names(self) -> None:
        if self.names is not None:
            self.names.send_signal(signal.SIGTERM)
            self.names.wait(10)
            self.names = None


class Nats(Node):
    """nats-server with JetStream on files; `sync` is how often it calls fsync: "always", "1s", ..."""

    name = "nats"

    def __init__(self, root: Path, sync: str, **options: Any) -> None:
        super().__init__(root, **options)
        self.config = self.directory / "nats.conf"
        self.config.write_text(NATS_CONFIG.format(
            host=HOST, port=self.port, folder=self.directory / "store",
            sync=sync if sync == "always" else f'"{sync}"'))

    def argv(self) -> list[str]:
        return [tool("nats-server"), "-c", str(self.config)]

    def ready(self) -> bool:
        try:
            with Talk(self.port, timeout=5.0) as talk:
                return b"api" in talk.api("INFO", "")
        except OSError:
            return False


class Talk:
    """One connection in NATS' text protocol; requests of the API are answered into our inbox."""

    INBOX = "_INBOX.versus"

    def __init__(self, port: int, timeout: float = 60.0) -> None:
        self.socket = socket.create_connection((HOST, port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""
        self.line()  # INFO
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":true,'
                            b'"no_responders":true,"lang":"python","version":"1","protocol":1}\r\n'
                            b"SUB %s.> 1\r\nPING\r\n" % self.INBOX.encode())
        if self.line() != b"PONG":
            raise ConnectionError("the server did not take our connection")

    def __enter__(self) -> "Talk":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the server closed the connection")
        self.left += data

    def line(self) -> bytes:
        while b"\r\n" not in self.left:
            self._more()
        line, _, self.left = self.left.partition(b"\r\n")
        return line

    def messages(self) -> Iterator[bytes]:
        """Payloads (with their headers, if any) as they come."""
        while True:
            words = self.line().split()
            if words[0] not in (b"MSG", b"HMSG"):
                continue
            size = int(words[-1])
            while len(self.left) < size + 2:
                self._more()
            body, self.left = self.left[:size], self.left[size + 2:]
            yield body

    def api(self, subject: str, body: str) -> bytes:
        """One request to JetStream; an answer with an error is raised."""
        data = body.encode()
        self.socket.sendall(f"PUB $JS.API.{subject} {self.INBOX}.api {len(data)}\r\n".encode() + data + b"\r\n")
        reply = next(self.messages())
        if b'"error"' in reply or reply.startswith(b"NATS/1.0 503"):
            raise ConnectionError(f"JetStream refused {subject}: {reply[:300].decode(errors='replace')}")
        return reply


def sync_of(log: str) -> str:
    """NATS' `sync_interval` that promises what our log mode promises."""
    return "always" if log == "always" else "1s"


def nats_script() -> str | None:
    return shutil.which("nats-server")
