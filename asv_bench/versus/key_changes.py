"""What it costs to tell of changes of keys: SET and GET of others at depth 16, beside redis-server.

    python asv_bench/versus/key_changes.py

Each line is a state of both servers: who is told about changes. redis-benchmark sends from 8 connections to random keys
of 100,000; one more connection reads what it is told. Printed are requests a second, and their ratio.
"""

import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

REQUESTS = 200_000
STATES = {
    "nobody is told": [],
    "notifications KEA, a subscriber": ["CONFIG SET notify-keyspace-events KEA", "PSUBSCRIBE __key*"],
    "tracking, 100 keys read": ["HELLO 3", "CLIENT TRACKING ON", *(f"GET key:{i:012}" for i in range(100))],
    "tracking, BCAST": ["HELLO 3", "CLIENT TRACKING ON BCAST"],
    "a watched key (Synap only)": ["SUBSCRIBE __watch@0__:key:000000000001"],
}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def words(text: str) -> bytes:
    parts = [part.encode() for part in shlex.split(text)]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


@contextmanager
def started(command: list[str], port: int) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1200):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def rate(port: int, what: str) -> float:
    found = subprocess.run(
        ["redis-benchmark", "-p", str(port), "-t", what, "-n", str(REQUESTS), "-r", "100000", "-P", "16", "-c", "8",
         "--csv", "-d", "16"], capture_output=True, text=True, check=True,
    ).stdout.splitlines()[-1]  # fmt: skip
    return float(found.split(",")[1].strip('"'))


def told(port: int, lines: list[str]) -> socket.socket:
    """Open the connection that is told, and drop what it hears."""
    link = socket.create_connection(("127.0.0.1", port))
    link.sendall(b"".join(map(words, lines)) or words("PING"))

    def drop() -> None:
        try:
            while link.recv(1 << 20):
                pass
        except OSError:
            pass

    threading.Thread(target=drop, daemon=True).start()
    time.sleep(0.2)
    return link


def main() -> None:
    for program in ("redis-server", "redis-benchmark"):
        assert shutil.which(program), f"{program} is not installed"
    ours, theirs, web = free_port(), free_port(), free_port()
    directory = tempfile.mkdtemp()
    synap = [sys.executable, "-m", "synap", "serve", "--port", str(web), "--resp-port", str(ours)]
    synap += ["--data-dir", directory]
    redis = ["redis-server", "--port", str(theirs), "--bind", "127.0.0.1", "--save", "", "--dir", directory]
    with started(synap, ours), started(redis, theirs):
        for state, lines in STATES.items():
            for what in ("set", "get"):
                found = []
                for port in (ours, theirs):
                    link = told(port, lines)
                    found.append(rate(port, what))
                    link.close()
                    link = told(port, ["CONFIG SET notify-keyspace-events \"\""])
                    link.close()
                print(f"{state:34} {what}  {found[0]:12,.0f} {found[1]:12,.0f}  {found[0] / found[1]:.2f}", flush=True)


if __name__ == "__main__":
    main()
