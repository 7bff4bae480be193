"""A second client: calls at a fixed pace on one connection, each timed from the moment it was due.

    python pinger.py PORT RATE KEYS COMMAND [COMMAND ...]

The commands take turns; `__rand_int__` in one becomes a random 12-digit number below KEYS. A call that
waits behind a stall is not forgiven: the calls that became due meanwhile are late as well (no
coordinated omission). It runs at real-time priority where it may, so that the load generator on the
same core does not delay it. It stops when a line arrives on stdin and prints [[due, milliseconds], ...].
"""

import gc
import json
import os
import random
import select
import sys
import time

from client import Client, encode


def requests(commands: list[str], keys: int, count: int = 4096) -> list[bytes]:
    dice = random.Random(7)
    made = []
    for i in range(count):
        words = commands[i % len(commands)].split(" ")
        made.append(encode(*(word.replace("__rand_int__", f"{dice.randrange(keys):012}").encode()
                             for word in words)))
    return made


def main() -> None:
    port, rate, keys, *commands = sys.argv[1:]
    period = 1.0 / float(rate)
    prepared = requests(commands, int(keys))
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        print("second client: no real-time priority, so its figures include waiting for the core",
              file=sys.stderr)
    taken: list[tuple[float, float]] = []
    with Client(int(port)) as client:
        client.call(b"PING")
        print("ready", flush=True)
        gc.disable()
        due, turn = time.monotonic(), 0
        while not select.select([sys.stdin], [], [], 0)[0]:
            due += period
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            client.socket.sendall(prepared[turn % len(prepared)])
            client.reply()
            taken.append((due, (time.monotonic() - due) * 1e3))
            turn += 1
    print(json.dumps(taken))


if __name__ == "__main__":
    main()
