"""What a worker is told."""

from __future__ import annotations

import pytest

from jobqueue import ConfigurationError
from jobqueue.core.settings import MOST_CONCURRENCY, WorkerSettings, parse_queues


@pytest.mark.parametrize(
    ("specs", "queues"),
    [
        ([], {}),
        (["default"], {"default": 7}),
        (["email=20"], {"email": 20}),
        (["email=20", "default"], {"email": 20, "default": 7}),
        (["b=1", "a=1"], {"b": 1, "a": 1}),
        ([f"big={MOST_CONCURRENCY}"], {"big": MOST_CONCURRENCY}),
        (["two words=3"], {"two words": 3}),
        (["tenant:5=3", "tenant:blue"], {"tenant:5": 3, "tenant:blue": 7}),
    ],
    ids=repr,
)
def test_queues_are_read_with_their_concurrency(specs, queues):
    assert parse_queues(specs, 7) == queues
    assert list(parse_queues(specs, 7)) == list(queues)


@pytest.mark.parametrize(
    ("specs", "said"),
    [
        ([""], "queue ''"),
        (["=5"], "queue ''"),
        (["email="], "email="),
        (["email=many"], "'many' is not a number"),
        (["email=1.5"], "'1.5' is not a number"),
        (["a=b=c"], "'b=c' is not a number"),
        (["email:5"], "write email=5, or email:5=N"),
        (["a:b:5"], "write a:b=5, or"),
        (["email=0"], "concurrency 0"),
        (["email=-1"], "concurrency -1"),
        ([f"email={MOST_CONCURRENCY + 1}"], "out of range"),
        (["email=5", "email=6"], "queue 'email': named twice"),
        (["email", "email"], "named twice"),
        (["x" * 64], "63"),
    ],
    ids=repr,
)
def test_a_malformed_queue_is_refused_with_the_reason(specs, said):
    with pytest.raises(ConfigurationError) as refused:
        parse_queues(specs, 7)
    assert said in str(refused.value)


def test_two_heartbeats_may_be_lost_before_a_lease_expires():
    settings = WorkerSettings(lease_seconds=30)
    assert settings.heartbeat_seconds * 3 <= settings.lease_seconds
