"""Imported by Python at start when this folder is on PYTHONPATH: this process falls at a step.

FALL_AT: a statement of the leader and a side of it, as in `schedules/advance before`.
FALL_BY: the signal it then sends itself, once. FALL_NOTE: a file it makes just before.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from jobqueue.store.statement import Statement, sql
from jobqueue.worker.link import Link

FALL_AT = os.environ.get("FALL_AT", "")
# The first times there may be nothing to do yet.
NUMBER = 4


def _fall(name: str, side: str, note: Path, by: signal.Signals) -> None:
    text = sql(name)
    run = Link.run
    calls = 0

    def fall(when: str) -> None:
        if calls == NUMBER and when == side:
            note.touch()
            os.kill(os.getpid(), by)

    async def falling(link: Link, statement: Statement[Any]) -> list[Any]:
        nonlocal calls
        if statement.text != text:
            return await run(link, statement)
        calls += 1
        fall("before")
        rows = await run(link, statement)
        fall("after")
        return rows

    Link.run = falling


if FALL_AT:
    _fall(
        *FALL_AT.split(" "),
        Path(os.environ["FALL_NOTE"]),
        signal.Signals[os.environ["FALL_BY"]],
    )
