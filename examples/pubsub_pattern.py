"""Notifications by topic: subscribers with patterns over WebSockets, publishers over HTTP.

    synap serve
    python examples/pubsub_pattern.py [http://127.0.0.1:15500]

A topic is words with dots between them. In a pattern `*` stands for one word and `#`, at the end, for any number of
words. A message goes to everybody who listens at that moment, once, however many of his patterns it meets; nobody
keeps it. Needs the `websockets` library.
"""

import argparse
import json
import sys
import threading
import urllib.parse
import urllib.request
from contextlib import ExitStack
from typing import Any

from websockets.sync.client import ClientConnection, connect

SUBSCRIBERS = {
    "mailer": ["notifications.email"],
    "phone": ["notifications.*", "alarms.#"],  # every channel of notifications, and whatever alarms there are
    "auditor": ["#"],
    "berlin": ["alarms.berlin.#"],
}
PUBLISHED = [
    ("notifications.email", "your order has been sent"),
    ("notifications.sms", "your code is 4711"),
    ("notifications.email.digest", "the week in numbers"),
    ("alarms.berlin.door", "the door stands open"),
    ("alarms.berlin", "the power is out"),
    ("alarms.paris.window", "the window stands open"),
]
END = "example.end"
"""A topic of ours that says to everybody: this was all."""


def publish(server: str, topic: str, payload: Any) -> int:
    """To how many it went."""
    url = f"{server}/pubsub/{urllib.parse.quote(topic, safe='')}/publish"
    request = urllib.request.Request(url, json.dumps({"payload": payload}).encode())
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())["subscribers_matched"]


def address(server: str, topics: list[str]) -> str:
    """Where the messages of these topics come out."""
    return f"{server.replace('http', 'ws', 1)}/pubsub/ws?topics={urllib.parse.quote(','.join(topics), safe=',*')}"


def listen(name: str, socket: ClientConnection, heard: list[str]) -> None:
    """Print what comes, until the end."""
    for text in socket:
        message = json.loads(text)
        if message["topic"] == END:
            return
        print(f"{name:>8}: {message['topic']}: {message['payload']}\n", end="", flush=True)  # in one piece
        heard.append(message["topic"])


def notify(server: str, heard: dict[str, list[str]]) -> None:
    """Open all subscriptions, publish everything, and wait until everybody has heard the end."""
    with ExitStack() as sockets:
        listeners = []
        for name, topics in SUBSCRIBERS.items():
            socket = sockets.enter_context(connect(address(server, [*topics, END])))
            assert json.loads(socket.recv(timeout=10))["type"] == "connected"  # from here on it misses nothing
            listeners.append(threading.Thread(target=listen, args=(name, socket, heard[name])))
        for listener in listeners:
            listener.start()
        for topic, payload in PUBLISHED:
            print(f"{topic} goes to {publish(server, topic, payload)} subscribers\n", end="", flush=True)
        publish(server, END, None)
        for listener in listeners:
            listener.join(30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", default="http://127.0.0.1:15500")
    server = parser.parse_args().server
    heard: dict[str, list[str]] = {name: [] for name in SUBSCRIBERS}
    try:
        notify(server, heard)
    except OSError as error:
        print(f"no answer from {server}: {error}", file=sys.stderr)
        return 1
    for name, topics in heard.items():
        print(f"{name} heard {len(topics)}: {' '.join(topics)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
