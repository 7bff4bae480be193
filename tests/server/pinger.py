"""A client that measures round trips of PING, in a process of its own: `python -m tests.server.pinger PORT PAUSE`.

It prints `ready`, measures until its standard input ends, then prints the round trips in microseconds.
"""

import json
import select
import sys
import time

from tests.server.clients import Resp


def main(port: int, pause: float) -> None:
    """Measure."""
    found = []
    with Resp(port, 60) as client:
        client.ask("PING")
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], pause)[0]:
            begun = time.perf_counter()
            client.ask("PING")
            found.append(round((time.perf_counter() - begun) * 1e6))
    print(json.dumps(found))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
