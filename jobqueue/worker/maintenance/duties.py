"""All that the leader does, by the names under which it logs, and can be called for."""

from __future__ import annotations

from jobqueue.client.queue import JobQueue
from jobqueue.core.settings import WorkerSettings
from jobqueue.worker.maintenance.admit import Admit
from jobqueue.worker.maintenance.alert import alert
from jobqueue.worker.maintenance.cancel import cancel
from jobqueue.worker.maintenance.conclude import Conclude
from jobqueue.worker.maintenance.expire import expire
from jobqueue.worker.maintenance.forget import forget
from jobqueue.worker.maintenance.leader import Duty
from jobqueue.worker.maintenance.promote import promote
from jobqueue.worker.maintenance.prune import prune
from jobqueue.worker.maintenance.rescue import Rescue
from jobqueue.worker.maintenance.sample import Sample
from jobqueue.worker.maintenance.schedule import Schedule
from jobqueue.worker.maintenance.settle import settle
from jobqueue.worker.maintenance.trim import Trim


def duties(settings: WorkerSettings, jobs: JobQueue) -> dict[str, Duty]:
    """Give the duties of a leader with these settings, the most urgent first.

    jobs: whose hooks are told of alerts.
    """
    watch = alert(jobs)
    return {
        "schedule": Schedule(),
        "promote": promote,
        "admit": Admit(),
        "rescue": Rescue(),
        "expire": expire,
        "cancel": cancel,
        "settle": settle,
        "prune": prune(settings.history_days),
        "trim": Trim(settings.history_days),
        "forget": forget(settings.processed_days),
        "conclude": Conclude(settings.history_days),
        "sample": Sample(),
    } | ({"alert": watch} if watch else {})
