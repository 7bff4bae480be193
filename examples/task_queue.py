"""A work queue: one producer, several worker processes, retries, and dead letters for tasks that never succeed.

    synap serve
    python examples/task_queue.py [http://127.0.0.1:15500] [--tasks 40] [--workers 3]

A task belongs to the worker that took it until the worker acknowledges it. In this example some attempts fail: a nack
puts the task behind the others of its priority, and after four failures the task is a dead letter, which an operator
can inspect and revive. The program uses only the standard library.
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
    """Send a request, with `body` as JSON, and return the JSON of the reply."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())


def work(task: dict[str, Any], attempt: int) -> None:
    """Do a task. Raise RuntimeError at the first attempt of every fifth picture, and always for picture 13."""
    if task["picture"] == 13 or (task["picture"] % 5 == 0 and attempt == 0):
        raise RuntimeError(f"picture {task['picture']} cannot be read")


def worker(server: str, name: str, finished: Any) -> None:
    """Take tasks, do them, and ack or nack each, until `finished` is set."""
    queue = f"{server}/queue/{QUEUE}"
    while not finished.is_set():
        message = call("GET", f"{queue}/consume/{name}?wait=0.2")  # waits up to 0.2 s for a message
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
        call("DELETE", queue)  # remains of an earlier run
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
