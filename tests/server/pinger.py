"""A client that measures round trips of PING, in a process of its own: `python -m tests.server.pinger PORT PAUSE PID`.

It prints `ready`, measures until its standard input ends, then prints the round trips in microseconds, without the time
that it or the server waited for a core of a busy machine.
"""

import json
import os
import select
import sys
import time

from tests.server.clients import Resp, waited


def main(port: int, pause: float, server: int) -> None:
    """Measure."""
    found = []

    def clock() -> float:
        return time.perf_counter() - waited(server, os.getpid())

    with Resp(port, 60) as client:
        client.ask("PING")
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], pause)[0]:
            begun = clock()
            client.ask("PING")
            found.append(round((clock() - begun) * 1e6))
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
