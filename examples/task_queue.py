"""A queue of tasks: one producer, several worker processes, retries, and what to do with tasks that never succeed.

    synap serve
    python examples/task_queue.py [http://127.0.0.1:15500] [--tasks 40] [--workers 3]

A task belongs to the worker that took it until it is acknowledged. Here some workers fail: a nack sends the task to
the end of the line, and after four failures it is a dead letter, which an operator can look at and revive. Only the
standard library is used.
"""

import argparse
import json
import multiprocessing
import sys
import time
import urllib.error
import urllib.request
from typing import Any

QUEUE = "resize-images"
MAX_RETRIES = 3


def call(method: str, url: str, body: Any = None) -> Any:
    """The JSON that the server answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


def work(task: dict[str, Any], attempt: int) -> None:
    """Do it. Every fifth picture needs a second attempt; number 13 cannot be done at all."""
    if task["picture"] == 13 or (task["picture"] % 5 == 0 and attempt == 0):
        raise RuntimeError(f"picture {task['picture']} cannot be read")


def worker(server: str, name: str, finished: Any) -> None:
    """Take tasks until somebody says `finished`."""
    queue = f"{server}/queue/{QUEUE}"
    while not finished.is_set():
        message = call("GET", f"{queue}/consume/{name}?wait=0.2")  # as soon as there is one, or nothing after 0.2 s
        if message["message_id"] is None:
            continue
        task = json.loads(bytes(message["payload"]))
        answer = {"message_id": message["message_id"]}
        try:
            work(task, message["retry_count"])
        except RuntimeError as error:
            print(f"{name}: {error}, attempt {message['retry_count'] + 1}", flush=True)
            call("POST", f"{queue}/nack", answer | {"requeue": True})
        else:
            call("POST", f"{queue}/ack", answer)
            print(f"{name}: picture {task['picture']} done", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", default="http://127.0.0.1:15500")
    parser.add_argument("--tasks", type=int, default=40)
    parser.add_argument("--workers", type=int, default=3)
    options = parser.parse_args()
    queue = f"{options.server}/queue/{QUEUE}"
    try:
        call("DELETE", queue)  # what an earlier run left
        call("POST", queue, {"max_depth": 10_000, "ack_deadline_secs": 30, "default_max_retries": MAX_RETRIES})
    except urllib.error.URLError as error:
        print(f"no answer from {options.server}: {error}", file=sys.stderr)
        return 1

    for picture in range(options.tasks):
        payload = list(json.dumps({"picture": picture}).encode())
        call("POST", f"{queue}/publish", {"payload": payload, "priority": 9 if picture == 7 else 5})

    processes = multiprocessing.get_context("spawn")
    finished = processes.Event()
    workers = [
        processes.Process(target=worker, args=(options.server, f"worker-{number}", finished))
        for number in range(options.workers)
    ]
    for process in workers:
        process.start()
    end = time.monotonic() + 60
    while (stats := call("GET", f"{queue}/stats"))["acked"] + stats["dead_lettered"] < options.tasks:
        if time.monotonic() > end:
            break
        time.sleep(0.05)
    finished.set()
    for process in workers:
        process.join()
    for dead in call("GET", f"{queue}/dead")["messages"]:
        print(f"given up: {bytes(dead['payload']).decode()}")
    print(", ".join(f"{name} {stats[name]}" for name in ("published", "acked", "nacked", "dead_lettered")))
    return 0 if stats["acked"] + stats["dead_lettered"] == options.tasks else 1


if __name__ == "__main__":
    sys.exit(main())
