"""Publish/subscribe by topic: subscribers with patterns over WebSockets, a publisher over HTTP.

    synap serve
    python examples/pubsub_pattern.py [http://127.0.0.1:15500]

A topic consists of words with dots between them. In a pattern `*` stands for one word and `#`, at the end, for any
number of words. Each current subscriber receives a message once, however many of its patterns match. Messages are not
kept. The program needs the `websockets` library.
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
    "phone": ["notifications.*", "alarms.#"],  # notifications of every way of delivery, and all alarms
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
"""The topic whose message tells every subscriber to stop."""


def publish(server: str, topic: str, payload: Any) -> int:
    """Publish a message and return how many subscribers it was sent to."""
    url = f"{server}/pubsub/{urllib.parse.quote(topic, safe='')}/publish"
    request = urllib.request.Request(url, json.dumps({"payload": payload}).encode())
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())["subscribers_matched"]


def address(server: str, topics: list[str]) -> str:
    """Return the URL of a WebSocket that receives the messages of these topics."""
    return f"{server.replace('http', 'ws', 1)}/pubsub/ws?topics={urllib.parse.quote(','.join(topics), safe=',*')}"


def listen(name: str, socket: ClientConnection, heard: list[str]) -> None:
    """Print the messages of one subscriber, and note their topics in `heard`, until `END` arrives."""
    for text in socket:
        message = json.loads(text)
        if message["topic"] == END:
            return
        print(f"{name:>8}: {message['topic']}: {message['payload']}\n", end="", flush=True)  # one write
        heard.append(message["topic"])


def notify(server: str, heard: dict[str, list[str]]) -> None:
    """Open all subscriptions, publish all messages, and wait until every subscriber has received `END`."""
    with ExitStack() as sockets:
        listeners = []
        for name, topics in SUBSCRIBERS.items():
            socket = sockets.enter_context(connect(address(server, [*topics, END])))
            assert json.loads(socket.recv(timeout=10))["type"] == "connected"  # so every later message arrives
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
