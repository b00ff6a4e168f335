"""What `.using(...)` takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from jobqueue import ConfigurationError, JobQueue, Priority
from jobqueue.core.options import EnqueueOptions

ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
NAIVE = NOON.replace(tzinfo=None)


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({}, {}),
        ({"queue": "email"}, {"queue": "email"}),
        ({"priority": Priority.LOW}, {"priority": 10}),
        ({"priority": "critical"}, {"priority": 1}),
        ({"priority": -3}, {"priority": -3}),
        ({"attempts": 1}, {"max_attempts": 1}),
        ({"delay": 90}, {"delay_seconds": 90}),
        ({"delay": timedelta(minutes=2)}, {"delay_seconds": 120}),
        ({"run_at": NOON}, {"run_at": NOON}),
        (
            {"run_at": NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))},
            {"run_at": NOON},
        ),
        ({"job_id": ID}, {"job_id": ID}),
        ({"timeout": 0.5}, {"timeout_seconds": 0.5}),
        ({"timeout": "30s"}, {"timeout_seconds": 30}),
        ({"timeout": "1.5m"}, {"timeout_seconds": 90}),
        ({"timeout": timedelta(hours=1)}, {"timeout_seconds": 3600}),
        ({"queue": "q", "attempts": 9}, {"queue": "q", "max_attempts": 9}),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_an_option_changes_what_it_says_and_nothing_else(options, changed):
    assert EnqueueOptions().using(options) == EnqueueOptions(**changed)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"queu": "email"}, "option 'queu': unknown"),
        ({"max_attempts": 3}, "option 'max_attempts': unknown"),
        ({"queue": ""}, "queue '': "),
        ({"queue": 5}, "option queue 5: wrong type; give str"),
        ({"queue": None}, "option queue None: wrong type"),
        ({"priority": "urgent"}, "priority 'urgent': "),
        ({"priority": True}, "priority True: "),
        ({"priority": 1.5}, "option priority 1.5: wrong type"),
        ({"attempts": 0}, "attempts 0: "),
        ({"attempts": True}, "attempts True: "),
        ({"attempts": "3"}, "option attempts '3': wrong type; give int"),
        ({"timeout": 0}, "timeout 0: less than 1 ms"),
        ({"timeout": "0s"}, "timeout '0s': less than 1 ms"),
        ({"timeout": "soon"}, "timeout 'soon': not a duration; write 90, 500ms"),
        ({"timeout": "9999999d"}, "timeout '9999999d': too long"),
        ({"timeout": -1}, "timeout -1: "),
        ({"timeout": True}, "option timeout True: wrong type"),
        ({"timeout": None}, "option timeout None: wrong type"),
        ({"delay": -1}, "delay -1: "),
        ({"delay": "soon"}, "delay 'soon': "),
        ({"delay": None}, "delay None: "),
        ({"run_at": NAIVE}, "no time zone"),
        ({"run_at": NOON.isoformat()}, "wrong type; give datetime"),
        ({"run_at": NOON.date()}, "wrong type; give datetime"),
        ({"run_at": NOON.timestamp()}, "wrong type; give datetime"),
        ({"job_id": str(ID)}, "wrong type; give UUID"),
        ({"delay": 5, "run_at": NOON}, "delay and run_at: both given"),
        ({"run_at": NOON, "delay": 0}, "delay and run_at: both given"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_an_option_that_cannot_be_used_is_refused_with_the_reason(options, said):
    with pytest.raises(ConfigurationError) as refused:
        EnqueueOptions().using(options)
    assert said in str(refused.value)


def test_an_unknown_option_is_answered_with_the_known_ones():
    with pytest.raises(ConfigurationError) as refused:
        EnqueueOptions().using({"when": NOON})
    for known in ("queue", "priority", "attempts", "delay", "run_at", "job_id"):
        assert known in str(refused.value)


def test_the_later_of_delay_and_run_at_counts():
    delayed = EnqueueOptions().using({"delay": 5})
    assert delayed.using({"run_at": NOON}) == EnqueueOptions(run_at=NOON)
    assert delayed.using({"run_at": NOON}).using({"delay": 7}) == EnqueueOptions(delay_seconds=7)


def test_using_leaves_the_task_it_is_called_on_as_it_was():
    jobs = JobQueue()

    @jobs.task(queue="email", priority="low")
    def send(to: str) -> None: ...

    before = send.options
    urgent = send.using(priority="critical")
    assert send.options == before
    assert jobs.tasks["send"] is send
    assert (urgent.options.queue, urgent.options.priority) == ("email", 1)
    assert (urgent.name, urgent.signature) == (send.name, send.signature)


def test_options_given_one_after_the_other_add_up():
    jobs = JobQueue()

    @jobs.task
    def send(to: str) -> None: ...

    both = send.using(queue="email").using(attempts=2).options
    assert (both.queue, both.max_attempts) == ("email", 2)
