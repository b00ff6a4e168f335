"""A transactional job queue for applications whose data already lives in PostgreSQL.

from jobqueue import JobQueue

jobs = JobQueue()

@jobs.task
def send_welcome(user_id: int) -> None: ...

with psycopg.connect(dsn) as connection:
    connection.execute("INSERT INTO users ...")
    send_welcome.enqueue(connection, user_id=42)   # exists if the transaction commits
"""

from jobqueue.client.around_enqueue import Enqueuing
from jobqueue.client.batches import CurrentBatch, current_batch
from jobqueue.client.context import CurrentJob, current_job
from jobqueue.client.queue import JobQueue
from jobqueue.client.task import Task
from jobqueue.core.alerts import Alert, AlertRules
from jobqueue.core.batch import Batch
from jobqueue.core.errors import (
    AlreadyProcessed,
    ApplicationError,
    ArgumentError,
    ConfigurationError,
    DatabaseUnavailable,
    DatabaseUrlError,
    JobCancelled,
    JobDead,
    JobQueueError,
    JobUnknown,
    LeaseLost,
    LifespanError,
    NoCurrentJob,
    NoResult,
    NotDone,
    PartlyCommitted,
    ResultError,
    SchemaBusy,
    SchemaError,
    SchemaMissing,
    SchemaTooNew,
    SchemaTooOld,
    TaskError,
    TimedOut,
    UnknownResource,
    UnsupportedConnection,
    WrongOutcomes,
)
from jobqueue.core.keys import Unique
from jobqueue.core.limits import Concurrency, RateLimit
from jobqueue.core.outcome import Cancel, Hold, Snooze
from jobqueue.core.priority import Priority
from jobqueue.core.retry import Constant, Exponential, Linear, Retry
from jobqueue.core.secrets import Secret
from jobqueue.core.states import Cancellation, State
from jobqueue.core.why import Reason
from jobqueue.store.jobs import Enqueued

__version__ = "0.2.0.dev0"

__all__ = [
    "Alert",
    "AlertRules",
    "AlreadyProcessed",
    "ApplicationError",
    "ArgumentError",
    "Batch",
    "Cancel",
    "Cancellation",
    "Concurrency",
    "ConfigurationError",
    "Constant",
    "CurrentBatch",
    "CurrentJob",
    "DatabaseUnavailable",
    "DatabaseUrlError",
    "Enqueued",
    "Enqueuing",
    "Exponential",
    "Hold",
    "JobCancelled",
    "JobDead",
    "JobQueue",
    "JobQueueError",
    "JobUnknown",
    "LeaseLost",
    "LifespanError",
    "Linear",
    "NoCurrentJob",
    "NoResult",
    "NotDone",
    "PartlyCommitted",
    "Priority",
    "RateLimit",
    "Reason",
    "ResultError",
    "Retry",
    "SchemaBusy",
    "SchemaError",
    "SchemaMissing",
    "SchemaTooNew",
    "SchemaTooOld",
    "Secret",
    "Snooze",
    "State",
    "Task",
    "TaskError",
    "TimedOut",
    "Unique",
    "UnknownResource",
    "UnsupportedConnection",
    "WrongOutcomes",
    "current_batch",
    "current_job",
]
