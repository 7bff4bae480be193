"""Exactly once: read payments from a topic, and add them up, so that each counts once whatever is killed meanwhile.

    synap serve
    python examples/exactly_once.py [synap://127.0.0.1:6379] [--payments 1000]

A script does one step as a whole: it commits the offset of the payment, adds the amount to the balance of the customer
(a key), and appends the new balance to another topic. If the step is refused, because the partition belongs to another
member by now, nothing of it happens; after a crash the log has all of it or none. The script looks first whether the
payment was counted already, so it can be sent again when a connection breaks.

Start the program as often as you like, also several at a time: they share the partitions.
"""

import argparse
import json
import sys

import synap.client
from synap.client import Client, ClientError, Refused

PARTITIONS = 4
STEP = """
local group, partition, offset, member, generation = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
if (redis.call('GROUP.OFFSET', group, partition) or 0) > offset then return 0 end
redis.call('GROUP.COMMIT', group, partition, offset + 1, 'MEMBER', member, 'GENERATION', generation)
local balance = redis.call('INCRBY', KEYS[1], ARGV[6])
redis.call('TOPIC.PUBLISH', 'balances', 'changed', balance, 'KEY', KEYS[1])
return 1
"""


def prepare(client: Client[bytes], payments: int) -> None:
    """Create the topics and the group, and publish payments, once."""
    if not client.set("payments:made", 1, nx=True):
        return
    client.topic("payments").create(partitions=PARTITIONS, policy="infinite")
    client.topic("balances").create(partitions=1, policy="infinite")
    client.group("accounting").create("payments", PARTITIONS, session_ms=2000)
    with client.topic("payments").producer() as producer:
        for number in range(payments):
            customer = f"customer:{number % 7}"
            producer.publish("paid", json.dumps({"customer": customer, "amount": number}), key=customer)


def account(client: Client[bytes]) -> tuple[int, int]:
    """Count payments until none is left; return how many were counted here, and how many were refused.

    A second without payments does not mean that: the partitions of a program that was killed come here only when its
    session has ended.
    """
    step = client.idempotent.script(STEP)  # may be sent again: a payment that was counted is not counted again
    counted = refused = 0
    group = client.group("accounting")
    while any(lag for *_, lag in group.offsets()):
        with group.consume(auto_commit=False, limit=20, until_idle=True) as payments:
            for record in payments:
                paid = json.loads(record.data)
                place = [record.partition, record.offset, payments.member, payments.generation]
                try:
                    counted += step([paid["customer"]], ["accounting", *place, paid["amount"]])
                except Refused as error:
                    if error.code not in ("STALE", "NOMEMBER"):
                        raise
                    refused += 1  # another member has the partition, and counts the payment
    return counted, refused


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", default="synap://127.0.0.1:6379")
    parser.add_argument("--payments", type=int, default=1000)
    options = parser.parse_args()
    try:
        with synap.client.connect(options.server, attempts=50) as client:
            prepare(client, options.payments)
            counted, refused = account(client)
    except ClientError as error:
        print(f"no answer from {options.server}: {error}", file=sys.stderr)
        return 1
    print(f"counted {counted}, refused {refused}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
