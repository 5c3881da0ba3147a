"""How fast a worker answers `inspect ping` while it works. Run by scripts/bench.

usage: python ping_times.py    asks until the queue is empty, at most 500 times, and prints the milliseconds of each answer, one
                               a line
"""

import sys
import time

from celery_app import app

TIMEOUT = 5
TIMES = 500


def ping():
    start = time.perf_counter()
    if not app.control.ping(timeout=TIMEOUT, limit=1):
        sys.exit(f"no answer within {TIMEOUT} s")
    return (time.perf_counter() - start) * 1000


def main():
    connection = app.backend.client
    waiting = connection.llen("celery")
    # The first one also connects, and may find a worker that is about to start.
    while not app.control.ping(timeout=1, limit=1):
        pass
    while connection.llen("celery") == waiting:
        time.sleep(0.001)
    for _ in range(TIMES):
        if not connection.llen("celery"):
            break
        print(f"{ping():.2f}")


if __name__ == "__main__":
    main()
