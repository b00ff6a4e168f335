"""What becomes of ticks that are due: late or missed, overlapping, counted, put off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobqueue.core.schedules import tick_id
from jobqueue.core.schedules.plan import MOST_RECORDED, Due, Plan, plan
from jobqueue.core.schedules.rule import Rule

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTELY = Rule(every_seconds=60)


def due(**changes: object) -> Due:
    fields: dict = {"id": 1, "revision": 1, "rule": MINUTELY, "next_at": NOON, "counts_from": NOON}
    return Due(**{**fields, **changes})


def told(plan: Plan) -> list[str]:
    """Give minutes after noon and what becomes of each tick; `+` marks a catch-up."""
    return [
        f"{(tick.at - NOON) // timedelta(minutes=1)} {tick.state}{'+' * tick.catch_up}"
        for tick in plan.ticks
    ]


def minutes(number: float) -> datetime:
    return NOON + timedelta(minutes=number)


def test_a_tick_in_time_is_enqueued_and_the_next_is_found():
    done = plan(due(), NOON + timedelta(milliseconds=20))
    assert told(done) == ["0 enqueued"]
    assert done.next_at == minutes(1)


def test_before_its_time_nothing_happens():
    done = plan(due(), NOON - timedelta(seconds=1))
    assert (told(done), done.next_at) == ([], NOON)


def test_one_that_is_not_planned_yet_begins_after_its_rule_was_changed():
    done = plan(due(next_at=None, counts_from=minutes(0.5)), minutes(0.6))
    assert (told(done), done.next_at) == ([], minutes(1))
    late = plan(due(next_at=None, counts_from=minutes(0.5)), minutes(1.2))
    assert told(late) == ["1 enqueued"]


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", ["0 missed", "1 missed", "2 missed", "3 enqueued"]),
        ("once", ["0 missed", "1 missed", "2 missed", "3 enqueued"]),
        ("all", ["0 enqueued+", "1 enqueued+", "2 enqueued+", "3 enqueued"]),
    ],
)
def test_missed_ticks_before_one_in_time(missed, expected):
    assert told(plan(due(missed=missed, missed_after_seconds=30), minutes(3.1))) == expected


@pytest.mark.parametrize(
    ("missed", "expected"),
    [
        ("skip", ["0 missed", "1 missed", "2 missed"]),
        ("once", ["0 missed", "1 missed", "2 enqueued+"]),
        ("all", ["0 enqueued+", "1 enqueued+", "2 enqueued+"]),
    ],
)
def test_missed_ticks_alone(missed, expected):
    done = plan(due(missed=missed, missed_after_seconds=20), minutes(2.9))
    assert told(done) == expected
    assert done.next_at == minutes(3)


def test_ticks_that_are_late_and_not_missed_all_have_their_job():
    assert told(plan(due(missed="skip", missed_after_seconds=600), minutes(3.1))) == [
        "0 enqueued", "1 enqueued", "2 enqueued", "3 enqueued",
    ]  # fmt: skip


def test_of_all_there_are_so_many_at_most_and_the_others_are_recorded():
    done = plan(due(missed="all", missed_limit=2, missed_after_seconds=20), minutes(4.9))
    assert told(done) == [
        "0 missed", "1 missed", "2 missed", "3 enqueued+", "4 enqueued+",
    ]  # fmt: skip


def test_after_a_long_outage_only_the_latest_are_recorded():
    done = plan(due(rule=Rule(every_seconds=1)), NOON + timedelta(days=30))
    assert len([tick for tick in done.ticks if tick.state == "missed"]) == MOST_RECORDED
    assert len([tick for tick in done.ticks if tick.state == "enqueued"]) == 61


@pytest.mark.parametrize(
    ("overlap", "open_", "waiting", "expected"),
    [
        ("allow", True, True, ["0 enqueued", "1 enqueued", "2 enqueued"]),
        ("skip", True, False, ["0 skipped", "1 skipped", "2 skipped"]),
        ("skip", False, False, ["0 enqueued", "1 skipped", "2 skipped"]),
        ("queue", True, False, ["0 waiting", "1 skipped", "2 skipped"]),
        ("queue", False, False, ["0 enqueued", "1 waiting", "2 skipped"]),
        ("queue", True, True, ["0 skipped", "1 skipped", "2 skipped"]),
        ("queue", False, True, ["0 skipped", "1 skipped", "2 skipped"]),
    ],
)
def test_overlap(overlap, open_, waiting, expected):
    done = plan(
        due(overlap=overlap, open=open_, waiting=waiting, missed_after_seconds=600), minutes(2.1)
    )
    assert told(done) == expected


def test_after_as_many_jobs_as_it_may_have_none_is_left():
    done = plan(due(max_runs=5, runs=3, missed_after_seconds=600), minutes(3.1))
    assert (told(done), done.next_at) == (["0 enqueued", "1 enqueued"], None)


def test_what_is_skipped_does_not_count():
    done = plan(due(max_runs=1, overlap="skip", open=True), minutes(0.1))
    assert (told(done), done.next_at) == (["0 skipped"], minutes(1))


def test_a_moment_and_an_end_leave_nothing():
    assert plan(due(rule=Rule(at=NOON)), minutes(0.1)).next_at is None
    ended = plan(due(rule=Rule(every_seconds=60, ends_at=minutes(1))), minutes(1.1))
    assert (told(ended)[-1], ended.next_at) == ("1 enqueued", None)


def test_a_moment_before_the_schedule_was_made_never_comes():
    late = plan(due(rule=Rule(at=NOON), next_at=None, counts_from=minutes(1)), minutes(2))
    assert late == Plan([], None)


def test_jitter_is_within_its_bounds_spread_and_the_same_whoever_asks():
    delays = [
        plan(due(id=number, jitter_seconds=10), NOON).ticks[0].delay_seconds
        for number in range(200)
    ]
    assert delays == [
        plan(due(id=number, jitter_seconds=10), NOON).ticks[0].delay_seconds
        for number in range(200)
    ]
    assert 0 <= min(delays) < 2
    assert 8 < max(delays) < 10


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 500), min_size=1, max_size=20),
    st.sampled_from(["skip", "once", "all"]),
    st.sampled_from(["allow", "skip", "queue"]),
)
def test_however_often_one_looks_each_tick_is_decided_about_once(pauses, missed, overlap):
    now, next_at, seen = NOON, NOON, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        done = plan(
            due(next_at=next_at, missed=missed, overlap=overlap, missed_after_seconds=100), now
        )
        assert done.next_at is not None
        assert done.next_at > now
        seen += [tick.at for tick in done.ticks]
        next_at = done.next_at
    assert seen == [minutes(number) for number in range(len(seen))]
    assert next_at == minutes(len(seen))


def test_other_ids_are_of_no_tick():
    for job_id in (uuid4(), UUID(int=0), UUID("0198c0de-0000-8000-8000-000000000000")):
        assert tick_id.scheduled_for(job_id) is None
        assert not tick_id.is_catch_up(job_id)
