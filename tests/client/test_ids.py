"""Ids made by the client."""

from __future__ import annotations

import os
import time

from jobqueue.client.ids import new_id


def test_an_id_is_a_uuid_of_version_seven_that_tells_its_time():
    before = time.time_ns() // 1_000_000
    made = new_id()
    after = time.time_ns() // 1_000_000
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert before <= made.int >> 80 <= after


def test_ids_made_in_different_microseconds_are_in_order():
    ids = []
    for _ in range(50):
        ids.append(new_id())
        until = time.time_ns() + 1_000
        while time.time_ns() < until:
            pass
    assert ids == sorted(ids)


def test_no_two_are_the_same_not_even_after_a_fork():
    read, write = os.pipe()
    child = os.fork()
    made = [new_id().hex for _ in range(2_000)]
    if child == 0:
        os.write(write, "".join(made).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        theirs = answer.read()
    os.waitpid(child, 0)
    made += [theirs[at : at + 32] for at in range(0, len(theirs), 32)]
    assert len(set(made)) == 4_000
