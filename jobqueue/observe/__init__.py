"""What can be seen of a worker and of a fleet: logs, metrics, health."""
