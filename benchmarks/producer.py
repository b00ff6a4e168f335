"""A process that enqueues at a steady rate: `python -m benchmarks.producer URL BATCHES SIZE`.

It enqueues so many batches of jobs, one every 10 ms, each in a transaction of its own, and writes a
line for each: the moment (CLOCK_MONOTONIC, ns) after its COMMIT. One that is late is made up for.
"""

from __future__ import annotations

import sys
import time

import psycopg

from benchmarks.workload import note_run

INTERVAL_SECONDS = 0.01


def main() -> None:
    """Enqueue, on time, and then say when each batch was there."""
    url, batches, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    committed: list[int] = []
    with psycopg.connect(url, autocommit=True) as connection:
        due = time.monotonic()
        for batch in range(batches):
            items = [{"number": number} for number in range(batch * size, (batch + 1) * size)]
            time.sleep(max(0.0, due - time.monotonic()))
            with connection.transaction():
                note_run.enqueue_many(connection, items)
            committed.append(time.monotonic_ns())
            due += INTERVAL_SECONDS
    print("\n".join(map(str, committed)))


if __name__ == "__main__":
    main()
