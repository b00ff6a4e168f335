"""Data synchronisation: a batch by the clock and webhooks, one idempotent handler, one limit."""
