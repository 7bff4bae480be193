"""An event room with several readers: each reads all events at its own pace, from an offset of its choice.

    synap serve
    python examples/event_broadcast.py [http://127.0.0.1:15500] [--events 20]

Reading removes nothing from the room. `live` follows it over a WebSocket, `poller` over HTTP with calls that wait for
the next event. `late` reads the room from the beginning after all events were published, `half` from the middle.
The WebSocket needs the `websockets` library.
"""

import argparse
import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from websockets.sync.client import connect

ROOM = "deployments"


def call(method: str, url: str, body: Any = None) -> Any:
    """Send a request, with `body` as JSON, and return the JSON of the reply."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


def over_http(room: str, name: str, offset: int, count: int) -> Iterator[tuple[int, Any]]:
    """Yield (offset, data) of `count` events from `offset` on.

    A program that stores the next offset can continue there after a crash.
    """
    while count:
        reply = call("GET", f"{room}/consume/{name}?from_offset={offset}&limit={min(count, 5)}&wait=10")
        for event in reply["events"]:
            yield event["offset"], json.loads(bytes(event["data"]))
        count -= len(reply["events"])
        offset = reply["next_offset"]


def over_websocket(room: str, name: str, offset: int, count: int, ready: threading.Event) -> Iterator[tuple[int, Any]]:
    """Yield (offset, data) of `count` events pushed by the server, from `offset` on. Set `ready` when connected."""
    with connect(f"{room.replace('http', 'ws', 1)}/ws/{name}?from_offset={offset}") as socket:
        for text in socket:
            frame = json.loads(text)
            if frame["type"] == "connected":
                ready.set()
            elif frame["type"] == "event":
                yield frame["offset"], frame["data"]
                count -= 1
                if not count:
                    return


def follow(name: str, events: Iterator[tuple[int, Any]], seen: dict[str, list[int]]) -> None:
    """Print the events of one reader, and note their offsets in `seen`."""
    for offset, data in events:
        print(f"{name:>6}: {offset} {data['service']} {data['version']}\n", end="", flush=True)  # one write
        seen.setdefault(name, []).append(offset)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", default="http://127.0.0.1:15500")
    parser.add_argument("--events", type=int, default=20)
    options = parser.parse_args()
    room, count, half = f"{options.server}/stream/{ROOM}", options.events, options.events // 2
    try:
        if ROOM in call("GET", f"{options.server}/stream/list")["rooms"]:
            call("DELETE", room)  # remains of an earlier run
        call("POST", room)
    except urllib.error.URLError as error:
        print(f"no answer from {options.server}: {error}", file=sys.stderr)
        return 1

    seen: dict[str, list[int]] = {}
    ready = threading.Event()
    readers = [
        threading.Thread(target=follow, args=("live", over_websocket(room, "live", 0, count, ready), seen)),
        threading.Thread(target=follow, args=("poller", over_http(room, "poller", 0, count), seen)),
    ]
    for reader in readers:
        reader.start()
    ready.wait(10)
    for number in range(count):
        data = {"service": f"service-{number % 3}", "version": f"1.{number}"}
        call("POST", f"{room}/publish", {"event": "deployed", "data": data})
    for reader in readers:
        reader.join(60)
    follow("late", over_http(room, "late", 0, count), seen)
    follow("half", over_http(room, "half", half, count - half), seen)
    for name, offsets in seen.items():
        print(f"{name} saw {len(offsets)} events, {offsets[0]} to {offsets[-1]}")
    everything = list(range(count))
    right = seen == {"live": everything, "poller": everything, "late": everything, "half": everything[half:]}
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
