"""From where on something is beyond its limit."""

from __future__ import annotations

import pytest

from jobqueue import AlertRules, ConfigurationError
from jobqueue.core.alerts import Ended, Queue, Rule, Sample, Severity, beyond, message

WELL = Sample(queues=(), ended=(), dead_letters={}, late_schedules={})
NONE = AlertRules(
    depth=None, oldest=None, failures=None, failures_warning=None, dead_letters=None,
    no_worker_for=None, schedule_late=None,
)  # fmt: skip

CASES = [
    (WELL._replace(queues=[Queue("q", 5_000, 600.0, 1)]), []),
    (WELL._replace(queues=[Queue("q", 5_001, 1.0, 1)]), [("depth", "critical", 5_001, 300.0)]),
    (WELL._replace(queues=[Queue("q", 1, 601.0, 1)]), [("oldest", "critical", 601.0, 60.0)]),
    (WELL._replace(queues=[Queue("q", 1, 1.0, 0)]), [("no_worker", "critical", 0, 60.0)]),
    (WELL._replace(ended=[Ended("q", 19, 19)]), []),
    (WELL._replace(ended=[Ended("q", 100, 2)]), []),
    (WELL._replace(ended=[Ended("q", 100, 5)]), [("failures", "warning", 0.05, 60.0)]),
    (
        WELL._replace(ended=[Ended("q", 100, 6)]),
        [("failures", "warning", 0.06, 60.0), ("failures", "critical", 0.06, 60.0)],
    ),
    (WELL._replace(dead_letters={"q": 1}), [("dead_letters", "critical", 1, 0.0)]),
    (WELL._replace(late_schedules={"q": 61.0}), [("schedule_late", "critical", 61.0, 0.0)]),
]


@pytest.mark.parametrize(("sample", "expected"), CASES)
def test_what_is_beyond_its_limit_is_found(sample: Sample, expected: list[object]):
    found = list(beyond(sample, AlertRules()))
    assert [(one.rule, one.severity, one.value, one.for_seconds) for one in found] == expected
    assert {one.subject for one in found} <= {"q"}


@pytest.mark.parametrize("sample", [sample for sample, _ in CASES])
def test_a_rule_without_a_limit_finds_nothing(sample: Sample):
    assert list(beyond(sample, NONE)) == []


def test_no_jobs_at_all_are_no_failures():
    assert list(beyond(WELL._replace(ended=[Ended("q", 0, 0)]), AlertRules(failures_least=0))) == []


@pytest.mark.parametrize("value", [-1, float("nan")])
def test_what_is_no_limit_is_refused(value: float):
    with pytest.raises(ConfigurationError, match=r"alert rule oldest_for=.*: not a limit"):
        AlertRules(oldest_for=value)


@pytest.mark.parametrize("rule", list(Rule))
def test_every_alert_is_said_in_a_line(rule: Rule):
    began = message(rule, "email", 0.5, 0.25, active=True)
    assert "'email': " in began
    assert "over (" in message(rule, "email", 0.5, 0.25, active=False)
    assert Severity.CRITICAL == "critical"
