"""Other people's servers, started for a test and ended with it."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import BinaryIO

from tests.ports import free_port


class Redis:
    """A Redis of our own; `ask` answers bytes with the bytes of one reply, `talk` with all until it hangs up."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which("redis-server")
        assert program, "redis-server is not installed (Debian: redis-server)"
        self.port = free_port()
        self.server = subprocess.Popen(
            [program, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory),
             "--enable-debug-command", "yes"], stdout=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(100):
            try:
                self.link = socket.create_connection(("127.0.0.1", self.port), timeout=10)
                break
            except OSError:
                time.sleep(0.05)
        self.stream = self.link.makefile("rwb")

    def ask(self, data: bytes) -> bytes:
        self.stream.write(data)
        self.stream.flush()
        return read(self.stream)

    def talk(self, data: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as link:
            link.sendall(data)
            link.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: link.recv(1 << 16), b""))

    def close(self) -> None:
        self.stream.close()
        self.link.close()
        self.server.terminate()
        self.server.wait()


def read(stream: BinaryIO) -> bytes:
    """The bytes of one reply."""
    line = stream.readline()
    if line[:1] in b"$=" and line[1:2] != b"-":
        return line + stream.read(int(line[1:]) + 2)
    if line[:1] in b"*~%" and line[1:2] != b"-":
        return line + b"".join(read(stream) for _ in range(int(line[1:]) * (2 if line[:1] == b"%" else 1)))
    return line
