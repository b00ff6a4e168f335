"""What may be said of a limit, and the keys of jobs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jobqueue import Concurrency, ConfigurationError, JobQueue, RateLimit, TaskError
from jobqueue.core.limits import Flow, named_key
from tests.worker.limits_kept import most_in_a_window


@pytest.mark.parametrize(
    "make",
    [
        lambda: RateLimit("", 5),
        lambda: RateLimit("x" * 201, 5),
        lambda: RateLimit("api", 0),
        lambda: RateLimit("api", -1),
        lambda: RateLimit("api", 1.5),  # pyright: ignore[reportArgumentType]
        lambda: RateLimit("api", True),
        lambda: RateLimit("api", 10**10),
        lambda: RateLimit("api", 5, per=0),
        lambda: RateLimit("api", 5, per=0.01),
        lambda: RateLimit("api", 5, per=float("nan")),
        lambda: RateLimit("api", 5, per=timedelta(days=400)),
        lambda: RateLimit("api", 5, burst=6),
        lambda: RateLimit("api", 5, burst=0),
        lambda: RateLimit("api", 5, key="not an argument"),
        lambda: Concurrency(0),
        lambda: Concurrency(None),
        lambda: Concurrency(2, ordered=True),
        lambda: Concurrency(2, fair=True),
        lambda: Concurrency(2, key="a", fair=True, weights={"b": 0}),
        lambda: Concurrency(2, ahead=0),
        lambda: Concurrency(2, name=""),
    ],
)
def test_what_cannot_be_a_limit_is_refused(make):
    with pytest.raises(ConfigurationError):
        make()


def test_one_a_month_is_a_limit():
    assert RateLimit("api", 1, per=timedelta(days=30)).rule()["per_seconds"] == 2_592_000


def test_a_name_has_one_rule():
    jobs = JobQueue()
    jobs.task(name="one", rate_limit=RateLimit("api", 5))(lambda: None)
    jobs.task(name="two", rate_limit=RateLimit("api", 5))(lambda: None)
    with pytest.raises(ConfigurationError, match="declared as"):
        jobs.task(name="three", rate_limit=RateLimit("api", 6))(lambda: None)


def test_a_name_is_of_a_rate_or_of_a_concurrency_limit():
    jobs = JobQueue()
    jobs.task(name="one", concurrency=Concurrency(1, name="crm"))(lambda: None)
    with pytest.raises(ConfigurationError, match="which is no rate"):
        jobs.task(name="two", rate_limit="crm")(lambda: None)
    jobs.task(name="three", rate_limit="api")(lambda: None)
    with pytest.raises(ConfigurationError, match="is no rate"):
        jobs.task(name="four", concurrency=Concurrency(1, name="api"))(lambda: None)


def test_a_limit_with_a_key_is_declared_before_it_is_named():
    jobs = JobQueue()
    jobs.task(name="one", rate_limit="api")(lambda: None)
    with pytest.raises(ConfigurationError, match="declare it before them"):
        jobs.task(name="two", rate_limit=RateLimit("api", 5, key="tenant"))(lambda tenant: None)


def test_a_key_is_an_argument_of_the_task():
    jobs = JobQueue()
    with pytest.raises(TaskError, match="'tenant' of its limit is not among its arguments"):

        @jobs.task(concurrency=Concurrency(1, key="tenant"))
        def work(customer: int) -> None: ...


@pytest.mark.parametrize("options", [{"concurrency_key": "a"}, {"weight": 2}])
def test_an_option_of_a_limit_needs_the_limit(options):
    task = JobQueue().task(name="work")(lambda: None)
    with pytest.raises(ConfigurationError, match="the task is under no"):
        task.using(**options)


def test_keys_are_text_of_any_value_and_no_value_is_that_of_no_key():
    flow = Flow("limit", "a", "rate", "b")
    assert flow.keys({"a": 7, "b": {"x": 1}}) == ("7", '{"x":1}')
    assert flow.keys({"a": "", "b": None}) == ("''", "null")
    assert Flow("limit").keys({"a": 7}) == ("", "")


def test_long_keys_stay_apart():
    one, other = named_key("x" * 1_000 + "a"), named_key("x" * 1_000 + "b")
    assert one != other
    assert len(one) < 300


def test_the_checker_counts_half_open_windows():
    assert most_in_a_window([(0.0, 1), (0.4, 1), (1.0, 1)], 1.0) == 2
    assert most_in_a_window([(0.0, 1), (0.4, 1), (0.999, 3)], 1.0) == 5
