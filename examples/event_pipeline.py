"""An event pipeline: processes share the partitions of a topic, and when one is killed the others take over.

    synap serve
    python examples/event_pipeline.py [synap://127.0.0.1:6379] [--events 600]

Three members of a consumer group read page views, and count them for each page in a hash. The program kills one of
them in the middle, as an operator or the kernel may do. Its session ends after a second, its partitions go to the other
two, and they read on from the offsets that it has committed. So every view is seen at least once; a view that the
killed member had counted and not committed is seen twice, which the set of views per page makes harmless.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import time

import synap.client
from synap.client import ClientError

PARTITIONS, MEMBERS = 6, 3


class Report:
    """Tells of rebalances."""

    def __init__(self, member: str) -> None:
        self._member = member

    def revoked(self, partitions: list[int]) -> None:
        print(f"{self._member} has lost {partitions}", flush=True)

    def assigned(self, partitions: list[int]) -> None:
        print(f"{self._member} reads {partitions}", flush=True)


def member(server: str, name: str) -> None:
    """Count views until the process is ended."""
    with synap.client.connect(server) as client, client.group("views").consume(
        member=name, limit=10, commit_s=0.1, wait_s=0.2, listener=Report(name)
    ) as views:
        for view in views:
            client.sadd(f"page:{view.key.decode()}", view.data)  # twice is as good as once
            client.incr("views:seen")
            time.sleep(0.002)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", default="synap://127.0.0.1:6379")
    parser.add_argument("--events", type=int, default=600)
    options = parser.parse_args()
    try:
        client = synap.client.connect(options.server)
    except ClientError as error:
        print(f"no answer from {options.server}: {error}", file=sys.stderr)
        return 1
    with client:
        client.topic("pages").create(partitions=PARTITIONS)
        client.group("views").create("pages", PARTITIONS, strategy="STICKY", session_ms=1000)
        processes = multiprocessing.get_context("spawn")
        members = [processes.Process(target=member, args=(options.server, f"member-{i}")) for i in range(MEMBERS)]
        for process in members:
            process.start()
        end = time.monotonic() + 60
        while client.group("views").stats()["member_count"] < MEMBERS and time.monotonic() < end:
            time.sleep(0.05)
        with client.topic("pages").producer() as producer:
            for number in range(options.events):
                producer.publish("viewed", number, key=f"{number % 20}")
        while int(client.get("views:seen") or 0) < options.events // 3 and time.monotonic() < end:
            time.sleep(0.01)
        os.kill(members[0].pid or 0, signal.SIGKILL)
        print("member-0 was killed", flush=True)
        seen = 0
        while seen < options.events and time.monotonic() < end:
            time.sleep(0.05)
            seen = sum(client.scard(f"page:{page}") for page in range(20))
        while any(lag for *_, lag in client.group("views").offsets()) and time.monotonic() < end:
            time.sleep(0.05)
        print(f"published {options.events}, seen {seen}, lag {sum(lag for *_, lag in client.group('views').offsets())}")
        for process in members:
            process.kill()
            process.join()
    return 0 if seen == options.events else 1


if __name__ == "__main__":
    sys.exit(main())
