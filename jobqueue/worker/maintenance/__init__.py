"""What one worker, the leader, does for all: one duty a module, one loop."""

from jobqueue.worker.maintenance.duties import duties
from jobqueue.worker.maintenance.leader import LEADER_IDLE_TIMEOUT, Duty, Leader

__all__ = ["LEADER_IDLE_TIMEOUT", "Duty", "Leader", "duties"]
