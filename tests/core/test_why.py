"""Why a job is not running: what is said, by what the books hold of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobqueue.core.why import Facts, Gate, why

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

# A job that nothing holds up.
FREE = Facts(
    task="work", queue="mail", state="available", worker=None, started_at=None, asked_at=NOON,
    due_seconds=0.0, expires_seconds=None, queue_paused_at=None, queue_pause_reason=None,
    task_paused_at=None, task_pause_reason=None, paused_limit=None, paused_key=None,
    key_paused_at=None, key_pause_reason=None, ahead=0, ahead_most=10_000, serving=1, knowing=1,
    elsewhere=0, sleeping=1, leader=True, places=None, places_taken=0, gate=None,
)  # fmt: skip
KEY = Gate("imports", "acme", "concurrency", 2, None, None, None, ahead=0, holding=0)
RATE = Gate("api", "", "rate", 10, 1.0, None, -5.0, ahead=0, holding=0)
PAUSED_KEY = {"paused_limit": "imports", "paused_key": "acme", "key_paused_at": NOON}


def gated(gate: Gate, **of_gate: Any) -> dict[str, Any]:
    return {"state": "gated", "gate": gate._replace(**of_gate)}


@pytest.mark.parametrize(
    ("facts", "codes", "said"),
    [
        ({}, ["next"], "about to take it"),
        ({"state": "running", "worker": "w", "started_at": NOON}, ["running"], "on worker w"),
        ({"state": "dead"}, ["dead"], "it has ended: dead"),
        ({"queue_paused_at": NOON, "queue_pause_reason": "down"}, ["queue_paused"], ": down"),
        ({"task_paused_at": NOON}, ["task_paused"], "task 'work' is paused since 2026"),
        (PAUSED_KEY, ["key_paused"], "key 'acme' of limit 'imports' is paused since 2026"),
        ({"knowing": 0, "serving": 0}, ["no_worker"], "no live worker serves queue 'mail'"),
        ({"knowing": 0}, ["task_unknown"], "--import"),
        ({"state": "scheduled", "due_seconds": 7200.0}, ["scheduled"], "due in 2 h"),
        ({"state": "scheduled", "leader": False}, ["no_leader"], "no worker leads"),
        ({"state": "scheduled"}, ["due"], "about to make it available"),
        ({"state": "blocked"}, ["contested"], "holds its key"),
        ({"state": "waiting"}, ["waiting"], "waits for an event"),
        ({"ahead": 3}, ["behind"], "behind about 3 others"),
        ({"ahead": 10_000}, ["behind"], "behind at least 10,000 others"),
        ({"places": 4, "places_taken": 4}, ["queue_full"], "runs 4 at once"),
        ({"places": 4, "places_taken": 3}, ["next"], ""),
        ({"sleeping": 0, "due_seconds": -3.0}, ["workers_full"], "busy"),
        ({"expires_seconds": 10.0}, ["expires"], "not started in 10.0 s"),
        (gated(KEY), ["next"], ""),
        (gated(KEY, holding=2, ahead=7), ["waits_for_key"], "2 run at once, and so many do"),
        (gated(KEY, holding=2, ahead=7), ["waits_for_key"], "behind about 7 others"),
        (gated(KEY, amount=None, ahead=7), ["waits_for_turn"], "in turn; behind about 7 others"),
        (gated(KEY, held_seconds=60.0), ["limit_held"], "'imports' for key 'acme' is held until"),
        (gated(KEY, held_seconds=-60.0), ["next"], ""),
        (gated(KEY, kind=None), ["limit_unknown"], "limit 'imports' is not in the database"),
        (gated(KEY) | PAUSED_KEY, ["key_paused"], ""),
        (gated(RATE, free_seconds=3.0, ahead=20), ["waits_for_rate"], "5.0 s from now"),
        (gated(RATE, free_seconds=3.0), ["waits_for_rate"], "lets 10 start in 1.0 s"),
        (gated(RATE, free_seconds=3.0), ["waits_for_rate"], ":00:03 "),
        (gated(RATE, ahead=70), ["waits_for_rate"], "2.0 s from now"),  # it was idle for 5 s
        (gated(RATE, free_seconds=None), ["waits_for_rate"], "0.0 s from now"),
        (gated(RATE, held_seconds=9.0, ahead=10), ["limit_held", "waits_for_rate"], "10.0 s from"),
        (gated(RATE, ahead=10_000), ["waits_for_rate"], "longer than can be counted"),
        (gated(RATE, amount=1, per_seconds=3e7, ahead=900), ["waits_for_rate"], "for 312500 days"),
        (gated(RATE, free_seconds=float("-inf")), ["waits_for_rate"], "0.0 s from now"),
    ],
)
def test_what_is_said(facts: dict[str, Any], codes: list[str], said: str) -> None:
    reasons = why(FREE._replace(**facts))
    assert [one.code for one in reasons] == codes
    assert said in "; ".join(one.text for one in reasons)
