"""Every error this package raises on purpose.

    JobQueueError
    ├── ConfigurationError        a setting, option or name that cannot be used
    │   ├── DatabaseUrlError
    │   ├── ApplicationError      `module:attribute` that names no JobQueue
    │   │   └── ImportFailed      a module whose own code fails
    │   └── LifespanError         resources that a worker could not open
    ├── TaskError                 a task that cannot be registered or found
    ├── ArgumentError             arguments that do not fit the task's signature
    ├── UnsupportedConnection     an object no adapter knows how to enqueue through
    ├── DatabaseUnavailable       no connection within the time allowed
    ├── SchemaError
    │   ├── SchemaMissing
    │   ├── SchemaTooOld
    │   ├── SchemaTooNew
    │   └── SchemaBusy
    ├── NoCurrentJob              `current_job()` outside a job
    ├── UnknownResource           a name that no lifespan yields; a KeyError as well
    ├── AlreadyProcessed          an earlier delivery has made the job's effects
    ├── LeaseLost                 the job was given to another worker meanwhile
    ├── TimedOut                  an attempt ran longer than its timeout
    ├── WrongOutcomes             a batch whose task did not return one outcome for each job
    └── ResultError               a job that was waited for gives no result
        ├── NotDone               not ended within the time allowed
        ├── JobDead
        ├── JobCancelled
        ├── JobUnknown
        └── NoResult              completed, but its task keeps none

Each message reads `<subject and value>: <rule broken>; <what to do>`.
"""

from __future__ import annotations

from uuid import UUID


def one_line(error: BaseException | None) -> str:
    """Give an error's message on one line; libpq's have several."""
    return " ".join(str(error).split())


class JobQueueError(Exception):
    """Base of every error this package raises on purpose."""


class ConfigurationError(JobQueueError):
    """A setting, option or name cannot be used."""


class DatabaseUrlError(ConfigurationError):
    """The database URL is missing or malformed."""


class ApplicationError(ConfigurationError):
    """`module:attribute` names no JobQueue."""


class ImportFailed(ApplicationError):
    """A module of the application fails when it is imported; the cause is what it raised."""


class LifespanError(ConfigurationError):
    """A worker could not open the resources of a lifespan, and does not start."""


class TaskError(JobQueueError):
    """A task cannot be registered, or is not known."""


class ArgumentError(JobQueueError):
    """Arguments do not fit the task's signature.

    task, parameter: where; the parameter is None when it is about all of them.
    row: which item of an `enqueue_many`, from 0; None for a single enqueue.
    """

    def __init__(
        self, task: str, parameter: str | None, rule: str, *, row: int | None = None
    ) -> None:
        self.task = task
        self.parameter = parameter
        self.rule = rule
        self.row = row
        where = f"argument {parameter!r}" if parameter else "arguments"
        item = "" if row is None else f"row {row}: "
        super().__init__(f"task {task!r}: {item}{where}: {rule}")


class UnsupportedConnection(JobQueueError):
    """No adapter knows how to enqueue through this object."""


class DatabaseUnavailable(JobQueueError):
    """No connection could be made within the time allowed."""


class SchemaError(JobQueueError):
    """The database's schema and this release do not fit."""


class SchemaMissing(SchemaError):
    """The schema `jobqueue` is not in this database."""


class SchemaTooOld(SchemaError):
    """The schema lacks what this release needs."""


class SchemaTooNew(SchemaError):
    """The schema no longer has what this release needs."""


class SchemaBusy(SchemaError):
    """A migration could not have the tables to itself."""


class NoCurrentJob(JobQueueError):
    """`current_job()` was called outside a job."""


class UnknownResource(JobQueueError, KeyError):
    """No lifespan yields a resource of this name."""

    __str__ = Exception.__str__
    """KeyError's own shows the quotes and escapes of a key."""


class AlreadyProcessed(JobQueueError):
    """An earlier delivery of the job has made its effects; the job ends as completed."""


class LeaseLost(JobQueueError):
    """The job was given to another worker meanwhile; the transaction was rolled back."""


class PartlyCommitted(ConfigurationError):
    """A COMMIT sent as SQL has made a part of a job's effects for good; the job ends as dead."""


class TimedOut(JobQueueError):
    """An attempt ran longer than its timeout."""


class WrongOutcomes(JobQueueError):
    """A batch's task did not return one outcome for each job; all of them have failed."""


class ResultError(JobQueueError):
    """A job that was waited for gives no result. job_id: which."""

    def __init__(self, message: str, job_id: UUID) -> None:
        super().__init__(message)
        self.job_id = job_id


class NotDone(ResultError, TimeoutError):
    """The job has not ended within the time allowed."""


class JobDead(ResultError):
    """The job ran out of attempts; the message says how the last one failed."""


class JobCancelled(ResultError):
    """The job was cancelled."""


class JobUnknown(ResultError):
    """There is no such job that could be seen, or nothing was kept of it."""


class NoResult(ResultError):
    """The job has completed, but its task keeps no result."""
