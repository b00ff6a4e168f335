"""Statements about alerts, and about what they go by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson

from jobqueue.core.alerts import Alert, Beyond, Ended, Queue, Rule, Severity, message
from jobqueue.store.statement import Statement, first, sql


class Untold(NamedTuple):
    """An alert that the hooks are to be told of. cleared_at: None for its start."""

    rule: Rule
    severity: Severity
    subject: str
    value: float
    threshold: float
    since: datetime
    started_at: datetime
    cleared_at: datetime | None

    @property
    def key(self) -> tuple[object, ...]:
        """What tells it from all others, whatever its value is meanwhile."""
        return self.rule, self.severity, self.subject, self.started_at, self.cleared_at

    @property
    def alert(self) -> Alert:
        """What the hooks get."""
        active = self.cleared_at is None
        rule, value, threshold = self.rule, self.value, self.threshold
        return Alert(
            rule=rule,
            severity=self.severity,
            subject=self.subject,
            active=active,
            value=value,
            threshold=threshold,
            since=self.since,
            at=self.cleared_at or self.started_at,
            message=message(rule, self.subject, value, threshold, active=active),
        )


def queues(most: int) -> Statement[Queue]:
    """Find the queues that have available jobs, counting so many of each at most."""
    return Statement(sql("stats/waiting"), {"most": most}, lambda row: Queue(*row[:4]))


def failures(seconds: float, unkept: Sequence[str]) -> Statement[Ended]:
    """Count the jobs that ended, or failed, in the last seconds; not those of tasks in `unkept`."""
    params = {"seconds": seconds, "unkept": list(unkept)}
    return Statement(sql("alerts/failures"), params, lambda row: Ended(*row))


def dead_letters() -> Statement[tuple[str, int]]:
    """Count the dead letters of each queue."""
    return Statement(sql("alerts/dead_letters"), {}, lambda row: (row[0], row[1]))


def late_schedules(seconds: float) -> Statement[tuple[str, float]]:
    """Find schedules whose tick is overdue, and by how many seconds."""
    return Statement(sql("alerts/schedules"), {"seconds": seconds}, lambda row: (row[0], row[1]))


def advance(found: Iterable[Beyond], clear_seconds: float) -> Statement[Any]:
    """Note what is beyond its limit now, and what is so no more."""
    told = orjson.dumps([one._asdict() for one in found]).decode()
    return Statement(sql("alerts/advance"), {"found": told, "clear_seconds": clear_seconds}, first)


def untold() -> Statement[Untold]:
    """Find alerts that the hooks have not been told of."""
    return Statement(
        sql("alerts/untold"), {}, lambda row: Untold(Rule(row[0]), Severity(row[1]), *row[2:])
    )


def told(one: Untold) -> Statement[Any]:
    """Note that the hooks have been told."""
    params = {
        "rule": one.rule,
        "severity": one.severity,
        "subject": one.subject,
        "started_at": one.started_at,
        "cleared_at": one.cleared_at,
    }
    return Statement(sql("alerts/told"), params, first)
