"""Hooks around an enqueue see it and its end, and change nothing of either."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from typing import Annotated, Any

import psycopg
import pytest

from jobqueue import (
    ArgumentError,
    ConfigurationError,
    Enqueuing,
    JobQueue,
    Secret,
    UnsupportedConnection,
)
from jobqueue.store.database import to_conninfo
from tests.client.books import jobs
from tests.client.kinds import KINDS, Kind

every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)


class Application:
    """A JobQueue with a task, and what its hook saw: before, and after."""

    def __init__(self) -> None:
        self.queue = JobQueue()
        self.seen: list[Any] = []
        self.enqueuing: list[Enqueuing] = []

        @self.queue.task(queue="letters")
        def note(number: int, words: list[str] | None = None, copies: int = 1) -> None: ...

        @self.queue.around_enqueue
        def look(enqueuing: Enqueuing) -> Generator[None, Any, None]:
            self.enqueuing.append(enqueuing)
            self.seen.append("before")
            enqueued = yield
            self.seen.append(enqueued)

        self.note = note


def registered(function: Callable[[Enqueuing], Any]) -> Any:
    """Make a task with this hook around its enqueues."""
    queue = JobQueue()
    queue.around_enqueue(function)

    @queue.task
    def note(number: int, words: list[str] | None = None) -> None: ...

    return note


@every_kind
def test_it_sees_one_job_before_and_after_through_every_connection(
    kind: Kind, database_url: str
) -> None:
    application = Application()

    async def scenario() -> Any:
        async with kind.open(database_url) as connection:
            task = application.note.using(priority="low")
            enqueued = await kind.enqueue(task, connection, number=7)
            await kind.commit(connection)
            return enqueued

    enqueued = asyncio.run(scenario())
    assert application.seen == ["before", enqueued]
    [seen] = application.enqueuing
    assert (seen.task, seen.count) == ("note", 1)
    assert seen.arguments == {"number": 7, "words": None, "copies": 1}
    assert (seen.options.queue, seen.options.priority) == ("letters", 10)
    assert len(jobs(database_url)) == 1


@every_kind
def test_it_sees_many_jobs_once_a_call(kind: Kind, database_url: str) -> None:
    application = Application()
    items = [{"number": number} for number in range(3)]

    async def scenario() -> Any:
        async with kind.open(database_url) as connection:
            many = await kind.enqueue_many(application.note, connection, items)
            assert await kind.enqueue_bulk(application.note, connection, iter(items)) == 3
            await kind.commit(connection)
            return many

    many = asyncio.run(scenario())
    assert application.seen == ["before", many, "before", 3]
    # How many an iterator gives is not known before.
    assert [one.count for one in application.enqueuing] == [3, None]
    assert [dict(one.arguments) for one in application.enqueuing] == [{}, {}]
    assert len(jobs(database_url)) == 6


def test_enqueue_now_is_one_enqueue(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBQUEUE_DATABASE_URL", database_url)
    application = Application()
    first = application.note.enqueue_now(number=1)
    second = asyncio.run(application.note.aenqueue_now(number=2))
    assert application.seen == ["before", first, "before", second]


def test_the_first_registered_is_outermost(connection: psycopg.Connection) -> None:
    order: list[str] = []
    queue = JobQueue()

    @queue.task
    def note() -> None: ...

    for name in ("outer", "inner"):

        def hook(_: Enqueuing, name: str = name) -> Generator[None, Any, None]:
            order.append(f"{name} before")
            yield
            order.append(f"{name} after")

        queue.around_enqueue(hook)
    note.enqueue(connection)
    assert order == ["outer before", "inner before", "inner after", "outer after"]


def test_it_can_change_neither_the_arguments_nor_the_options(
    connection: psycopg.Connection, database_url: str
) -> None:
    refused: list[str] = []

    def meddle(enqueuing: Enqueuing) -> Generator[None, Any, None]:
        for name, value in (("arguments", {}), ("options", None), ("count", 2)):
            try:
                setattr(enqueuing, name, value)
            except AttributeError:
                refused.append(name)
        try:
            enqueuing.arguments["number"] = 8  # type: ignore[index]
        except TypeError:
            refused.append("number")
        enqueuing.arguments["words"].append("smuggled")
        yield

    note = registered(meddle)
    note.enqueue(connection, number=7, words=["mine"])
    connection.commit()
    assert refused == ["arguments", "options", "count", "number"]
    assert [job["args"] for job in jobs(database_url)] == [{"number": 7, "words": ["mine"]}]


def raises_before(_: Enqueuing) -> Generator[None, Any, None]:
    raise ValueError("no tracer there")
    yield


def raises_after(_: Enqueuing) -> Generator[None, Any, None]:
    yield
    raise ValueError("no tracer there")


def does_not_yield(_: Enqueuing) -> Generator[None, Any, None]:
    if _.task == "another":
        yield


def yields_twice(_: Enqueuing) -> Generator[None, Any, None]:
    yield
    yield


MISTAKES = {
    raises_before: "raised ValueError: no tracer there",
    raises_after: "raised ValueError: no tracer there",
    does_not_yield: "did not yield",
    yields_twice: "yielded twice",
}


@pytest.mark.parametrize(("hook", "words"), MISTAKES.items(), ids=lambda one: str(one)[:20])
def test_its_mistakes_are_logged_with_its_name_and_fail_no_enqueue(
    connection: psycopg.Connection,
    database_url: str,
    caplog: pytest.LogCaptureFixture,
    hook: Any,
    words: str,
) -> None:
    note = registered(hook)
    note.enqueue(connection, number=1)
    note.enqueue_many(connection, [{"number": 2}])
    assert note.enqueue_bulk(connection, [{"number": 3}]) == 1
    connection.commit()
    assert len(jobs(database_url)) == 3
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(said) == 3
    for one in said:
        assert one.startswith(f"around_enqueue {hook.__name__!r}, task 'note': {words}")


def test_an_enqueue_that_fails_raises_in_it_and_then_in_the_caller_whatever_it_does(
    connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[type[BaseException]] = []
    queue = JobQueue()

    @queue.task
    def note() -> None: ...

    @queue.around_enqueue
    def replaces(_: Enqueuing) -> Generator[None, Any, None]:
        try:
            yield
        except psycopg.Error as error:
            seen.append(type(error))
            raise KeyError("instead") from error

    @queue.around_enqueue
    def swallows(_: Enqueuing) -> Generator[None, Any, None]:
        try:
            yield
        except psycopg.Error as error:
            seen.append(type(error))

    connection.execute("SET TRANSACTION READ ONLY")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        note.enqueue(connection)
    assert seen == [psycopg.errors.ReadOnlySqlTransaction] * 2
    assert "around_enqueue 'replaces', task 'note': raised KeyError" in caplog.text


def test_arguments_that_do_not_fit_are_refused_before_a_hook_runs(
    connection: psycopg.Connection,
) -> None:
    application = Application()
    with pytest.raises(ArgumentError):
        application.note.enqueue(connection, number="many")  # type: ignore[arg-type]
    assert application.seen == []


def test_an_interrupt_of_the_program_passes_through_a_hook(connection: psycopg.Connection) -> None:
    def interrupted(_: Enqueuing) -> Generator[None, Any, None]:
        yield
        raise KeyboardInterrupt

    note = registered(interrupted)
    with pytest.raises(KeyboardInterrupt):
        note.enqueue(connection, number=1)


def test_secret_arguments_are_there_but_in_no_text(
    connection: psycopg.Connection, caplog: pytest.LogCaptureFixture
) -> None:
    queue = JobQueue()
    texts: list[str] = []

    @queue.task
    def connect(token: Annotated[str, Secret]) -> None: ...

    @queue.around_enqueue
    def careless(enqueuing: Enqueuing) -> Generator[None, Any, None]:
        texts.append(f"{enqueuing}")
        yield
        raise ValueError(f"cannot trace {enqueuing.arguments['token']}")

    connect.enqueue(connection, token="the-secret-itself")
    assert "cannot trace [redacted]" in caplog.text
    assert "the-secret-itself" not in caplog.text + texts[0]


async def is_async(_: Enqueuing) -> Any:
    yield


def test_what_cannot_be_a_hook_is_refused_when_it_is_registered() -> None:
    queue = JobQueue()
    cases: dict[Any, str] = {
        is_async: "around_enqueue 'is_async': is async",
        len: "around_enqueue 'len': is no generator function; write `yield` once",
        (lambda: (yield)): "cannot be called as <lambda>(enqueue)",
    }
    for function, words in cases.items():
        with pytest.raises(ConfigurationError) as caught:
            queue.around_enqueue(function)
        assert words in str(caught.value)


def test_a_connection_of_a_kind_nobody_knows_reaches_no_hook(database_url: str) -> None:
    application = Application()
    with (
        psycopg.connect(to_conninfo(database_url)) as connection,
        pytest.raises(UnsupportedConnection),
    ):
        asyncio.run(application.note.aenqueue(connection, number=1))
    assert application.seen == []
