"""A pool of workers that scales: more threads while the queue grows, fewer when it is empty.

    synap serve
    python examples/workers_pool.py [synap://127.0.0.1:6379] [--jobs 300]

A supervisor looks at the depth of the queue. While messages wait, it adds a worker of four threads, up to five workers;
when nothing waits any more, it stops one after the other. A worker that stops ends the jobs that it has begun and gives
the others back, so scaling down costs no retries. The leases are short (a second), and a job may take longer: workers
renew them while the body runs.
"""

import argparse
import sys
import threading
import time

import synap.client
from synap.client import Client, ClientError, Message, Worker

WORKERS_MAX, THREADS, JOBS_PER_WORKER = 5, 4, 30


def supervise(client: Client[bytes], jobs: int, done: list[int]) -> int:
    """Run workers until all jobs are done; return the greatest number of workers at once."""
    queue = client.queue("thumbnails")
    lock = threading.Lock()

    def resize(message: Message[bytes]) -> None:
        number = int(message.payload)
        time.sleep(2.5 if number == 7 else 0.02)
        with lock:
            done.append(number)

    workers: list[Worker[bytes]] = []
    started = most = 0
    while len(done) < jobs or workers:
        depth = queue.stats()["depth"]
        if depth > JOBS_PER_WORKER * len(workers) and len(workers) < WORKERS_MAX:
            started += 1
            worker = queue.worker(resize, f"worker-{started}", concurrency=THREADS, prefetch=8, wait_s=0.1)
            worker.start()
            workers.append(worker)
            print(f"{depth} jobs wait: {len(workers)} workers", flush=True)
        elif workers and not depth and (len(workers) > 1 or len(done) == jobs):
            worker = workers.pop()
            worker.stop()
            worker.join()
            print(f"no job waits: {len(workers)} workers, {worker.tally.given_back} jobs given back", flush=True)
        most = max(most, len(workers))
        time.sleep(0.05)
    return most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", default="synap://127.0.0.1:6379")
    parser.add_argument("--jobs", type=int, default=300)
    options = parser.parse_args()
    try:
        client = synap.client.connect(options.server)
    except ClientError as error:
        print(f"no answer from {options.server}: {error}", file=sys.stderr)
        return 1
    with client:
        queue = client.queue("thumbnails")
        queue.create(ack_deadline_s=1, max_retries=0)
        with queue.producer() as producer:
            for number in range(options.jobs):
                producer.publish(number)
        done: list[int] = []
        most = supervise(client, options.jobs, done)
        stats = queue.stats()
        print(f"done {len(done)}, acked {stats['acked']}, failed {stats['nacked']}, at most {most} workers")
    return 0 if sorted(done) == list(range(options.jobs)) and not stats["dead"] else 1


if __name__ == "__main__":
    sys.exit(main())
