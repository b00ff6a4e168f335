"""What `@jobs.task(...)` takes to say how its jobs run."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobqueue import ConfigurationError, JobQueue
from jobqueue.core.pools import choose_pool


def plain() -> int:
    return 1


async def coroutine() -> int:
    return 1


@pytest.mark.parametrize(
    ("function", "asked", "pool"),
    [
        (plain, None, "thread"),
        (plain, "thread", "thread"),
        (plain, "process", "process"),
        (coroutine, None, "async"),
        (coroutine, "async", "async"),
        (coroutine, "process", "process"),
    ],
)
def test_a_task_runs_in_the_pool_it_asks_for_or_that_suits_its_function(function, asked, pool):
    task = JobQueue().task(name="t", pool=asked)(function)
    assert task.pool == pool
    assert task.using(queue="other").pool == pool


@pytest.mark.parametrize(
    ("function", "asked", "said"),
    [
        (plain, "async", "pool 'async' of task 't': its function is plain"),
        (coroutine, "thread", "pool 'thread' of task 't': its function is async def"),
        (
            plain,
            "threads",
            "pool 'threads' of task 't': unknown; use one of async, thread, process",
        ),
        (plain, 5, "pool 5 of task 't': unknown"),
    ],
)
def test_a_pool_in_which_the_function_cannot_run_is_refused(function, asked, said):
    jobs = JobQueue()
    with pytest.raises(ConfigurationError, match=said):
        jobs.task(name="t", pool=asked)(function)
    assert jobs.tasks == {}


def test_the_kind_of_function_decides_where_nothing_is_said():
    assert choose_pool(None, task="t", is_coroutine=True) == "async"
    assert choose_pool(None, task="t", is_coroutine=False) == "thread"


@pytest.mark.parametrize(
    ("timeout", "seconds"), [(None, None), (30, 30), ("30s", 30), (timedelta(minutes=1), 60)]
)
def test_a_timeout_is_kept_in_seconds_and_is_of_the_task_not_of_its_jobs(timeout, seconds):
    task = JobQueue().task(timeout=timeout)(plain)
    assert task.timeout == seconds
    assert task.options.timeout_seconds is None
    other = task.using(timeout=5)
    assert (other.timeout, other.options.timeout_seconds) == (seconds, 5)


@pytest.mark.parametrize("timeout", [0, -1, "soon", True, float("nan"), object()])
def test_a_timeout_that_is_none_is_refused(timeout):
    with pytest.raises(ConfigurationError, match="timeout"):
        JobQueue().task(timeout=timeout)


def test_a_task_keeps_results_when_it_says_so():
    assert JobQueue().task(returns=True)(plain).returns
    assert not JobQueue().task(plain).returns


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"returns": True, "history": False}, "results are kept in the history; drop one of them"),
        ({"returns": 1}, "returns 1: wrong type; give True or False"),
    ],
)
def test_results_that_could_not_be_kept_are_refused(options, said):
    with pytest.raises(ConfigurationError, match=said):
        JobQueue().task(**options)
