"""Plays: whatever is done to the queue in whatever order, it is as the model of it says."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from jobqueue.core.states import TRANSITIONS
from tests.conftest import emptied
from tests.model.machine import Ends
from tests.model.rules_enqueue import EnqueueRules
from tests.model.rules_hand import HandRules
from tests.model.rules_leader import LeaderRules
from tests.model.rules_worker import WorkerRules
from tests.model.stage import KEYS, SOLO, stage_at
from tests.model.world import MOVES_SEEN

EXAMPLES = os.environ.get("JOBQUEUE_TEST_EXAMPLES")
"""How many plays to make up; unset: some, always the same ones."""
ENOUGH = 200


LIVES = (
    *("available", "scheduled", "due", "running", "lost", "failed", "dead", "completed", "keyed"),
    *("asked", "asked_late", "rescued"),
)

NOBODY_WAITS = {"left": True, "right": True}


class Play(EnqueueRules, WorkerRules, LeaderRules, HandRules):
    """Everybody at once."""

    @initialize(lives=st.lists(st.sampled_from(LIVES), min_size=2, max_size=5))
    def opening(self, lives: list[str]) -> None:
        """Two workers, and a few jobs that have come some way already."""
        self.add_worker()
        self.add_worker()
        for number, life in enumerate(lives):
            self.live(life, attempts=1 + number % 2)

    def live(self, life: str, attempts: int) -> None:
        """Bring a job some way."""
        how = NOBODY_WAITS
        if life == "keyed":
            self.enqueue_unique(SOLO, KEYS[0], replaces=False, later=False, how=how)
            return
        self.enqueue(SOLO, life in {"scheduled", "due"}, attempts, how)
        if life == "due":
            self.time_comes(0)
        if life not in {"available", "scheduled", "due"}:
            self.claim(SOLO, 0, 100, how)
            self.go_on(life, how)

    def go_on(self, life: str, how: Ends) -> None:
        """Bring a job that runs to where it is to be."""
        if life == "asked":
            self.cancel(SOLO, 0, how)
        if life == "asked_late":
            self.cancel("left", 0, how)
            self.reschedule(SOLO, 0, later=True, counts=True, how=how)
            self.end("left", commit=True)
        if life in {"lost", "rescued"}:
            self.lease_ends(0)
        if life == "rescued":
            self.rescue(SOLO, how)
        if life == "failed":
            self.reschedule(SOLO, 0, later=True, counts=True, how=how)
        if life == "dead":
            self.bury(SOLO, 0, how)
        if life == "completed":
            self.complete(SOLO, 0, how)


@pytest.fixture
def database_url(shared_database_url: str) -> str:
    """URL of a migrated database without a single row."""
    return emptied(shared_database_url)


def test_the_queue_is_as_the_model_says_and_makes_every_move_there_is(database_url: str):
    plays = settings(
        max_examples=int(EXAMPLES or ENOUGH),
        stateful_step_count=50,
        derandomize=EXAMPLES is None,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    MOVES_SEEN.clear()
    with stage_at(database_url) as stage:

        class Staged(Play):
            def __init__(self) -> None:
                super().__init__(stage)

        run_state_machine_as_test(Staged, settings=plays)
    missing = TRANSITIONS.keys() - MOVES_SEEN
    if plays.max_examples >= ENOUGH:
        assert not missing, f"moves that no play made: {sorted(missing)}"
