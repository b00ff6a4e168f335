"""Whoever reads the log may be slow, or gone: who writes it never waits, and drops are counted."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import pytest

from jobqueue.observe.logs.sink import Sink
from tests.waiting import until


def tell(lines: int) -> bytes:
    return b"dropped %d\n" % lines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def test_lines_are_written_in_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    sink = Sink(writing, tell)
    for number in range(100):
        sink.put(b"%d\n" % number)
    sink.flush()
    assert os.read(reading, 65_536).split() == [b"%d" % number for number in range(100)]
    assert sink.dropped == 0


def test_a_reader_that_is_stuck_holds_up_nobody_and_is_told_what_it_missed(
    pipe: tuple[int, int],
) -> None:
    reading, writing = pipe
    sink = Sink(writing, tell, most_bytes=200_000)
    began = time.monotonic()
    for _ in range(5_000):
        sink.put(b"x" * 99 + b"\n")
    assert time.monotonic() - began < 2.0
    assert sink.dropped > 0
    sink.flush(0.05)  # waits no longer than that
    read: list[bytes] = []

    def drain() -> bool:
        read.append(os.read(reading, 65_536))
        return b"dropped" in b"".join(read)

    until(drain, what="the drops are told")
    lines = b"".join(read).split(b"\n")
    assert b"dropped %d" % sink.dropped in lines
    assert lines.count(b"x" * 99) + sink.dropped == 5_000


def test_a_disk_that_is_full_costs_lines_and_nothing_else() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        sink = Sink(full, tell)
        sink.put(b"lost\n")
        until(lambda: sink.dropped == 1, what="it is counted")
    finally:
        os.close(full)


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    os.set_blocking(writing, False)
    sink = Sink(writing, tell)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read_all(reading, read, 300_000))
    for _ in range(3_000):
        sink.put(b"x" * 99 + b"\n")
    reader.start()
    reader.join(20)
    assert sum(map(len, read)) == 300_000


def read_all(descriptor: int, into: list[bytes], size: int) -> None:
    while sum(map(len, into)) < size:
        into.append(os.read(descriptor, 65_536))


def test_a_process_that_a_job_forks_writes_by_itself(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    sink = Sink(writing, tell)
    sink.put(b"parent\n")
    sink.flush()
    child = os.fork()
    if child == 0:
        sink.put(b"child\n")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 100) == b"parent\nchild\n"
