"""Enqueuing from plain SQL: what any language and any trigger uses."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import psycopg
import pytest

from jobqueue.store import maintenance, workers
from tests.store.steps import do, enqueue_many, enter_task, show, states


def enqueue_v1(connection: psycopg.Connection, arguments: str) -> tuple[str, str]:
    row = connection.execute(
        f"SELECT job_id::text, outcome FROM jobqueue.enqueue_v1({arguments})".encode()
    ).fetchone()
    assert row is not None
    return row


def register_task(connection: psycopg.Connection, **fields: object) -> None:
    do(connection, workers.register_tasks(json.dumps([fields])))


def test_a_task_name_and_arguments_are_all_it_takes(session):
    job_id, outcome = enqueue_v1(session, """'send_welcome', '{"user_id": 42}'""")
    job = show(session, job_id)
    assert outcome == "inserted"
    assert job.args == {"user_id": "[redacted]"}, "which of them are secret nobody knows yet"
    enter_task(session, "send_welcome")
    assert show(session, job_id).args == {"user_id": 42}
    assert (job.task, job.state) == ("send_welcome", "available")
    assert (job.queue, job.priority, job.max_attempts, job.attempt) == ("default", 5, 5, 0)
    assert job.run_at == job.enqueued_at
    assert (job.errors, job.started_at, job.finished_at, job.worker_id) == (None,) * 4


def test_arguments_may_be_left_out(session):
    job_id, _ = enqueue_v1(session, "'tick'")
    assert show(session, job_id).args == {}


def test_the_tasks_own_defaults_are_used_once_a_worker_has_noted_them(session):
    register_task(session, name="bill", queue="billing", priority=1, max_attempts=9)
    job = show(session, enqueue_v1(session, "'bill'")[0])
    assert (job.queue, job.priority, job.max_attempts) == ("billing", 1, 9)


def test_what_is_given_counts_over_the_tasks_defaults(session):
    register_task(session, name="bill", queue="billing", priority=1, max_attempts=9)
    job = show(session, enqueue_v1(session, "'bill', queue => 'other', max_attempts => 2")[0])
    assert (job.queue, job.priority, job.max_attempts) == ("other", 1, 2)


def test_a_task_that_is_registered_again_has_its_new_defaults(session):
    for queue in ("old", "new"):
        register_task(session, name="bill", queue=queue, priority=1, max_attempts=9)
    assert show(session, enqueue_v1(session, "'bill'")[0]).queue == "new"


@pytest.mark.parametrize(
    ("when", "state"),
    [
        ("delay => '5 minutes'", "scheduled"),
        ("delay => '0 seconds'", "available"),
        ("delay => '-5 minutes'", "available"),
        ("run_at => now() + interval '1 day'", "scheduled"),
        ("run_at => now() - interval '1 day'", "available"),
        ("run_at => NULL, delay => NULL", "available"),
    ],
)
def test_a_job_is_scheduled_if_it_is_due_later_and_available_if_not(session, when, state):
    assert show(session, enqueue_v1(session, f"'t', {when}")[0]).state == state


def test_a_delay_counts_from_the_enqueue(session):
    job = show(session, enqueue_v1(session, "'t', delay => '5 minutes'")[0])
    assert job.run_at - job.enqueued_at == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("''", "task '': a name has 1 to 200 characters"),
        ("NULL", "task NULL: a name has 1 to 200 characters"),
        ("repeat('x', 201)", "1 to 200 characters"),
        ("'t', '[]'", "args of job 1: a JSON array, not an object"),
        ("'t', '5'", "args of job 1: a JSON number, not an object"),
        ("'t', 'null'", "args of job 1: a JSON null, not an object"),
        ("'t', NULL", "args of job 1: a JSON NULL, not an object"),
        ("'t', queue => ''", "queue '': a name has 1 to 63 characters"),
        ("'t', queue => repeat('q', 64)", "1 to 63 characters"),
        ("'t', priority => 32768", "priority 32768: not between -32768 and 32767"),
        ("'t', priority => -32769", "priority -32769: not between"),
        ("'t', max_attempts => 0", "max_attempts 0: not between 1 and 32767"),
        ("'t', max_attempts => 32768", "max_attempts 32768: not between"),
        ("'t', run_at => now(), delay => '1 s'", "run_at and delay: both given; give one"),
        (
            "'t', jsonb_build_object('x', repeat('y', 20000000))",
            "; store the data in a table and enqueue its key",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_so_that_it_can_be_mended_at_the_prompt(
    session, arguments, said
):
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        enqueue_v1(session, arguments)
    assert said in str(refused.value)
    assert states(session) == {}


@pytest.mark.parametrize("value", ["-32768", "32767"])
def test_the_ends_of_the_range_of_priorities_are_accepted(session, value):
    assert show(session, enqueue_v1(session, f"'t', priority => {value}")[0]).priority == int(value)


def test_many_jobs_are_enqueued_in_one_statement(session):
    rows = session.execute(
        """SELECT job_id::text, outcome FROM jobqueue.enqueue_many_v1(
               't', (SELECT jsonb_agg(jsonb_build_object('n', n)) FROM generate_series(1, 5) AS n),
               queue => 'q')"""
    ).fetchall()
    enter_task(session, "t")
    assert [show(session, job_id).args for job_id, _ in rows] == [{"n": n} for n in range(1, 6)]
    assert {outcome for _, outcome in rows} == {"inserted"}
    assert {show(session, job_id).queue for job_id, _ in rows} == {"q"}


def test_no_jobs_at_all_are_no_error(session):
    assert session.execute("SELECT * FROM jobqueue.enqueue_many_v1('t', '[]')").fetchall() == []


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ("'{}'", "args: not a JSON array of objects"),
        ("""'[{}, 5, {}]'""", "args of job 2: a JSON number"),
        *(
            (
                f"'[{{}}, {{}}]', {arrays}",
                "ids, idempotency_keys, unique_keys: not one for each of 2 jobs",
            )
            for arrays in (
                "ids => ARRAY[gen_random_uuid()]",
                "idempotency_keys => ARRAY['a', 'b', 'c']",
                "unique_keys => ARRAY['a']",
            )
        ),
    ],
)
def test_many_are_refused_together(session, args, said):
    with pytest.raises(psycopg.errors.InvalidParameterValue) as refused:
        session.execute(f"SELECT * FROM jobqueue.enqueue_many_v1('t', {args})".encode())
    assert said in str(refused.value)
    assert states(session) == {}


def test_ids_of_many_are_kept_and_those_that_are_there_are_met(session):
    call = """SELECT job_id::text, outcome
              FROM jobqueue.enqueue_many_v1('t', '[{"n": 1}, {"n": 2}]', ids => %s::uuid[])"""
    one, two, three = (f"00000000-0000-7000-8000-00000000000{n}" for n in (1, 2, 3))
    first = session.execute(call, [[one, two]]).fetchall()
    assert first == [(one, "inserted"), (two, "inserted")]
    assert session.execute(call, [[three, one]]).fetchall() == [(three, "inserted"), (one, "met")]
    enter_task(session, "t")
    assert [show(session, job_id).args["n"] for job_id in (one, two, three)] == [1, 2, 1]


def test_many_of_nothing_is_nothing(session):
    # jsonb_agg gives NULL where there are no rows.
    query = (
        "SELECT * FROM jobqueue.enqueue_many_v1('t', (SELECT jsonb_agg('{}'::jsonb) WHERE false))"
    )
    assert session.execute(query).fetchall() == []
    assert states(session) == {}


def test_a_trigger_can_enqueue(session):
    session.execute(
        """CREATE TABLE people (id integer);
           CREATE FUNCTION welcome() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
               PERFORM jobqueue.enqueue_v1('welcome', jsonb_build_object('id', NEW.id));
               RETURN NEW;
           END $$;
           CREATE TRIGGER welcome AFTER INSERT ON people
               FOR EACH ROW EXECUTE FUNCTION welcome()"""
    )
    try:
        session.execute("INSERT INTO people VALUES (1), (2)")
        assert states(session) == {"available": 2}
    finally:
        session.execute("DROP TABLE people; DROP FUNCTION welcome")


def test_a_role_whose_search_path_holds_traps_enqueues_all_the_same(session):
    session.execute(
        """CREATE SCHEMA trap;
           CREATE FUNCTION trap.now() RETURNS timestamptz
               LANGUAGE sql AS $$ SELECT timestamptz 'infinity' $$;
           CREATE FUNCTION trap.clock_timestamp() RETURNS timestamptz
               LANGUAGE sql AS $$ SELECT timestamptz '-infinity' $$;
           SET search_path = trap, pg_catalog"""
    )
    try:
        job = show(session, enqueue_v1(session, "'t', delay => '1 hour'")[0])
        assert job.state == "scheduled"
        assert job.run_at - job.enqueued_at == timedelta(hours=1)
    finally:
        session.execute("DROP SCHEMA trap CASCADE")


def test_ids_are_of_version_7_and_in_the_order_of_enqueue(session):
    ids = enqueue_many(session, 1_000)
    assert {(one.version, one.variant) for one in ids} == {(7, "specified in RFC 4122")}
    assert all(earlier < later for earlier, later in pairwise(ids))
    enter_task(session)
    assert [show(session, one).args["n"] for one in (ids[0], ids[500], ids[999])] == [0, 500, 999]


def test_ids_of_one_statement_come_after_those_of_the_one_before(session):
    assert max(enqueue_many(session, 50)) < min(enqueue_many(session, 50))


def test_an_id_carries_the_time_of_its_enqueue(session):
    [job_id] = enqueue_many(session, 1)
    milliseconds = job_id.int >> 80
    assert abs(milliseconds / 1000 - show(session, job_id).enqueued_at.timestamp()) < 0.1


# Timeouts -------------------------------------------------------------------------------------


def timeout_of(session: psycopg.Connection, job_id: str) -> float | None:
    return show(session, job_id).timeout_seconds


@pytest.mark.parametrize(
    "how",
    [
        "",
        ", delay => '1 h'",
        ", id => '01980000-0000-7000-8000-000000000000'",
        ", idempotency_key => 'k'",
        ", unique_key => 'u'",
        ", unique_key => 'u', unique_mode => 'replace'",
    ],
)
def test_a_job_has_the_timeout_it_was_enqueued_with_in_whatever_way(session, how):
    job_id, _ = enqueue_v1(session, f"'t', timeout => '1500 ms'{how}")
    assert timeout_of(session, job_id) == 1.5
    other, _ = enqueue_v1(session, "'t'")
    assert timeout_of(session, other) is None


def test_many_jobs_have_the_timeout_they_were_enqueued_with(session):
    for keys in ("", ", unique_keys => '{a,b}'"):
        rows = session.execute(
            "SELECT job_id FROM jobqueue.enqueue_many_v1('t', '[{}, {}]', "
            f"timeout => '2 s'{keys})".encode()
        ).fetchall()
        assert [timeout_of(session, job_id) for (job_id,) in rows] == [2, 2]


def test_a_job_that_is_met_keeps_its_timeout_and_one_that_is_replaced_takes_the_new_one(session):
    job_id, _ = enqueue_v1(session, "'t', unique_key => 'u', timeout => '1 s'")
    for ask, outcome, seconds in (
        ("timeout => '2 s'", "met", 1),
        ("timeout => '3 s', unique_mode => 'replace'", "replaced", 3),
        ("unique_mode => 'replace'", "replaced", None),
    ):
        assert enqueue_v1(session, f"'t', unique_key => 'u', {ask}") == (job_id, outcome)
        assert timeout_of(session, job_id) == seconds


def test_a_job_whose_key_was_contested_keeps_its_timeout_when_it_is_settled(session):
    with session.transaction():
        session.execute("SELECT set_config('jobqueue.keys_taken', '500', true)")
        job_id, _ = enqueue_v1(session, "'t', unique_key => 'u', timeout => '4 s'")
    assert show(session, job_id).state == "blocked"
    assert do(session, maintenance.settle(10)) == [1]
    assert (show(session, job_id).state, timeout_of(session, job_id)) == ("available", 4)


@pytest.mark.parametrize("timeout", ["0", "-1 s", "1 microsecond", "2000 years"])
@pytest.mark.parametrize(
    "call", ["enqueue_v1('t', timeout => '{}')", "enqueue_many_v1('t', '[{{}}]', timeout => '{}')"]
)
def test_a_timeout_within_which_nothing_can_be_done_is_refused(session, call, timeout):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="not between 1 ms and 1,000"):
        session.execute(f"SELECT jobqueue.{call.format(timeout)}".encode())
    assert states(session) == {}
