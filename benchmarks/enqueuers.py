"""Many connections that commit at once: `python -m benchmarks.enqueuers URL`.

They are shared out among a few processes, in threads, as in a web application. Every transaction
inserts a row of the application's, and beside it enqueues a job, or inserts a row into a table like
that of jobs. For each line `WAY SECONDS` on standard input all of them commit for so long, and a
line says how many transactions that were and how many seconds it took.
"""

from __future__ import annotations

import multiprocessing
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing.synchronize import Barrier

import psycopg

from benchmarks.enqueue import Connection, Insert, enqueue_one, insert_plain

# One process with all of them would wait for its interpreter's lock; with a process for each, two
# cores would have none of their code at hand when its turn comes.
PROCESSES = 4
THREADS = 8
CONNECTIONS = PROCESSES * THREADS
ORDER = b"INSERT INTO orders (customer, cents) VALUES (%s, %s)"
WAYS = {"enqueue": enqueue_one, "plain": insert_plain}
WARM_UP = 10
# For all to arrive; longer means that one of them has failed.
GATE_SECONDS = 60.0


class Block:
    """What all clients do next, in shared memory: a way and how long. An empty way ends them."""

    def __init__(self) -> None:
        forked = multiprocessing.get_context("fork")
        self.gate: Barrier = forked.Barrier(PROCESSES + 1, timeout=GATE_SECONDS)
        self.way = forked.Array("c", 16, lock=False)
        self.seconds = forked.Value("d", lock=False)
        self.commits = forked.Array("q", PROCESSES, lock=False)
        self.clients = [
            forked.Process(target=_clients, args=(self, sys.argv[1], number))
            for number in range(PROCESSES)
        ]

    def run(self, way: str, seconds: float) -> tuple[int, float]:
        """Have the clients commit for so long. Gives how many commits, and the seconds."""
        self.way.value, self.seconds.value = way.encode(), seconds
        self.gate.wait()
        began = time.perf_counter()
        self.gate.wait()
        return sum(self.commits), time.perf_counter() - began


def main() -> None:
    """Start the clients, and have them work block after block."""
    block = Block()
    for client in block.clients:
        client.start()
    block.gate.wait()
    for line in sys.stdin:
        way, seconds = line.split()
        print(*block.run(way, float(seconds)), flush=True)
    block.way.value = b""
    block.gate.wait()


def _clients(block: Block, url: str, number: int) -> None:
    """Be one of the processes."""
    with ExitStack() as stack:
        connections = [stack.enter_context(psycopg.connect(url)) for _ in range(THREADS)]
        threads = stack.enter_context(ThreadPoolExecutor(THREADS))
        for connection in connections:
            _warm_up(connection)
        block.gate.wait()
        while True:
            block.gate.wait()
            if not (way := block.way.value.decode()):
                return
            ends = time.perf_counter() + block.seconds.value
            commits = threads.map(partial(_commit_until, ends, WAYS[way]), connections)
            block.commits[number] = sum(commits)
            block.gate.wait()


def _warm_up(connection: Connection) -> None:
    """Have the statements prepared, so that the first block is like the others."""
    for insert in WAYS.values():
        for number in range(WARM_UP):
            _transaction(connection, insert, number)
    connection.rollback()


def _commit_until(ends: float, insert: Insert, connection: Connection) -> int:
    commits = 0
    while time.perf_counter() < ends:
        _transaction(connection, insert, commits)
        connection.commit()
        commits += 1
    return commits


def _transaction(connection: Connection, insert: Insert, number: int) -> None:
    connection.execute(ORDER, [f"customer {number}", number])
    insert(connection, number)


if __name__ == "__main__":
    main()
