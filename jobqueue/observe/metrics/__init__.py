"""Numbers of a worker and of a fleet, for Prometheus."""
