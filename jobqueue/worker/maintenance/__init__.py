"""What one worker, the leader, does for all: one duty a module, one loop."""

from jobqueue.worker.maintenance.conclude import Conclude
from jobqueue.worker.maintenance.forget import forget
from jobqueue.worker.maintenance.leader import Duty, Leader
from jobqueue.worker.maintenance.promote import promote
from jobqueue.worker.maintenance.prune import prune
from jobqueue.worker.maintenance.rescue import Rescue
from jobqueue.worker.maintenance.schedule import Schedule
from jobqueue.worker.maintenance.settle import settle

__all__ = [
    "Conclude",
    "Duty",
    "Leader",
    "Rescue",
    "Schedule",
    "forget",
    "promote",
    "prune",
    "settle",
]
