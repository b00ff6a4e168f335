"""What each role may do, done: through every kind of connection, by every command, by a worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy.engine import make_url

from jobqueue import Constant, JobQueue, Retry, Unique, current_job
from jobqueue.store.grants import Purpose
from tests.cli.shell import Shell
from tests.client.kinds import KINDS, Kind
from tests.security.bystanders import Bystanders
from tests.security.settings import known
from tests.store.roles import connected_as, role
from tests.store.steps import states
from tests.waiting import auntil
from tests.worker.books import Books
from tests.worker.playing import play, running

ALL = list(Purpose)


def url_of(url: str, name: str) -> str:
    """Give `url` for role `name`, still as a URL: not every library takes anything else."""
    given = make_url(url).set(username=name, password=None)
    return given.render_as_string(hide_password=False)


def application() -> JobQueue:
    jobs = JobQueue()

    @jobs.task(retry=Retry(attempts=2, backoff=Constant(0.01)))
    def work(n: int = 0) -> None:
        if n < 0:
            raise ValueError("less than nothing")

    @jobs.task
    async def effect(n: int = 0) -> None:
        async with current_job().transaction() as connection:
            await connection.execute("SELECT 1")

    return jobs


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_role_for_enqueuing_enqueues_through_every_kind_of_connection(
    owner: psycopg.Connection, database_url: str, kind: Kind
) -> None:
    work = application().tasks["work"]
    once = work.using(idempotency_key="once", unique=Unique.debounce("one", delay=5, longest=60))

    async def scenario(url: str) -> list[str]:
        async with kind.open(url) as connection:
            outcomes = [(await kind.enqueue(work, connection, n=1)).outcome]
            outcomes += [one.outcome for one in await kind.enqueue_many(work, connection, [{}, {}])]
            outcomes += [(await kind.enqueue(once, connection)).outcome for _ in range(2)]
            assert await kind.enqueue_bulk(work, connection, ({"n": n} for n in range(300))) == 300
            await kind.commit(connection)
        return outcomes

    with role(database_url, Purpose.ENQUEUE) as name:
        done = play(scenario(url_of(database_url, name)))
    assert done == ["inserted", "inserted", "inserted", "inserted", "met"]
    assert states(owner) == {"available": 303, "scheduled": 1}


UNIQUE: list[Callable[[str], Unique]] = [
    Unique.skip,
    Unique.replace,
    lambda key: Unique.debounce(key, delay=1, longest=5),
    lambda key: Unique.throttle(key, window=5),
]


def test_a_role_for_enqueuing_may_use_every_mode_of_keys_also_where_they_are_contested(
    database_url: str, owner: psycopg.Connection
) -> None:
    work = application().tasks["work"]
    with connected_as(database_url, Purpose.ENQUEUE) as enqueuer:
        for number, make in enumerate(UNIQUE):
            keyed = work.using(unique=make(f"key {number}"), idempotency_retention=60)
            with enqueuer.transaction():
                assert keyed.enqueue(enqueuer).outcome == "inserted"
            with enqueuer.transaction():
                # As if it held all the keys it may: what it cannot decide is left to the leader.
                enqueuer.execute("SELECT set_config('jobqueue.keys_taken', '500', true)")
                assert keyed.enqueue(enqueuer, n=1).outcome in {"inserted", "met"}
    assert states(owner)["blocked"] == len(UNIQUE) - 1
    with connected_as(database_url, Purpose.WORKER) as leader:
        [(settled,)] = leader.execute("SELECT jobqueue.settle_contested(100)").fetchall()
    assert settled == len(UNIQUE) - 1
    assert "blocked" not in states(owner)


def test_what_the_worker_role_runs_from_the_first_claim_to_the_last_duty(
    database_url: str,
) -> None:
    jobs = application()
    books = Books(database_url)
    with role(database_url, Purpose.WORKER) as name, role(database_url, Purpose.ENQUEUE) as other:
        with psycopg.connect(url_of(database_url, other), autocommit=True) as enqueuer:
            good = jobs.tasks["work"].using(delay=timedelta(milliseconds=50)).enqueue(enqueuer)
            effect = jobs.tasks["effect"].enqueue(enqueuer)
            bad = jobs.tasks["work"].enqueue(enqueuer, n=-1)
            jobs.tasks["work"].using(unique=Unique.skip("k")).enqueue(enqueuer)
            with enqueuer.transaction():
                enqueuer.execute("SELECT set_config('jobqueue.keys_taken', '500', true)")
                contested = jobs.tasks["work"].using(idempotency_key="c").enqueue(enqueuer)

        async def scenario() -> None:
            async with running(jobs, url_of(database_url, name)):
                await auntil(lambda: books.unfinished() == 0, what="every job ends")

        play(scenario())
        # COPY as well: a worker may enqueue more work.
        with psycopg.connect(url_of(database_url, name), autocommit=True) as worker:
            assert jobs.tasks["work"].enqueue_bulk(worker, ({} for _ in range(10))) == 10
    assert {books.state(job) for job in (good, effect, contested)} == {"completed"}
    assert books.state(bad) == "dead"
    assert books.states() == {"completed": 4, "dead": 1, "available": 10}
    assert books.value("SELECT count(*) FROM jobqueue.workers") == 0
    books.close()


# Each command, and the exit code it ends with for a role of each purpose.
COMMANDS: list[tuple[list[str], dict[Purpose, int]]] = [
    (["enqueue", "work"], {Purpose.ENQUEUE: 0, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["stats"], {Purpose.ENQUEUE: 1, Purpose.READ: 0, Purpose.WORKER: 0}),
    (["jobs", "list"], {Purpose.ENQUEUE: 1, Purpose.READ: 0, Purpose.WORKER: 0}),
    (["jobs", "show", "AVAILABLE"], {Purpose.ENQUEUE: 1, Purpose.READ: 0, Purpose.WORKER: 0}),
    (["jobs", "cancel", "AVAILABLE"], {Purpose.ENQUEUE: 1, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["jobs", "retry", "DEAD"], {Purpose.ENQUEUE: 1, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["dead", "list"], {Purpose.ENQUEUE: 1, Purpose.READ: 0, Purpose.WORKER: 0}),
    (["dead", "show", "DEAD"], {Purpose.ENQUEUE: 1, Purpose.READ: 0, Purpose.WORKER: 0}),
    (["dead", "edit", "DEAD", "{}"], {Purpose.ENQUEUE: 1, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["dead", "redrive", "--all"], {Purpose.ENQUEUE: 1, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["dead", "redrive", "DEAD"], {Purpose.ENQUEUE: 1, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["dead", "purge", "--all", "--yes"], {Purpose.ENQUEUE: 1, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["dead", "purge", "DEAD", "--yes"], {Purpose.ENQUEUE: 1, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["migrate", "--check"], {Purpose.ENQUEUE: 1, Purpose.READ: 1, Purpose.WORKER: 0}),
    (["migrate", "--downgrade-to", "base", "--yes"], dict.fromkeys(ALL, 1)),
]  # fmt: skip


@pytest.mark.parametrize(("command", "codes"), COMMANDS)
def test_a_command_does_what_the_role_may_and_says_what_it_may_not(
    shell: Shell, owner: psycopg.Connection, command: list[str], codes: dict[Purpose, int]
) -> None:
    bystanders = Bystanders(owner)
    database_url = str(shell.url)
    for purpose, code in codes.items():
        [(available,)] = owner.execute("SELECT job_id FROM jobqueue.enqueue_v1('work')").fetchall()
        with closing(Books(database_url)) as books:
            buried = books.bury("work")
        named = {"AVAILABLE": str(available), "DEAD": str(buried)}
        arguments = [named.get(word, word) for word in command]
        before = bystanders.digest(owner)
        with role(database_url, purpose) as name:
            done = shell.quick(*arguments, url=url_of(database_url, name))
        assert done.returncode == code, (purpose, done.stderr)
        if code:
            assert "permission denied" in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1
            assert bystanders.digest(owner) == before
            assert {"available", "dead"} <= states(owner).keys()


@pytest.mark.parametrize(
    "purpose",
    [
        Purpose.ENQUEUE,
        Purpose.READ,
        pytest.param(Purpose.WORKER, marks=known("grants of nothing")),
    ],
)
def test_whoever_has_no_right_to_give_is_not_told_that_it_was_given(
    shell: Shell, database_url: str, purpose: Purpose
) -> None:
    with role(database_url, None) as other, role(database_url, purpose) as name:
        grants = ["grants", "--role", other, "--for", "worker", "--run"]
        done = shell.quick(*grants, url=url_of(database_url, name))
    assert done.returncode == 1, done.stdout


def test_a_worker_under_a_role_that_may_not_work_says_so_and_ends(
    shell: Shell, database_url: str
) -> None:
    for purpose in (Purpose.ENQUEUE, Purpose.READ):
        with role(database_url, purpose) as name:
            done = shell.run("worker", "shop:jobs", url=url_of(database_url, name))
        assert done.returncode == 1
        assert "permission denied" in done.stderr.strip().splitlines()[-1]
        assert "Traceback" not in done.stderr


def test_a_reader_is_shown_jobs_of_every_state_with_what_is_secret_hidden(
    shell: Shell, owner: psycopg.Connection, database_url: str
) -> None:
    Bystanders(owner)
    for secret in ("jobs", "dead_letters", "job_history"):
        owner.execute(
            f"UPDATE jobqueue.{secret} SET task = 'known', args = %s".encode(),
            [json.dumps({"pin": "hunter2", "n": 1})],
        )
    with role(database_url, Purpose.READ) as name:
        url = url_of(database_url, name)
        shown = shell.quick("jobs", "list", "--json", url=url)
    listed = json.loads(shown.stdout)
    assert {one["state"] for one in listed} >= {
        *("available", "scheduled", "running", "blocked", "completed", "cancelled", "dead"),
    }
    assert {json.dumps(one["args"]) for one in listed} == {'{"n": 1, "pin": "[redacted]"}'}


def test_enqueue_now_serves_a_role_for_enqueuing(database_url: str) -> None:
    with role(database_url, Purpose.ENQUEUE) as name:
        jobs = JobQueue(url_of(database_url, name))

        @jobs.task
        def tick() -> None: ...

        assert tick.enqueue_now().outcome == "inserted"
        assert asyncio.run(tick.aenqueue_now()).outcome == "inserted"
        with jobs.transaction() as connection:
            assert tick.enqueue(connection).outcome == "inserted"
