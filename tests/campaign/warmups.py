"""Warm-ups that are killed, again and again: `python -m tests.campaign.warmups --count 200`.

Each round starts `synap serve` or `synap warmup` with a cache that is empty or filled in part, waits for a moment,
writes a few keys if the server is ready, and ends the process by `kill -9` or Ctrl-C. All rounds until the cache is
full share one cache and one data directory. Then a server that finds everything in the cache must have every
acknowledged write, and answer a fixed history as a server does whose kernels were never interrupted. Ends with 1 if
anything was wrong.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from synap.compiler.entries import CHECKSUM_BYTES, _checksum
from tests.ports import free_port
from tests.support import command, decode

SHORTEST_S = 0.2
"""The shortest time that a process is given."""
END_S = 5.0
"""Time for a process to end after Ctrl-C."""
WORDS = "SET GET APPEND INCR LPUSH RPUSH LPOP LRANGE SADD SREM SMEMBERS DEL EXPIRE".split()


class Wrong(AssertionError):
    """A broken promise, in words."""


def process(words: list[str], cache: Path) -> subprocess.Popen[bytes]:
    """A `synap` of its own process group, with this cache."""
    environment = dict(os.environ, SYNAP_CACHE_DIR=str(cache), PYTHONFAULTHANDLER="1")
    said = Path(cache.parent, "said").open("wb")
    with said:
        return subprocess.Popen([sys.executable, "-m", "synap.cli", *words], env=environment, start_new_session=True,
                                stdout=subprocess.DEVNULL, stderr=said)  # fmt: skip


def served(cache: Path, data: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A server on free ports, and its port for RESP."""
    port = free_port()
    settings = ["--set", "persistence.wal.fsync_mode=always"]
    words = ["serve", "--data-dir", str(data), "--resp-port", str(port), "--port", str(free_port()), *settings]
    return process(words, cache), port


def connect(port: int, seconds: float) -> socket.socket | None:
    """A connection to the server, or None if it is not ready in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            return socket.create_connection(("127.0.0.1", port), 60)
        except OSError:
            time.sleep(0.02)
    return None


def ask(client: socket.socket, *words: str) -> object:
    """One call and its reply."""
    client.sendall(command(*words))
    data = b""
    while True:
        data += client.recv(1 << 20)
        try:
            return decode(data)[0]
        except (IndexError, ValueError):
            continue


def history(client: socket.socket) -> str:
    """A digest of the replies to a fixed history, and of the state behind it."""
    chance = random.Random(7)
    seen = hashlib.sha256()
    ask(client, "FLUSHALL")
    for _ in range(3000):
        word = chance.choice(WORDS)
        key = f"{word[0]}{chance.randrange(30)}"
        more = {"SET": 1, "APPEND": 1, "LPUSH": 1, "RPUSH": 1, "SADD": 1, "SREM": 1}.get(word, 0)
        words = [str(chance.randrange(100)) for _ in range(more)]
        words = {"LRANGE": ["0", "-1"], "EXPIRE": ["1000"]}.get(word, words)
        reply = ask(client, word, key, *words)
        seen.update(repr(sorted(reply) if word == "SMEMBERS" and isinstance(reply, list) else reply).encode())
    seen.update(repr(ask(client, "DEBUG", "DIGEST")).encode())
    return seen.hexdigest()


def check_entries(cache: Path) -> int:
    """Return how many entries there are. Every file under an entry's name is whole."""
    count = 0
    for path in cache.rglob("*.nbc"):
        data = path.read_bytes()
        if _checksum(data[CHECKSUM_BYTES:]) != data[:CHECKSUM_BYTES]:
            raise Wrong(f"{path} is not whole")
        count += 1
    return count


def end(running: subprocess.Popen[bytes], politely: bool, said: Path) -> None:
    """Kill a process, or press Ctrl-C in its terminal: then it ends soon, with its workers."""
    if not politely:
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        return
    os.killpg(running.pid, signal.SIGINT)
    try:
        running.wait(END_S)
    except subprocess.TimeoutExpired:
        os.kill(running.pid, signal.SIGABRT)  # it says where its threads are
        running.wait()
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        raise Wrong(f"{running.args} did not end {END_S} s after Ctrl-C:\n{said.read_text()}") from None
    until = time.monotonic() + END_S
    while time.monotonic() < until:  # a worker ends with its parent, between two steps of the compiler
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGKILL)
    raise Wrong(f"{running.args} left a process behind")


def run(count: int, seed: int, longest: float) -> dict[str, int]:
    """Interrupt `count` warm-ups, each after at most `longest` s; return what was counted. Raises Wrong."""
    chance = random.Random(seed)
    counted = {"killed": 0, "interrupted": 0, "caches filled": 0, "acknowledged": 0}
    wanted = ""
    rounds = 0
    while rounds < count:
        with tempfile.TemporaryDirectory(prefix="synap-warmups-") as place:
            cache, data = Path(place, "cache"), Path(place, "data")
            acknowledged: list[str] = []
            while rounds < count and (rounds == 0 or chance.random() > 0.05 or not acknowledged):
                rounds += 1
                serves = chance.random() < 0.7
                running, port = served(cache, data) if serves else (process(["warmup"], cache), 0)
                began = time.monotonic()
                wait = chance.uniform(SHORTEST_S, longest)
                client = connect(port, wait) if serves else None
                while client is not None and time.monotonic() - began < wait:
                    key = f"k{seed}-{rounds}-{len(acknowledged)}"
                    if ask(client, "SET", key, "v") == b"OK":
                        acknowledged.append(key)
                    time.sleep(0.01)
                time.sleep(max(0.0, wait - (time.monotonic() - began)))
                politely = chance.random() < 0.5
                end(running, politely, Path(place, "said"))
                counted["interrupted" if politely else "killed"] += 1
                check_entries(cache)
            if subprocess.run([sys.executable, "-m", "synap.cli", "warmup"], stderr=subprocess.DEVNULL,
                              env=dict(os.environ, SYNAP_CACHE_DIR=str(cache))).returncode:  # fmt: skip
                raise Wrong("a cache that was interrupted could not be filled")
            running, port = served(cache, data)
            client = connect(port, 60)
            if client is None:
                raise Wrong("a server with a full cache does not start")
            lost = [key for key in acknowledged if ask(client, "GET", key) != b"v"]
            if lost:
                raise Wrong(f"{len(lost)} acknowledged writes are lost, {lost[0]} first")
            found = history(client)
            wanted = wanted or found
            if found != wanted:
                raise Wrong("two caches answer one history differently")
            end(running, True, Path(place, "said"))
            shutil.rmtree(data)
            counted["caches filled"] += 1
            counted["acknowledged"] += len(acknowledged)
            print(rounds, counted, flush=True)
    return counted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=7.0, help="the longest time that a process is given, in s")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background of a shell ignores
    print(run(options.count, options.seed, options.longest))
