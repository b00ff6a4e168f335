"""Telling people, without Prometheus: by a webhook, and by mail."""
