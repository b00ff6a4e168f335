"""Schedules that an application's code declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jobqueue.client.task import Task
from jobqueue.core.errors import ConfigurationError
from jobqueue.core.schedules.definition import Definition, ScheduleOptions, define


def declare(
    task: Task[..., Any],
    cron: str | None,
    name: str | None,
    args: Mapping[str, object] | None,
    options: ScheduleOptions,
) -> Definition:
    """Check everything that is said of a schedule of `task`.

    Raises ConfigurationError for a rule or an option that cannot be used, and ArgumentError if the
    arguments do not fit the task.
    """
    chosen = task.options
    own_expiry = chosen.expires_seconds != task.expires
    for option, given in (
        ("delay", chosen.delay_seconds),
        ("run_at", chosen.run_at),
        ("job_id", chosen.job_id),
        ("idempotency_key", chosen.idempotency_key),
        ("unique", chosen.unique),
        ("timeout", chosen.timeout_seconds),
        ("expires_at", chosen.expires_at),
        # The task's own deadline is that of its ticks' jobs as well.
        ("expires_in", chosen.expires_seconds if own_expiry else None),
    ):
        if given is not None:
            raise ConfigurationError(
                f"schedule of task {task.name!r}: {option} is for single jobs; say when by the "
                "schedule's rule, what may run together by overlap=, timeout and expires_in by "
                "the task"
            )
    return define(
        task.name if name is None else name,
        task.name,
        cron,
        options,
        args=task.signature.encode(args or {}),
        queue=chosen.queue,
        priority=chosen.priority,
        max_attempts=chosen.max_attempts,
    )


def enter(declared: dict[str, Definition], definition: Definition) -> None:
    """Put a schedule with those declared. Raises ConfigurationError if its name is taken."""
    if definition.name in declared:
        raise ConfigurationError(
            f"schedule {definition.name!r}: declared twice; give one of them another name, by name="
        )
    declared[definition.name] = definition
