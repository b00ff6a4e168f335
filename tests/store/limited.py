"""Steps with limits: set one, enqueue jobs under it, admit."""

from __future__ import annotations

import json

import psycopg

from jobqueue.core.limits import Concurrency, Flow, RateLimit
from jobqueue.core.options import EnqueueOptions
from jobqueue.store import gates
from tests.store.steps import do


def limit(connection: psycopg.Connection, rule: RateLimit | Concurrency) -> None:
    """Set a limit by hand."""
    do(connection, gates.set_limit(rule.rule()))


def gated(connection: psycopg.Connection, number: int, flow: Flow, *, key: str = "") -> None:
    """Enqueue so many jobs under limits, all under one key; `{n}` in it is their number."""
    args = json.dumps([{"n": n} for n in range(number)])
    keys = [(key.format(n=n), key.format(n=n)) for n in range(number)]
    options = EnqueueOptions(flow=flow)
    do(connection, gates.enqueue("work", args, options, [(None, None)] * number, keys))


def admit(connection: psycopg.Connection) -> int:
    """Admit once; gives how many jobs."""
    [admitted] = do(connection, gates.admit())
    return admitted.jobs
