"""A transactional outbox: an order and the message about it are stored together, or neither.

    synap serve
    python examples/outbox.py [synap://127.0.0.1:6379] [--orders 100]

With a database and a broker side by side, a program that crashes between the two writes leaves an order without its
mail, or a mail without its order; therefore messages are first written to a table of the database, the outbox, and
carried to the broker by another process. Here keys, queues and topics share one log, so one transaction does it.

The stock of each article is watched: if somebody else changes it meanwhile, nothing of the order happens, and it is
tried again. An order that exceeds the stock leaves no trace.
"""

import argparse
import json
import sys
import threading

import synap.client
from synap.client import Client, ClientError, Conflict, Message

ARTICLES, STOCK, CLERKS = 5, 15, 3


def order(client: Client[bytes], number: int) -> bool:
    """Place an order; return False if the article is sold out."""
    article = f"stock:{number % ARTICLES}"
    while True:
        try:
            with client.transaction(watch=[article]) as step:
                left = int(step.now.get(article) or 0)
                if not left:
                    return False
                step.set(article, left - 1)
                step.set_json(f"order:{number}", {"article": article})
                step.queue("mails").publish(json.dumps({"order": number}))
                step.topic("sales").publish("sold", str(number), key=article)
            return True
        except Conflict:
            continue


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", default="synap://127.0.0.1:6379")
    parser.add_argument("--orders", type=int, default=100)
    options = parser.parse_args()
    try:
        client = synap.client.connect(options.server)
    except ClientError as error:
        print(f"no answer from {options.server}: {error}", file=sys.stderr)
        return 1
    with client:
        for article in range(ARTICLES):
            client.set(f"stock:{article}", STOCK)
        client.queue("mails").create()
        client.topic("sales").create(partitions=3, policy="infinite")
        sold: list[int] = []

        def clerk(first: int) -> None:
            sold.extend(number for number in range(first, options.orders, CLERKS) if order(client, number))

        clerks = [threading.Thread(target=clerk, args=(first,)) for first in range(CLERKS)]
        for thread in clerks:
            thread.start()
        for thread in clerks:
            thread.join()

        sent: list[int] = []

        def send(message: Message[bytes]) -> None:
            number = message.json()["order"]
            if not client.exists(f"order:{number}"):
                raise LookupError(f"a mail without its order: {number}")
            sent.append(number)

        with client.queue("mails").worker(send, "postman", concurrency=2, prefetch=10, wait_s=0.1) as postman:
            while postman.tally.acked + postman.tally.nacked < len(sold):
                threading.Event().wait(0.01)
        records = client.topic("sales").read(limit=options.orders)
        print(f"sold {len(sold)}, sent {len(sent)}, told {len(records)}")
        same = sorted(sold) == sorted(sent) == sorted(int(record.data) for record in records)
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
