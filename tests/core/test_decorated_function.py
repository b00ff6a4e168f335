"""A task is still the function it was."""

from __future__ import annotations

import asyncio
import inspect
import sys

import pytest

from jobqueue import ConfigurationError, JobQueue, Retry, Task, TaskError

jobs = JobQueue()


@jobs.task
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@jobs.task(name="billing.charge", queue="billing", priority="critical", retry=Retry(attempts=9))
async def charge(user_id: int) -> str:
    """Charge a user."""
    return f"charged {user_id}"


def test_calling_a_task_runs_the_function_here_and_now():
    assert add(1) == 3
    assert add(1, b=5) == 6
    assert asyncio.run(charge(7)) == "charged 7"


def test_calling_a_task_checks_nothing_that_the_function_does_not_check():
    assert add("a", "b") == "ab"


def test_a_task_keeps_the_functions_name_docstring_and_signature():
    assert add.__name__ == "add"
    assert add.__doc__ == "Add two numbers."
    assert add.__module__ == __name__
    assert inspect.signature(add) == inspect.signature(add.__wrapped__)
    assert inspect.unwrap(charge) is charge.function


@pytest.mark.skipif(
    sys.version_info < (3, 12), reason="inspect.markcoroutinefunction needs Python 3.12"
)
def test_a_coroutine_function_is_still_one_to_inspect():
    assert inspect.iscoroutinefunction(charge)
    assert not inspect.iscoroutinefunction(add)


def test_a_task_knows_whether_it_is_async():
    assert (add.is_async, charge.is_async) == (False, True)


def test_a_bare_task_has_the_defaults():
    assert add.name == "add"
    assert (add.options.queue, add.options.priority, add.options.max_attempts) == ("default", 5, 5)


def test_a_tasks_options_are_kept():
    assert charge.name == "billing.charge"
    options = charge.options
    assert (options.queue, options.priority, options.max_attempts) == ("billing", 1, 9)


def test_tasks_are_found_by_name_and_cannot_be_changed_from_outside():
    assert set(jobs.tasks) == {"add", "billing.charge"}
    assert isinstance(jobs.tasks["billing.charge"], Task)
    with pytest.raises(TypeError):
        jobs.tasks["x"] = add  # type: ignore[index]


def test_a_name_can_be_taken_only_once():
    other = JobQueue()

    @other.task
    def resize() -> None: ...

    with pytest.raises(TaskError, match="task 'resize': registered twice"):
        other.task(name="resize")(add.function)
    assert other.tasks["resize"] is resize


def test_the_same_function_can_be_a_task_of_two_queues():
    one, two = JobQueue(), JobQueue()
    assert one.task(add.function).name == two.task(add.function).name


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "x" * 201}, "200"),
        ({"name": "a\nb"}, "task 'a\\nb'"),
        ({"queue": ""}, "queue ''"),
        ({"queue": "q" * 64}, "63"),
        ({"priority": "urgent"}, "priority 'urgent'"),
        ({"priority": 40_000}, "priority 40000"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_an_option_of_a_task_that_cannot_be_used_is_refused(options, said):
    with pytest.raises(ConfigurationError) as refused:
        JobQueue().task(**options)(add.function)
    assert said in str(refused.value)


def test_an_option_that_there_is_not_is_told_with_those_there_are():
    with pytest.raises(TypeError) as refused:
        JobQueue().task(retries=3)
    assert "@jobs.task: option 'retries': unknown; use one of name, queue, " in str(refused.value)
    assert ", retry, " in str(refused.value)


def test_a_generator_is_no_task():
    def rows():
        yield 1

    async def pages():
        yield 1

    for generator in (rows, pages):
        with pytest.raises(TaskError, match="generator"):
            JobQueue().task(generator)


def test_a_method_is_no_task_until_it_is_bound():
    jobs = JobQueue()

    class Mailer:
        def send(self, to: str) -> None: ...

        @classmethod
        def check(cls) -> None: ...

        async def fetch() -> None: ...

    with pytest.raises(TaskError, match="task 'send': is a method, and a worker has no object"):
        jobs.task(Mailer.send)
    with pytest.raises(TaskError, match="task 'check': is a classmethod; write a function"):
        jobs.task(vars(Mailer)["check"])
    with pytest.raises(TaskError, match=r"task 'fetch': is a staticmethod; .*above @jobs"):
        jobs.task(staticmethod(Mailer.fetch))
    assert jobs.task(Mailer.fetch).is_async

    def alone(self: str) -> None: ...

    assert jobs.task(alone).name == "alone"


@pytest.mark.parametrize("what", ["queue", 5, Retry(attempts=3)], ids=str)
def test_what_cannot_be_called_is_no_task(what):
    with pytest.raises(TaskError, match="not a function; write @jobs"):
        JobQueue().task(what)


def test_a_method_bound_to_an_object_can_be_a_task():
    class Mailer:
        def send(self, to: str) -> str:
            return f"sent to {to}"

    send = JobQueue().task(Mailer().send)
    assert send("ada") == "sent to ada"
    assert send.signature.bind(("ada",), {}) == {"to": "ada"}


def test_what_a_queue_and_a_task_print_says_what_they_are():
    assert repr(charge) == "<Task 'billing.charge' queue='billing'>"
    assert repr(jobs) == "<JobQueue tasks=['add', 'billing.charge']>"


def test_making_a_queue_and_tasks_needs_no_database(monkeypatch):
    monkeypatch.delenv("JOBQUEUE_DATABASE_URL", raising=False)
    queue = JobQueue()
    queue.task(add.function)
    assert queue.database_url is None
