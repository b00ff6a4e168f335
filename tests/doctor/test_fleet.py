"""Workers, queues, tasks and jobs that wait for what does not come."""

from __future__ import annotations

from jobqueue.store.database import SCHEMA_VERSION
from tests.doctor.visit import Visit


def test_workers_without_a_leader_are_named(visit: Visit):
    visit.worker("default")
    found = visit.problem("leader")
    assert found.what == "none of 1 workers leads"
    with visit.led():
        visit.healed()


def test_a_queue_with_jobs_and_no_worker_is_named(visit: Visit):
    visit.rows(
        "SELECT jobqueue.enqueue_v1('send', queue => 'it''s late') FROM generate_series(1, 3)"
    )
    visit.rows("SELECT jobqueue.enqueue_v1('send', queue => 'served')")
    with visit.led():
        visit.worker("served", tasks="{send}")
        found = visit.problem("queues")
        assert found.what.startswith('queue "it\'s late": 3 jobs wait')
        assert found.remedies == ("jobqueue worker MODULE:NAME --queue 'it'\"'\"'s late'",)
        visit.worker("it's late", tasks="{send}", name="vm:2")
        visit.healed()


def test_a_queue_that_somebody_paused_waits_for_them(visit: Visit):
    visit.rows("SELECT jobqueue.enqueue_v1('send', queue => 'held')")
    with visit.led():
        visit.worker("default")
        assert "no worker serves it" in visit.problem("queues").what
        visit.rows("SELECT jobqueue.pause_v1(queue => 'held')")
        assert visit.problems() == []


def test_workers_that_are_lost_or_drain_serve_nothing(visit: Visit):
    visit.rows("SELECT jobqueue.enqueue_v1('send')")
    with visit.led():
        visit.worker("default", expires="-1 second")
        visit.worker("default", name="vm:2")
        visit.rows("UPDATE jobqueue.workers SET draining = true WHERE name = 'vm:2'")
        assert "no worker serves it" in visit.problem("queues").what


def test_a_task_that_nobody_alive_knows_is_named(visit: Visit):
    visit.rows("SELECT jobqueue.enqueue_v1('renamed') FROM generate_series(1, 4)")
    visit.rows("SELECT jobqueue.enqueue_v1('known')")
    with visit.led():
        visit.worker("default", tasks="{known}")
        # Another has it, but does not serve the queue.
        visit.worker("other", tasks="{renamed}", name="vm:2")
        found = visit.problem("tasks")
        assert found.evidence["task"] == "renamed"
        assert found.evidence["jobs"] == 4
        assert "no worker ever had it" in found.what
        visit.worker("default", tasks="{renamed}", name="vm:3")
        visit.healed()


def test_nothing_is_said_of_tasks_beside_a_worker_that_does_not_say_what_it_has(visit: Visit):
    visit.rows("SELECT jobqueue.enqueue_v1('renamed')")
    with visit.led():
        visit.worker("default", tasks=None)
        assert visit.problems() == []


def test_a_job_that_has_waited_for_very_long_is_named(visit: Visit):
    visit.rows("SELECT jobqueue.enqueue_v1('send', priority => 10)")
    visit.rows("UPDATE jobqueue.jobs SET run_at = now() - interval '2 hours'")
    visit.rows("SELECT jobqueue.enqueue_v1('send') FROM generate_series(1, 3)")
    with visit.led():
        visit.worker("default", tasks="{send}")
        found = visit.problem("waiting")
        assert "its oldest job has waited for 2.0 h, beside 1 workers with 7 slots" in found.what
        visit.rows("DELETE FROM jobqueue.jobs WHERE priority = 10")
        visit.healed()


def test_due_jobs_that_are_not_promoted_are_named(visit: Visit):
    visit.rows("SELECT jobqueue.enqueue_v1('send', delay => '1 hour')")
    visit.rows("UPDATE jobqueue.jobs SET run_at = now() - interval '5 minutes'")
    found = visit.problem("waiting")
    assert "1 jobs are due and were not promoted; the first is 5.0 min late" in found.what
    visit.rows("UPDATE jobqueue.jobs SET run_at = now() + interval '5 minutes'")
    visit.healed()


def test_a_job_that_waits_for_a_key_is_named(visit: Visit):
    visit.rows("SELECT jobqueue.enqueue_v1('send')")
    # As an enqueue leaves it that might not wait for a key, lest two wait for each other.
    visit.rows(
        "UPDATE jobqueue.jobs SET state = 'blocked', enqueued_at = now() - interval '3 minutes', "
        """contested = '{"unique_key": "one", "unique_mode": "skip"}'"""
    )
    found = visit.problem("waiting")
    assert "1 jobs wait, since 3.0 min, for a key that a transaction holds" in found.what
    assert found.evidence["example"] == str(visit.value("SELECT id FROM jobqueue.jobs"))
    visit.rows("SELECT jobqueue.settle_contested(10)")
    visit.worker("default", tasks="{send}")
    with visit.led():
        visit.healed()


def test_a_worker_that_nobody_rescues_is_named(visit: Visit):
    visit.worker("default", expires="-5 minutes", name="gone:1")
    found = visit.problem("waiting")
    assert found.what.startswith("worker gone:1 has been silent for ")
    visit.rows("DELETE FROM jobqueue.workers")
    visit.healed()


def test_schedules_that_do_not_do_what_they_say_are_named(visit: Visit):
    visit.rows(
        "INSERT INTO jobqueue.schedules (name, task, every_seconds) VALUES "
        "('late', 'send', 60), ('broken', 'send', 60), "
        "('unknown', 'gone', 60), ('fine', 'send', 60)"
    )
    visit.rows("UPDATE jobqueue.schedules SET next_at = now() + interval '1 hour'")
    visit.rows(
        "UPDATE jobqueue.schedules SET next_at = now() - interval '1 hour' WHERE name = 'late'"
    )
    visit.rows(
        "UPDATE jobqueue.schedules SET state = 'broken', problem = 'no such day' "
        "WHERE name = 'broken'"
    )
    visit.worker("default", tasks="{send}")
    with visit.led():
        found = {one.evidence["name"]: one.what for _, one in visit.problems()}
        assert found == {
            "broken": "schedule 'broken': cannot be used (no such day)",
            "late": "schedule 'late': its tick is 1.0 h late",
            "unknown": "schedule 'unknown': no worker has its task 'gone'",
        }
        visit.rows("DELETE FROM jobqueue.schedules WHERE name <> 'fine'")
        visit.healed()


def test_a_missing_partition_of_the_history_is_named(visit: Visit):
    visit.rows("SELECT jobqueue.make_history_partitions()")
    assert visit.problems() == []
    partition = visit.value(
        "SELECT 'job_history_' || to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')"
    )
    visit.rows(f"DROP TABLE jobqueue.{partition}")
    found = visit.problem("partitions")
    [day] = found.evidence["days"]
    assert day.replace("-", "") == partition[-8:]
    visit.obey(found)
    visit.healed()


def test_a_schema_that_is_behind_or_ahead_is_named_and_the_rest_is_looked_at(visit: Visit):
    visit.rows("UPDATE jobqueue.schema_version SET version = 1")
    found = visit.problem("schema")
    assert f"schema version 1: older than {SCHEMA_VERSION}" in found.what
    assert found.remedies == ("jobqueue migrate",)
    looked = {result.check for result in visit.report().results}
    assert "snapshots" in looked
    assert "queues" not in looked

    visit.rows("UPDATE jobqueue.schema_version SET version = 99, oldest_supported = 99")
    assert "schema version 99" in visit.problem("schema").what
    visit.rows("UPDATE jobqueue.schema_version SET oldest_supported = 1")
    found = visit.problem("schema")
    assert "ahead" in found.what
    assert found.remedies == ("pip install --upgrade jobqueue",)
    visit.rows(f"UPDATE jobqueue.schema_version SET version = {SCHEMA_VERSION}")
    visit.healed()


def test_a_database_without_the_schema_is_named(empty_database_url: str):
    visit = Visit(empty_database_url)
    try:
        found = visit.problem("schema")
    finally:
        visit.close()
    assert found.what == "schema 'jobqueue': not in this database"
    assert found.remedies == ("jobqueue migrate",)
