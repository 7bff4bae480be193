"""Eight redis-py clients against a server that is stopped, killed and started again; are their histories linearizable?

`python -m tests.campaign.concurrent --calls 100000 [--mode always] [--seed 1]`: registers, counters, lists, sets,
compare-and-set by WATCH, and EXECs over several lists, on keys that are given up for new ones after some calls, so
that every history can be checked to its end. Ends with 1 if one does not fit (tests/simulation/linear.py).
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import redis

from tests.campaign.crashes import MODES
from tests.server.clients import HOST, Server
from tests.server.zygote import Zygote
from tests.simulation.linear import UNKNOWN, Op, Txn, check_key, check_transactions

CLIENTS = 8
ERA_CALLS = 1500
LIFE_S = (0.05, 0.5)


class Histories:
    """What all clients did to the keys of one era; `now` numbers what happens, in the order in which it does."""

    def __init__(self) -> None:
        self.ops: dict[str, list[Op]] = {}
        self.txns: list[Txn] = []
        self.era = 0
        self.calls = self.unknown = self.eras = 0
        self._ticks, self._texts = count(1), count(1)
        self._lock = threading.Lock()

    def now(self) -> int:
        return next(self._ticks)

    def text(self) -> bytes:
        return b"v%d" % next(self._texts)

    def key(self, name: str) -> str:
        return f"{name}.{self.era}"

    def make(self, client: str, key: str, words: tuple[Any, ...], call: Callable[[], Any]) -> Any:
        """Record one call. Raises what it raises; then its outcome is unknown."""
        with self._lock:
            op = Op(client, words, self.now())
            self.ops.setdefault(key, []).append(op)
            self.calls += 1
        reply = call()
        with self._lock:
            op.end, op.reply = self.now(), reply
        return reply

    def forget(self, key: str, op: Op) -> None:
        with self._lock:
            self.ops[key].remove(op)

    def end_of_life(self) -> None:
        """What was not answered happened by now, or never."""
        now = self.now()
        for one in (*(op for ops in self.ops.values() for op in ops), *self.txns):
            reply = one.reply if isinstance(one, Op) else one.replies
            if reply is UNKNOWN and one.end > now:
                one.end = now
                self.unknown += 1

    def check(self, final: dict[str, list[bytes]]) -> None:
        """Raise Violation if a history of this era fits into no order; begin the next."""
        for ops in self.ops.values():
            check_key(ops)
        check_transactions(self.txns, final)
        self.ops.clear()
        self.txns.clear()
        self.era += 1
        self.eras += 1


class Client(threading.Thread):
    """Calls by chance until the connection dies or enough is done."""

    def __init__(self, number: int, port: int, histories: Histories, seed: int, enough: int) -> None:
        super().__init__(daemon=True)
        self.called = f"c{number}"
        self.chance = random.Random(seed * 1000 + number)
        self.histories, self.enough = histories, enough
        self.stopping = False
        self.wrong: BaseException | None = None
        retry = redis.retry.Retry(redis.backoff.NoBackoff(), 0)
        self.redis: Any = redis.Redis(HOST, port, retry=retry, socket_timeout=30, single_connection_client=True)

    def run(self) -> None:
        try:
            while not self.stopping and self.histories.calls < self.enough:
                dice = self.chance.random()
                if dice < 0.1:
                    self._swap()
                elif dice < 0.3:
                    self._transaction()
                else:
                    self._call()
        except (redis.ConnectionError, redis.TimeoutError, redis.WatchError, OSError):
            return
        except BaseException as error:
            self.wrong = error

    def _call(self) -> None:
        chance, histories = self.chance, self.histories
        text, kind = histories.text(), chance.choice("rrrcclls")
        key = histories.key(f"{kind}{chance.randrange(3)}")
        words: tuple[Any, ...]
        if kind == "r":
            words = chance.choice((("GET",), ("GET",), ("SET", text), ("GETSET", text), ("APPEND", text), ("DEL",)))
        elif kind == "c":
            words = chance.choice((("GET",), ("INCRBY", 1), ("INCRBY", 7)))
        elif kind == "l":
            words = chance.choice((("RPUSH", text), ("LPUSH", text), ("LPOP",), ("RPOP",), ("LRANGE", 0, -1)))
        else:
            member = b"m%d" % chance.randrange(5)
            words = chance.choice((("SADD", member), ("SREM", member), ("SMEMBERS",)))

        def call() -> Any:
            reply = self.redis.execute_command(words[0], key, *words[1:])
            if words[0] == "SMEMBERS":
                return sorted(reply)
            return b"OK" if reply is True and words[0] == "SET" else reply

        histories.make(self.called, key, words, call)

    def _swap(self) -> None:
        """Change a register if nobody else has."""
        histories = self.histories
        key, text = histories.key(f"r{self.chance.randrange(3)}"), histories.text()
        pipe = self.redis.pipeline()
        pipe.watch(key)
        seen = histories.make(self.called, key, ("GET",), lambda: pipe.get(key))
        pipe.multi()
        pipe.set(key, text)
        begun = Op(self.called, ("CAS", seen, text), histories.now())
        histories.ops.setdefault(key, []).append(begun)
        try:
            pipe.execute()
            begun.end, begun.reply = histories.now(), b"OK"
        except redis.WatchError as error:
            if "ConnectionError" in str(error):  # so redis-py calls it: it may have gone through
                raise
            histories.forget(key, begun)

    def _transaction(self) -> None:
        histories, chance = self.histories, self.chance
        calls: list[tuple[Any, ...]] = []
        pipe = self.redis.pipeline(transaction=True)
        for _ in range(chance.randint(1, 4)):
            key = histories.key(f"t{chance.randrange(3)}")
            if chance.random() < 0.6:
                calls.append(("RPUSH", key, histories.text()))
                pipe.rpush(key, calls[-1][2])
            else:
                calls.append(("LRANGE", key))
                pipe.lrange(key, 0, -1)
        txn = Txn(self.called, calls, histories.now())
        histories.txns.append(txn)
        histories.calls += 1
        replies = pipe.execute()
        txn.end, txn.replies = histories.now(), replies


def run(zygote: Zygote, directory: Path, mode: str, calls: int, seed: int) -> tuple[Histories, int]:
    """So many calls; (what was recorded, how often the server was killed). Raises Violation."""
    chance, histories, kills = random.Random(seed), Histories(), 0
    server = Server(zygote, directory / mode, {"persistence.wal.fsync_mode": mode}).start()
    try:
        while histories.calls < calls:
            enough = min(calls, histories.calls + ERA_CALLS)
            while histories.calls < enough:
                port, lives = server.resp_port, chance.getrandbits(30)
                clients = [Client(i, port, histories, lives, enough) for i in range(CLIENTS)]
                for client in clients:
                    client.start()
                end = time.monotonic() + chance.uniform(*LIFE_S)
                while time.monotonic() < end and any(client.is_alive() for client in clients):
                    time.sleep(0.01)
                    if chance.random() < 0.02:
                        server.pause(chance.uniform(0.01, 0.1))
                if histories.calls < enough or chance.random() < 0.3:
                    server.kill9()
                    kills += 1
                    server.start()
                for client in clients:
                    client.stopping = True
                for client in clients:
                    client.join(60)
                    assert not client.is_alive(), "a client hangs"
                    if client.wrong is not None:
                        raise client.wrong
                    client.redis.close()
                histories.end_of_life()
            _close_era(server, histories)
    finally:
        server.end()
    return histories, kills


def _close_era(server: Server, histories: Histories) -> None:
    """Read everything once more, and check."""
    with server.resp() as client:
        for key in list(histories.ops):
            word = {"l": ("LRANGE", 0, -1), "s": ("SMEMBERS",)}.get(key[0], ("GET",))

            def call(word: tuple[Any, ...] = word, key: str = key) -> Any:
                reply = client.ask(word[0], key, *word[1:])
                return sorted(reply) if word[0] == "SMEMBERS" else reply

            histories.make("last", key, word, call)
        final = {histories.key(f"t{i}"): client.ask("LRANGE", histories.key(f"t{i}"), 0, -1) for i in range(3)}
    histories.check(final)


def main() -> None:
    """Print what was found, by mode."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=100_000, help="for each mode, by all clients")
    options.add_argument("--mode", choices=MODES, action="append")
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    zygote = Zygote()
    bad = 0
    try:
        for mode in given.mode or MODES:
            begun = time.monotonic()
            with tempfile.TemporaryDirectory() as directory:
                try:
                    found, kills = run(zygote, Path(directory), mode, given.calls, given.seed)
                except AssertionError as error:
                    bad += 1
                    print(f"{mode}: {error}")
                    continue
            print(f"{mode}: calls={found.calls} unknown={found.unknown} eras={found.eras} kills={kills} violations=0"
                  f" seconds={time.monotonic() - begun:.0f}", flush=True)  # fmt: skip
    finally:
        zygote.close()
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
