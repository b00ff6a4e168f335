"""What one worker, the leader, does for all: one duty a module, one loop."""

from jobqueue.worker.maintenance.leader import Duty, Leader
from jobqueue.worker.maintenance.promote import promote
from jobqueue.worker.maintenance.prune import prune
from jobqueue.worker.maintenance.rescue import Rescue

__all__ = ["Duty", "Leader", "Rescue", "promote", "prune"]
